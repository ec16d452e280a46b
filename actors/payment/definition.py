"""What a workflow is: steps in the order the money moves, as data. Knows no service and no message of one.

The engine reads three facts from the messages named here, whatever their classes: a refusal, a doubt, an
alarm, a return carry `reason`; a closed gate carries `reason` and `ending`; a hold for a person carries
`review_seconds`, a return `return_id`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, NamedTuple

from actors.messaging.message import Command, Event, Message
from actors.payment.messages import StepTimedOut
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason

LONGEST_WAIT: Final = timedelta(minutes=5)  # no backoff grows beyond it


class BadWorkflow(ValueError):
    """A definition that can't be run; the text says what is wrong with it."""


class Timer(NamedTuple):
    """Set the saga's one timer; both None: cancel it."""

    after: timedelta | None
    tick: StepTimedOut | None


@dataclass(frozen=True, slots=True)
class Step:
    """One command to one service, what its answers mean, and how to undo it.

    `command(order)` makes the command, `compensation(order, reason, ending)` the one that undoes it. Every
    try waits `timeout`, times `backoff` for each try before; after `retries` further tries it is given up.
    With `undo_when_done` false only an unanswered step is compensated. `needs` names the steps whose outcome
    is this step's evidence. The pivot is the step after which there is no undoing.
    """

    name: str
    to: str
    command: Callable[[PaymentOrder], Command]
    done: type[Message]
    timeout: timedelta
    refused: type[Message] | None = None
    retries: int = 2
    backoff: float = 2
    compensation: Callable[[PaymentOrder, Reason, str], Command] | None = None
    undone: type[Message] | None = None
    undo_refused: type[Message] | None = None
    undo_when_done: bool = True
    waits_for_person: type[Message] | None = None
    overdue: type[Message] | None = None
    under_way: type[Message] | None = None
    in_doubt: type[Message] | None = None
    pivot: bool = False
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """Who decides whether a payment can still be stopped: asked before the hand-over, again until it answers."""

    name: str
    to: str
    command: Callable[[PaymentOrder, Reason, str], Command]
    closed: type[Message]
    refused: type[Message]
    timeout: timedelta
    expiry: type[Message]  # the event that makes the saga ask by itself
    backoff: float = 2


@dataclass(frozen=True, slots=True)
class Return:
    """What to do with money that comes back after the payment was completed."""

    name: str
    received: type[Message]
    to: str
    command: Callable[[PaymentOrder, str, Reason], Command]
    booked: type[Message]
    suspended: type[Message]
    timeout: timedelta
    backoff: float = 2


@dataclass(frozen=True, slots=True)
class Endings:
    """The events that say what became of the payment, by class; all but the last carry the order."""

    completed: Callable[..., Event]
    rejected: Callable[..., Event]
    cancelled: Callable[..., Event]
    returned: Callable[..., Event]
    needs_attention: Callable[..., Event]
    cancellation_refused: Callable[..., Event]


@dataclass(frozen=True, slots=True)
class Workflow:
    """Steps in order, one of them the pivot, and what is the same whatever their order.

    `patience` is the number of tries after which what is retried for ever also needs a person's attention.
    The derived fields are for the engine: the pivot's index, each step's first timer, the role of each
    message class.

    Raises:
        BadWorkflow: no pivot or two, evidence that no earlier step gives, a message with two roles.
    """

    name: str
    version: int
    steps: tuple[Step, ...]
    gate: Gate
    returns: Return
    alarm: type[Message]
    endings: Endings
    patience: int = 5
    pivot: int = field(init=False, compare=False, repr=False)
    first_timers: tuple[tuple[Timer], ...] = field(init=False, compare=False, repr=False)
    roles: dict[type[Message], tuple[str, int]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        pivots = [at for at, step in enumerate(self.steps) if step.pivot]
        if len(pivots) != 1:
            raise BadWorkflow(f"{self.name} has {len(pivots)} pivots; a workflow has one")
        for at, step in enumerate(self.steps):
            self._check(step, {earlier.name for earlier in self.steps[:at]}, at > pivots[0])
        timers = tuple((Timer(step.timeout, StepTimedOut(step=step.name, attempt=1)),) for step in self.steps)
        object.__setattr__(self, "pivot", pivots[0])
        object.__setattr__(self, "first_timers", timers)
        object.__setattr__(self, "roles", self._roles())

    def scaled(self, factor: float) -> Workflow:
        """The same workflow with every timeout multiplied by `factor`."""
        return replace(
            self,
            steps=tuple(replace(step, timeout=step.timeout * factor) for step in self.steps),
            gate=replace(self.gate, timeout=self.gate.timeout * factor),
            returns=replace(self.returns, timeout=self.returns.timeout * factor),
        )

    def _check(self, step: Step, earlier: set[str], after_pivot: bool) -> None:
        missing = set(step.needs) - earlier
        if missing:
            raise BadWorkflow(f"{self.name}: {step.name} needs {', '.join(sorted(missing))} before it")
        if step.name in earlier:
            raise BadWorkflow(f"{self.name} has two steps called {step.name}")
        if step.compensation and (step.pivot or after_pivot):
            raise BadWorkflow(f"{self.name}: {step.name} can't be undone, it is not before the pivot")
        if (step.compensation is None) != (step.undone is None):
            raise BadWorkflow(f"{self.name}: {step.name} needs both a compensation and its outcome, or neither")

    def _roles(self) -> dict[type[Message], tuple[str, int]]:
        named: list[tuple[type[Message] | None, str, int]] = [
            (getattr(step, role), role, at) for at, step in enumerate(self.steps) for role in STEP_ROLES
        ]
        gate, returns = self.gate, self.returns
        named += [
            (gate.closed, "gate_closed", 0),
            (gate.refused, "gate_refused", 0),
            (gate.expiry, "expiry", 0),
        ]
        named += [(returns.received, "return_received", 0), (returns.booked, "return_booked", 0)]
        named += [(returns.suspended, "return_suspended", 0), (self.alarm, "alarm", 0)]
        roles: dict[type[Message], tuple[str, int]] = {}
        for message, role, at in named:
            if message is None:
                continue
            if message in roles:
                raise BadWorkflow(f"{self.name}: {message.__name__} is both {roles[message][0]} and {role}")
            roles[message] = role, at
        return roles


STEP_ROLES: Final = (
    "done", "refused", "undone", "undo_refused", "waits_for_person", "overdue", "under_way", "in_doubt",
)  # fmt: skip


def wait(of: Step | Gate | Return, attempt: int) -> timedelta:
    """How long try number `attempt` (from 1) waits for its answer."""
    grown: timedelta = of.timeout * of.backoff ** min(attempt - 1, 10)
    return max(of.timeout, min(grown, LONGEST_WAIT))
