"""The BroadcastDirectory: subscriptions by message while the system runs, replay, who is there."""

from __future__ import annotations

from actors.directory.messages import Replay, Subscribe, Subscribed, SubscriptionRefused, Unsubscribe
from actors.directory.subscriptions import Subscriptions
from actors.messaging.codec import type_names
from actors.messaging.message import Event
from actors.runtime.service import CellContext, Service, Turn


class BroadcastDirectory(Service):
    """Knows which subscriber gets what; what is published passes its table, one log for all."""

    name = "directory"

    def prepare(self, context: CellContext) -> None:
        """Its table is the runtime's own: publishing looks things up there."""
        self.subscriptions: Subscriptions = context.resources["subscriptions"]
        self.known = context.resources["actor_names"]
        self.end = context.resources["log_end"]
        self.replayable = context.resources["replayable"]

    def subscribe(self, command: Subscribe, turn: Turn) -> None:
        """Add event types to what a subscriber gets."""
        unknown = [name for name in command.event_types if not _is_event(name)]
        if unknown:
            return self._refuse(command.subscriber, f"no event is called {', '.join(unknown)}", turn)
        if not self.known(command.subscriber):
            return self._refuse(command.subscriber, f"no actor is called {command.subscriber}", turn)
        self.subscriptions.subscribe(command.subscriber, command.event_types, command.from_offset, self.end())
        return self._tell(command.subscriber, turn)

    def unsubscribe(self, command: Unsubscribe, turn: Turn) -> None:
        """Take event types from what a subscriber gets."""
        self.subscriptions.unsubscribe(command.subscriber, command.event_types, self.end())
        self._tell(command.subscriber, turn)

    def replay(self, command: Replay, turn: Turn) -> None:
        """Let a subscriber read the log again."""
        if not self.known(command.subscriber):
            return self._refuse(command.subscriber, f"no actor is called {command.subscriber}", turn)
        if not (self.subscriptions.types_of(command.subscriber) or command.subscriber in self.replayable):
            return self._refuse(command.subscriber, f"{command.subscriber} subscribes to nothing", turn)
        self.subscriptions.replay(command.subscriber, command.from_offset, self.end())
        return self._tell(command.subscriber, turn)

    def _tell(self, subscriber: str, turn: Turn) -> None:
        offset = self.subscriptions.lagging.get(subscriber, self.end())
        types = self.subscriptions.types_of(subscriber)
        turn.answer(Subscribed(subscriber=subscriber, event_types=types, offset=offset))

    def _refuse(self, subscriber: str, error: str, turn: Turn) -> None:
        turn.answer(SubscriptionRefused(subscriber=subscriber, error=error))

    handlers = {Subscribe: subscribe, Unsubscribe: unsubscribe, Replay: replay}


def _is_event(name: str) -> bool:
    cls = type_names.get(name)
    return cls is not None and issubclass(cls, Event)
