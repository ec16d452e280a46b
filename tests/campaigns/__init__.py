"""Campaigns: attacks and fuzzing that run for as long as one likes; the tests run them in small."""
