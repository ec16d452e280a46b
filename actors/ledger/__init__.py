"""The Ledger: accounts, holds and postings, in double entry."""
