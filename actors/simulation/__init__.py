"""The deterministic simulator: real cells, a simulated machine round them, faults by seed. Nothing else imports it."""
