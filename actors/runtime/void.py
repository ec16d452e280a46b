"""Why a turn can't come to its end though the store is well: what its inputs have led to."""

from __future__ import annotations

from typing import Final

# What packing raises for a message whose fields are not what its class says, or are too large for the wire.
UNPACKABLE: Final = (TypeError, ValueError, OverflowError, KeyError, AttributeError)


class TurnVoid(Exception):
    """The turn can't come to its end though the store is well; the text says why.

    Its inputs are run again one by one, and the one that is to blame goes to the dead letters.
    """


class TurnTooLong(TurnVoid):
    """More messages than a turn may handle came of these inputs."""

    def __init__(self, budget: int) -> None:
        super().__init__(f"it led to more than {budget:,} messages in one turn")


class CannotBeSent(TurnVoid):
    """A message that nobody could decode was to go to another cell."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"it led to a message that can't be sent ({type(error).__name__}: {error})")
