"""Approval: asks people whether a payment may go on, several of them where it takes several."""
