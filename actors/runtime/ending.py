"""That a system stops, and why if nobody asked it to: written as it begins, for whoever starts it or asks for it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Final

from actors.runtime.processes import write_atomically

STOPPING: Final = "run/stopping.json"


def say_stopping(data: Path, reason: str | None) -> None:
    """From now on the system takes no more and ends; `reason` is a sentence if that is its own decision.

    On a full disk nobody reads it, and the system stops all the same.
    """
    with contextlib.suppress(OSError):
        write_atomically(data / STOPPING, {"reason": reason})


def forget_stopping(data: Path) -> None:
    """A system starts: how the one before ended is history."""
    with contextlib.suppress(OSError):
        (data / STOPPING).unlink(missing_ok=True)


def is_stopping(data: Path) -> bool:
    """Whether the system that runs in `data`, if one does, has begun to stop."""
    return (data / STOPPING).exists()


def reason_of_end(data: Path) -> str | None:
    """Why the last system in `data` ended by itself; None if it was told to, or was killed."""
    try:
        reason = json.loads((data / STOPPING).read_text("utf-8"))["reason"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if reason is None else str(reason)
