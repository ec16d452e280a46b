"""Messages that the runtime itself sends and takes: failures, dead letters, drills, waiting clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.messaging.message import Command, Event, Reply, Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Reply):
    """The command could not be handled (a failure, not a refusal): it is in the dead letters with its cause."""

    failed_message_id: str
    failed_type: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy(Reply):
    """Nothing was done; send the same again after `retry_after_ms`."""

    retry_after_ms: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Await(Command):
    """Answer with an `Awaited` when one of these message types is logged for the payment, or stands already.

    Kept in memory alone: whoever waits asks again after a restart.
    """

    from_clients: ClassVar[bool] = True
    logged: ClassVar[bool] = False

    payment_id: str
    types: tuple[str, ...]
    client: str = ""  # who is told; "": whoever sent this


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited(Reply):
    """The message that was waited for: its type's name, and the status that goes with it (or "")."""

    payment_id: str
    type: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDeadLetters(Command):
    """Deliver these dead letters again: those of `ids`, or of one `cause`, or (neither) all of them.

    They go at the pace that the services' budgets of retries allow. Answered by `DeadLettersDone`.
    """

    from_clients: ClassVar[bool] = True

    ids: tuple[str, ...] = ()
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropDeadLetter(Command):
    """Give a dead letter up, for `reason`. Answered by `DeadLettersDone`."""

    from_clients: ClassVar[bool] = True

    id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersDone(Reply):
    """How many dead letters were taken up for a retry or dropped; `error` is a sentence where none could be.

    `waiting`: how many of the cell's letters are still to be delivered again.
    """

    count: int
    error: str = ""
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KillActor(Command):
    """A fault drill: end the actor of this name at once. Answered by `ActorKilled`."""

    from_clients: ClassVar[bool] = True

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorKilled(Reply):
    """The actor is gone (supervision brings it back); with `found` false there was none of that name."""

    name: str
    found: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesSeen(Tick):
    """Lines of the log of the cell that sends it, for an observer in another one; packed by `actors.runtime.lines`."""

    logged: ClassVar[bool] = False

    lines: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMigrated(Event):
    """A person has moved an orchestrated payment to another version of its workflow."""

    by_person: ClassVar[bool] = True
    unheard: ClassVar[str] = "it is for people to see, in the payment's timeline"

    payment_id: str
    workflow: str
    version: int
    before: str  # the version that it ran until now, as NAME@V
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentPaused(Event):
    """A person has paused the payment: every cell knows it, and puts reactions to its events aside."""

    unheard: ClassVar[str] = "people see it in the timeline; the payment itself just waits"
    by_person: ClassVar[bool] = True

    payment_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentResumed(Event):
    """It goes on: what was put aside is taken in order."""

    unheard: ClassVar[str] = "people see it in the timeline; what was put aside goes on by itself"
    by_person: ClassVar[bool] = True

    payment_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRetried(Event):
    """A person wants done at once what waits for another try: parked messages, dead letters, a word of the bank."""

    by_person: ClassVar[bool] = True

    payment_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseTarget(Command):
    """Put aside what would go to a service, or to the rail behind `service`. Every cell is told; `TargetStanding`."""

    from_clients: ClassVar[bool] = True
    by_person: ClassVar[bool] = True

    kind: str  # service or rail
    name: str
    by: str = ""
    reason: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeTarget(Command):
    """Let what was put aside go there, in order. Every cell is told; answered by `TargetStanding`."""

    from_clients: ClassVar[bool] = True
    by_person: ClassVar[bool] = True

    kind: str
    name: str
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStanding(Reply):
    """Whether it is paused in this cell. `done`: the pause's words, "" where it was not paused; `error`: a refusal."""

    kind: str
    name: str
    paused: bool
    done: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePaused(Reply):
    """Nothing was done: a person has paused the service; `error` is the sentence to show."""

    service: str
    error: str
