"""Limits: how much may leave one account with one payment, and in one day."""
