"""What the BroadcastDirectory takes and says: subscriptions by message, replay, failed reactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.messaging.message import Command, Event, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe(Command):
    """Deliver events of these types to `subscriber` (an actor's name) from now on, or from `from_offset`.

    Repeating it changes nothing. Answered by `Subscribed` or `SubscriptionRefused`.
    """

    from_clients: ClassVar[bool] = True

    subscriber: str
    event_types: tuple[str, ...]
    from_offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe(Command):
    """Deliver events of these types no more; the directory remembers that it once did. Answered by `Subscribed`."""

    from_clients: ClassVar[bool] = True

    subscriber: str
    event_types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay(Command):
    """Deliver the log to `subscriber` again from `from_offset`. Answered by `Subscribed` or `SubscriptionRefused`."""

    from_clients: ClassVar[bool] = True

    subscriber: str
    from_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed(Reply):
    """The subscription as it stands; `offset` is the next position it will read."""

    subscriber: str
    event_types: tuple[str, ...]
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRefused(Reply):
    """The subscription can't be had; `error` is the sentence to show."""

    subscriber: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionFailed(Event):
    """A reaction ended in the dead letters: the payment stands still until the letter is retried."""

    progress: ClassVar[str | None] = "needs_attention"

    subscriber: str
    event_type: str
    dead_letter_id: str
    cause: str
