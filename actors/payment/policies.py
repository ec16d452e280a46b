"""What a step does when it is refused or its command fails, as data; the rules that follow it: `trying.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from actors.payment.faults import BadWorkflow
from actors.payment.windows import Window


@dataclass(frozen=True, slots=True)
class TryLater:
    """Wait `after`, then send again, at most `tries` more times; each wait is `backoff` times the one before it.

    When the tries are used up, the payment is undone.
    """

    after: timedelta
    tries: int = 3
    backoff: float = 1

    def __post_init__(self) -> None:
        if self.tries < 1 or self.backoff < 1 or self.after <= timedelta():
            raise BadWorkflow("trying later needs a wait, at least one try, and a backoff of at least 1")

    def again_at(self, now: datetime, tried: int) -> datetime:
        """When to send again after `tried` tries."""
        return now + self.after * self.backoff ** (tried - 1)


@dataclass(frozen=True, slots=True)
class NextWindow:
    """Wait until the window opens the next time, then send again, at most `tries` more times; then undo."""

    window: Window
    tries: int = 3

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise BadWorkflow("waiting for the next window needs at least one try")

    def again_at(self, now: datetime, tried: int) -> datetime:
        """The next opening: whoever refused has said that it is closed by now."""
        return self.window.next_opening(now)


@dataclass(frozen=True, slots=True)
class StopAndUndo:
    """The payment is rejected, and what was done for it is undone."""

    calls_person: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class CallPerson:
    """Nothing more happens until a person retries, restarts or cancels: the payment needs attention."""

    calls_person: ClassVar[bool] = True


Policy = TryLater | NextWindow | StopAndUndo | CallPerson
STOP_AND_UNDO: Final = StopAndUndo()


def sends_again(policy: Policy) -> bool:
    """Whether following it may send the step's command once more."""
    return isinstance(policy, TryLater | NextWindow)


def scaled(policy: Policy, factor: float) -> Policy:
    """The same policy with its wait multiplied; a window opens when it opens."""
    return replace(policy, after=policy.after * factor) if isinstance(policy, TryLater) else policy
