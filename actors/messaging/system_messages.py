"""Messages that the runtime itself sends and takes: failures, dead letters, drills, waiting clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.messaging.message import Command, Reply, Tick


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
    """Deliver these dead letters again (`ids` empty: the oldest, some hundreds). Answered by `DeadLettersDone`."""

    from_clients: ClassVar[bool] = True

    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DropDeadLetter(Command):
    """Give a dead letter up, for `reason`. Answered by `DeadLettersDone`."""

    from_clients: ClassVar[bool] = True

    id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersDone(Reply):
    """How many dead letters were retried or dropped; `error` is a sentence where none could be."""

    count: int
    error: str = ""


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
