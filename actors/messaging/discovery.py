"""Finds the messages of every service by their place in the tree, so that any process can read what is sent."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import actors
from actors.messaging import codec, system_messages


def register_messages() -> None:
    """Make the messages of every service that is there known to the codec."""
    codec.register_module(system_messages)
    for package in pkgutil.iter_modules(actors.__path__):
        if (Path(actors.__path__[0]) / package.name / "messages.py").exists():
            codec.register_module(importlib.import_module(f"actors.{package.name}.messages"))
