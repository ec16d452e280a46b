"""Disbursement: takes payment orders in, starts payments and says how each ended."""
