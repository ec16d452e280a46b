"""Compares the two flows on the same work: measured, read from the code, and checked to leave the same books."""
