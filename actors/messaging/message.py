"""The kinds of message; a message is a small frozen dataclass and knows nothing of how it travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Anything one actor tells another.

    `progress` is what an observer may say of the payment once this message is under way (`debiting`,
    `held`, `completed`, …), or None when it says nothing new. `logged` is False for what
    adds nothing to the payment's story. `from_clients` is True for what a client of the gateway may send: all else is
    said by actors alone. `starts_work` is True for what begins something new, and so is refused with `Busy` while there
    is too much to do already. `by_person` is True for what only a person wants, whichever actor passes it
    on. `codec_version` grows when a message changes in another way than by a field at its end:
    what was stored before then needs an upcaster (`codec.upcast`). `unheard` says why nobody reacts to an event,
    `undone_by` names the command that releases what a command holds: `workflow lint` asks. None of them is ever
    transmitted.
    """

    progress: ClassVar[str | None] = None
    logged: ClassVar[bool] = True
    from_clients: ClassVar[bool] = False
    starts_work: ClassVar[bool] = False
    by_person: ClassVar[bool] = False
    codec_version: ClassVar[int] = 1
    unheard: ClassVar[str] = ""
    undone_by: ClassVar[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Message):
    """An imperative to one service, which answers it.

    `answers` names the messages that it may be answered by, sooner or later: a workflow that sends it has to know what
    each of them means.
    """

    answers: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Message):
    """An answer to one command that nobody else may react to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Message):
    """A fact in the past tense, published through the directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Event):
    """What became of a command: its reply where it was commanded, published where it was a reaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Message):
    """What a durable timer delivers to the actor that set it.

    `prolonged`: it measures how long somebody else takes, so downtime of the system doesn't count.
    """

    prolonged: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Message):
    """Work for outside the turn: waits in an outbox until the commit, then goes to that outbox's worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Message):
    """What a worker outside the turn has to say; arrives like any other message."""
