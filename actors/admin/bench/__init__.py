"""Measures the system on this machine, beside the limit that its store sets."""

from actors.admin.bench.run import run

__all__ = ["run"]
