"""The saga's state and the engine's decision: plain values. Pure; knows no step and no service.

Tuples rather than dataclasses: a payment makes half a dozen of each.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from actors.messaging.message import Event, Message
from actors.payment.definition import Timer
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason

FORWARD: Final = "forward"  # a step's command is out
COMPENSATING: Final = "compensating"  # a step's compensation is out
RETURNING: Final = "returning"  # completed, and the money's return is being booked
HALTED: Final = "halted"  # facts contradict each other: nothing is done automatically any more
COMPLETED: Final = "completed"
REJECTED: Final = "rejected"
CANCELLED: Final = "cancelled"
RETURNED: Final = "returned"

DONE: Final = "done"  # of a branch
REFUSED: Final = "refused"
PERSON: Final = "person"  # what a payment waits for where no moment is set

EXECUTED: Final = frozenset((COMPLETED, RETURNED, RETURNING))
UNDONE: Final = frozenset((REJECTED, CANCELLED))


class Branch(NamedTuple):
    """Where one of several steps stands that are under way together; the words are those of `State`.

    `outcome` is "" while it is unanswered, then `DONE`, or `REFUSED` for the one that made the payment be undone.
    """

    outcome: str = ""
    attempt: int = 1
    held: bool = False
    tries: int = 1
    waiting: str = ""
    failures: int = 0


class Numbered(NamedTuple):
    """The number under which a step was sent last."""

    step: str
    number: int


class State(NamedTuple):
    """Where one payment stands. `step` is the index of the step whose command or compensation is out.

    From `held` on stands what most payments never need: `answered` says that the step's outcome came while
    the gate was being asked (`stopping`: the ending wanted); `ending` and `reason` are what the payment
    becomes by being undone; `attention` is the last thing a person was told; a return waits in `return_id`.
    `branches` are the steps that are under way together (`step` is the first of them); `tries` is the number under
    which the step's command is sent; while `waiting`, nothing is out until that moment (ISO 8601), or until a
    `PERSON` says so; `paused` says since when, by whom and why the payment is held. A payment that was restarted from
    an earlier step had `reached` this one before; 0 where it is there again. `failures` is how often the step's command
    has ended in the dead letters; `numbers` are those, other than 1, under which earlier steps were sent last.
    """

    order: PaymentOrder
    phase: str
    step: int
    attempt: int
    held: bool = False
    answered: bool = False
    stopping: str = ""
    ending: str = ""
    reason: Reason | None = None
    attention: str = ""
    return_id: str = ""
    return_reason: Reason | None = None
    branches: tuple[Branch, ...] = ()
    tries: int = 1
    waiting: str = ""
    paused: str = ""
    reached: int = 0
    failures: int = 0
    numbers: tuple[Numbered, ...] = ()


class Decision(NamedTuple):
    """What follows from one message: the new state, commands by receiver, timers, events to publish."""

    state: State
    sends: tuple[tuple[str, Message], ...] = ()
    timers: tuple[Timer, ...] = ()
    events: tuple[Event, ...] = ()
