"""Words that every service shares: money, the payment order, reasons, partition slots. Pure."""
