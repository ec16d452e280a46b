"""What a workflow is made of, as data: steps, steps together, choices, waits. Knows no service and no message of one.

The engine reads a few facts from the messages named here, whatever their classes: a refusal, a doubt, an
alarm, a return carry `reason`; a closed gate carries `reason` and `ending`; a hold for a person carries
`review_seconds`, a return `return_id`; the refusal of a step that may be tried `again` carries `attempt`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final, NamedTuple

from actors.messaging.message import Command, Event, Message
from actors.payment.facts import Fact
from actors.payment.faults import BadWorkflow
from actors.payment.messages import StepTimedOut
from actors.payment.policies import STOP_AND_UNDO, Policy, sends_again
from actors.payment.windows import Window
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason

LONGEST_WAIT: Final = timedelta(minutes=5)  # no backoff grows beyond it
OTHERWISE: Final = "otherwise"  # the outcome of a choice for which no case is written
THE_TIMER: Final = "step"  # a saga has one timer; a later one replaces it. Steps together have one each.
_ISO_CODE: Final = re.compile(r"[A-Z0-9]{4}")


class Timer(NamedTuple):
    """Set a timer, after a time or at a moment; both None: cancel it."""

    after: timedelta | datetime | None
    tick: StepTimedOut | None
    key: str = THE_TIMER


@dataclass(frozen=True, slots=True)
class Step:
    """One command to one service, what its answers mean, and how to undo it.

    `command(order)` makes the command, `compensation(order, reason, ending)` the one that undoes it. Every
    try waits `timeout`, times `backoff` for each try before; after `retries` further tries it is given up.
    With `undo_when_done` false only an unanswered step is compensated. `needs` names the steps whose outcome
    is this step's evidence. The pivot is the step after which there is no undoing.

    `on_reason` says what to do about a refusal, by its ISO code (else the payment is undone); `again(order,
    number)` makes the command anew, since the same number would get the same answer. `on_failure` says what
    to do about a command in the dead letters; it was never answered, so the very same one is sent again. `ask(order)`
    finds out what became of a command, without doing it again.
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
    again: Callable[[PaymentOrder, int], Command] | None = None
    on_reason: Mapping[str, Policy] = field(default_factory=dict, hash=False)
    on_failure: Policy = STOP_AND_UNDO
    ask: Callable[[PaymentOrder], Command] | None = None

    def __post_init__(self) -> None:
        if (self.compensation is None) != (self.undone is None):
            raise BadWorkflow(f"{self.name} needs both a compensation and its outcome, or neither")
        if not isinstance(self.timeout, timedelta) or self.timeout <= timedelta():
            raise BadWorkflow(f"{self.name} waits {self.timeout} for its answer; write a time to wait, as minutes(2)")
        if self.retries < 0 or self.backoff < 1:
            raise BadWorkflow(
                f"{self.name} has {self.retries} retries with a backoff of {self.backoff}; there are 0 or more, and"
                " each wait is at least as long as the one before it"
            )
        if self.on_reason and self.refused is None:
            raise BadWorkflow(f"{self.name} is never refused, so it can't do anything about a reason")
        for code, policy in self.on_reason.items():
            if not _ISO_CODE.fullmatch(code):
                raise BadWorkflow(
                    f"{self.name} decides on {code}; an ISO reason code is four letters or digits, as AM04"
                )
            if sends_again(policy) and self.again is None:
                raise BadWorkflow(
                    f"{self.name} is to be tried again for {code}, but has no `again` to make its command"
                )
        if self.again and not _says_attempt(self.refused):
            raise BadWorkflow(f"{self.name} may be tried again, but its refusal does not say which attempt it refuses")


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Wait for a moment: `until(order)`, or the next time that a window is open. No moment, or a past one: go on.

    Nothing is sent while the payment waits, and it can be cancelled.
    """

    name: str
    until: Callable[[PaymentOrder], datetime | None] | Window

    # What a step has and a wait has not, for whoever goes through both.
    to: ClassVar[str] = ""
    compensation: ClassVar[None] = None
    undo_when_done: ClassVar[bool] = False
    pivot: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()

    def moment(self, order: PaymentOrder, now: datetime) -> datetime | None:
        """When the payment goes on, or None where it need not wait."""
        until = self.until
        at = until.next(now) if isinstance(until, Window) else until(order)
        return None if at is None or at <= now else at


Stage = Step | WaitUntil  # what a payment's way consists of, once its choices are made


@dataclass(frozen=True, slots=True)
class Together:
    """Steps at the same time: all commands are sent at once, and the payment goes on when all of them are done.

    The first refusal undoes the payment: what was done, and what has not answered, is compensated from the
    last step up to the first.
    """

    name: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if len(self.steps) < 2:
            raise BadWorkflow(f"{self.name} takes two steps or more; one alone needs no `Together`")
        for step in self.steps:
            if not isinstance(step, Step):
                raise BadWorkflow(f"{self.name} takes steps only, and {step.name} is none")
            if step.pivot:
                raise BadWorkflow(f"{step.name} is the pivot and so must be alone, not in {self.name}")
            if set(step.needs) & {other.name for other in self.steps}:
                raise BadWorkflow(f"{step.name} needs a step that is done at the same time, in {self.name}")


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision on a fact of the order: the steps of its case, or `otherwise`. Made once, when the payment starts.

    Raises:
        BadWorkflow: a case is left out, or can't be.
    """

    name: str
    on: Fact
    cases: Mapping[Hashable, tuple[Part, ...]] = field(hash=False)
    otherwise: tuple[Part, ...] | None = None

    def __post_init__(self) -> None:
        values = self.on.values
        if values is None and self.otherwise is None:
            raise BadWorkflow(f"{self.name} decides on {self.on.name}, which may be anything: it needs an `otherwise`")
        if values is not None:
            for case in self.cases:
                if case not in values:
                    raise BadWorkflow(f"{self.name} has a case {case}, but {self.on.name} is {_listed(values)}")
            left = [value for value in values if value not in self.cases]
            if left and self.otherwise is None:
                raise BadWorkflow(f"{self.name} leaves out the case that {self.on.name} is {_listed(left)}")
            if not left and self.otherwise is not None:
                raise BadWorkflow(
                    f"{self.name} has an `otherwise` that can't be: every case of {self.on.name} is written"
                )
        for steps in (*self.cases.values(), self.otherwise):
            if steps is not None and not isinstance(steps, tuple):
                raise BadWorkflow(f"{self.name}: each case is a tuple of steps, like (DEBIT,) or ()")

    def decide(self, order: PaymentOrder) -> Hashable:
        """The case that holds for this order.

        Raises:
            UnforeseenCase: the fact has a value that it says it can't have.
        """
        value = self.on.read(order)
        if value in self.cases:
            return value
        if self.otherwise is None:
            raise UnforeseenCase(f"payment {order.payment_id}: {self.name} has no case for {self.on.name} = {value}")
        return OTHERWISE

    def steps_of(self, case: Hashable) -> tuple[Part, ...]:
        """What is done in this case."""
        return self.cases.get(case, self.otherwise or ())


Part = Step | WaitUntil | Together | Choice


class UnforeseenCase(LookupError):
    """A fact was read that its own definition rules out."""


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


def wait(of: Step | Gate | Return, attempt: int) -> timedelta:
    """How long try number `attempt` (from 1) waits for its answer."""
    grown: timedelta = of.timeout * of.backoff ** min(attempt - 1, 10)
    return max(of.timeout, min(grown, LONGEST_WAIT))


def _says_attempt(refusal: type[Message] | None) -> bool:
    return is_dataclass(refusal) and "attempt" in {each.name for each in fields(refusal)}


def _listed(values: tuple[Hashable, ...] | list[Hashable]) -> str:
    return " or ".join(str(value) for value in values)
