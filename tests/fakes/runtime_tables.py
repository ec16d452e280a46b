"""An empty store with the runtime's own tables, for tests of one of its parts; and messages to put into it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from actors.messaging.codec import register
from actors.messaging.envelope import COMMAND, Envelope
from actors.messaging.message import Command, Event, Task, Tick
from actors.runtime.core import RUNTIME_MIGRATIONS
from actors.store.sqlite import SqliteSession

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Say(Command):
    """A command."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Event):
    """An event."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind(Tick):
    """What a timer brings."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Carve(Task):
    """Work for outside."""

    text: str


register(Say, Said, Remind, Carve)


def runtime_store() -> SqliteSession:
    """In memory, with a transaction open."""
    session = SqliteSession.in_memory()
    session.migrate(RUNTIME_MIGRATIONS)
    session.begin()
    return session


def saying(text: str, *, payment_id: str = "", message_id: str = "") -> Envelope:
    """An envelope around `Say`."""
    return Envelope(message_id or f"m-{text}", Say(text=text), COMMAND, "sender", "speaker", payment_id)
