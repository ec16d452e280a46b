"""Operations: what people do to payments, one or many: durable jobs, worked off at a bounded pace."""
