"""Replication: copies what became of payments into another database, for reporting."""
