"""Typed settings, a TOML file for each topology, and sample data."""
