"""Pictures of the payment process in both flows, drawn from the code and from what was recorded of a payment."""
