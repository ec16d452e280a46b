"""Execution: the gate before the rail, the doubt after it, and the rails themselves."""
