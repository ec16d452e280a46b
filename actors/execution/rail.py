"""What a rail is to us: instructions in, answers out, now or later. No actor and no turn in here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from actors.execution.messages import RailAnswered, SubmitInstruction


class RailUnreachable(Exception):
    """The rail can't be reached now; whatever was asked may or may not have got there."""


class Submission(NamedTuple):
    """One instruction with the payment it belongs to."""

    payment_id: str
    instruction: SubmitInstruction


class LateAnswer(NamedTuple):
    """What the rail says by itself, some time after it got an instruction."""

    payment_id: str
    answer: RailAnswered


class Rail(Protocol):
    """A way to pay. Executes one instruction id at most once, however often it is submitted.

    All methods are called from one thread, and all but `next_due` may raise `RailUnreachable`.
    """

    def open(self) -> None:
        """Connect; called again after a failure."""

    def submit(self, batch: Sequence[Submission]) -> list[RailAnswered | None]:
        """Give it instructions; what it says of each at once, or None where it says nothing yet."""

    def query(self, instruction_ids: Sequence[str]) -> list[RailAnswered]:
        """What became of each of them."""

    def confirm(self, instruction_ids: Sequence[str]) -> None:
        """Their last answers have been taken in: it need not repeat them."""

    def answers(self) -> list[LateAnswer]:
        """What it has to say by now, a bounded number at a time."""

    def next_due(self) -> datetime | None:
        """When `answers` should be called next, or None."""

    def close(self) -> None:
        """Disconnect."""
