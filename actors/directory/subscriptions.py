"""Who gets which event: reactions declared in code and subscriptions made by message, with their offsets."""

from __future__ import annotations

from collections.abc import Mapping

from actors.directory.reaction import ANY_ORDER, On, Reactions
from actors.messaging.message import Message
from actors.store.session import Migration, Session

MIGRATIONS = (
    Migration(
        "directory",
        1,
        (
            # source: 'code' (a reaction), 'message' (a Subscribe); inactive rows remember who once reacted
            "CREATE TABLE subscriptions (subscriber TEXT NOT NULL, event_type TEXT NOT NULL, source TEXT NOT NULL,"
            " active INTEGER NOT NULL, since_offset INTEGER NOT NULL, PRIMARY KEY (subscriber, event_type))"
            " WITHOUT ROWID",
            # only subscribers that are behind the log's end have a row: all others have read everything
            "CREATE TABLE readers (subscriber TEXT PRIMARY KEY, next_offset INTEGER NOT NULL) WITHOUT ROWID",
        ),
    ),
)

Route = tuple[str, On | None]  # a subscriber, and its reaction; None: it handles the event itself


class Subscriptions:
    """The directory's table, in memory for the turn and in the store for ever.

    `lagging` maps a subscriber that is reading the log to the next offset it will read; it gets nothing
    directly until it has reached the end.
    """

    def __init__(self, session: Session, reactions: Mapping[str, Reactions]) -> None:
        self._session = session
        self._reactions = reactions
        self._active: dict[str, dict[str, str]] = {}  # event type -> subscriber -> source
        self._routes: dict[tuple[type[Message], str, str], tuple[tuple[Route, ...], str | None]] = {}
        self.lagging: dict[str, int] = {}

    def open(self, end: int) -> None:
        """Bring the table in line with the code: new reactions start at the log's `end`, removed ones are remembered.

        A reaction that was unsubscribed by message stays out until somebody subscribes it again.
        """
        in_code = {
            (name, on.event.__name__) for name, order in self._reactions.items() for ons in order.values() for on in ons
        }
        rows = {(row[0], row[1]): row[2:] for row in self._session.all("SELECT * FROM subscriptions")}
        for subscriber, event_type in sorted(in_code - set(rows)):
            self._put(subscriber, event_type, "code", active=True, since=end)
        for (subscriber, event_type), (source, active, _) in rows.items():
            if source == "code" and active and (subscriber, event_type) not in in_code:
                self._put(subscriber, event_type, "removed", active=False, since=end)
            elif source == "removed" and (subscriber, event_type) in in_code:
                self._put(subscriber, event_type, "code", active=True, since=end)
        self.look()

    def look(self) -> None:
        """Read the table: at the start, and after an abandoned turn."""
        self._routes = {}
        self._active = {}
        for subscriber, event_type, source in self._session.all(
            "SELECT subscriber, event_type, source FROM subscriptions WHERE active ORDER BY subscriber"
        ):
            self._active.setdefault(event_type, {})[subscriber] = source
        self.lagging = dict(self._session.all("SELECT subscriber, next_offset FROM readers"))

    def routes(self, event: type[Message], flow: str, workflow: str) -> tuple[tuple[Route, ...], str | None]:
        """Who gets an event of this type, flow and order of steps; and the progress that its reactions mean."""
        key = (event, flow, workflow)
        found = self._routes.get(key)
        if found is None:
            found = self._routes[key] = self._find(event, flow, workflow)
        return found

    def reactions_of(self, subscriber: str, event: type[Message], flow: str, workflow: str) -> list[On]:
        """What `subscriber` does on an event that it has got, by its code, whether it still subscribes or not."""
        declared = self._reactions.get(subscriber, {})
        return [
            on
            for order in ((workflow, ANY_ORDER) if workflow != ANY_ORDER else (ANY_ORDER,))
            for on in declared.get(order, ())
            if on.event is event and (flow in on.flows or not flow)
        ]

    def subscribe(self, subscriber: str, event_types: tuple[str, ...], from_offset: int | None, end: int) -> None:
        """Deliver these types to `subscriber`, from `from_offset` or from the log's `end` on.

        Those that it gets already stay as they are: who sends this twice is not told everything twice.
        """
        since = end if from_offset is None else max(1, min(from_offset, end))
        missing = [name for name in event_types if subscriber not in self._active.get(name, ())]
        for event_type in missing:
            source = "code" if self._declared(subscriber, event_type) else "message"
            self._put(subscriber, event_type, source, active=True, since=since)
        if missing and from_offset is not None and from_offset < end:
            self.replay(subscriber, from_offset, end)
        self._refresh()

    def unsubscribe(self, subscriber: str, event_types: tuple[str, ...], end: int) -> None:
        """Deliver these types to `subscriber` no more; the row stays and remembers that it once did, and since when.

        Saying it again changes nothing: whoever subscribes it again reads on from the first time.
        """
        for event_type in event_types:
            row = self._session.one(
                "SELECT active FROM subscriptions WHERE subscriber = ? AND event_type = ?", (subscriber, event_type)
            )
            if row is not None and not row[0]:
                continue
            self._put(subscriber, event_type, "unsubscribed", active=False, since=end)
        self._refresh()

    def replay(self, subscriber: str, from_offset: int, end: int) -> None:
        """Let `subscriber` read the log again, beginning with `from_offset` (at the latest with the log's `end`)."""
        next_offset = max(1, min(from_offset, end))
        self._session.write(
            "INSERT INTO readers VALUES (?, ?) ON CONFLICT (subscriber) DO UPDATE"
            " SET next_offset = excluded.next_offset",
            (subscriber, next_offset),
        )
        self.lagging[subscriber] = next_offset

    def advance(self, subscriber: str, next_offset: int, end: int) -> None:
        """A lagging subscriber has read up to `next_offset`; at the log's `end` it is live again."""
        if next_offset >= end:
            self.lagging.pop(subscriber, None)
            self._session.write("DELETE FROM readers WHERE subscriber = ?", (subscriber,))
        else:
            self.replay(subscriber, next_offset, end)

    def types_of(self, subscriber: str) -> tuple[str, ...]:
        """The event types that `subscriber` gets."""
        return tuple(sorted(kind for kind, subscribers in self._active.items() if subscriber in subscribers))

    def missing(self, event_type: str, workflow: str) -> tuple[str, ...]:
        """Subscribers that once reacted to this type (in this order of steps) and don't now, or lag behind it."""
        gone = self._session.all(
            "SELECT subscriber FROM subscriptions WHERE event_type = ? AND NOT active ORDER BY subscriber",
            (event_type,),
        )
        late = [name for name in self.lagging if name in self._active.get(event_type, ())]
        return tuple(
            name
            for name in [row[0] for row in gone] + late
            if not self._declared(name, event_type) or self._reacts(name, event_type, workflow)
        )

    def _find(self, event: type[Message], flow: str, workflow: str) -> tuple[tuple[Route, ...], str | None]:
        routes: list[Route] = []
        reached: list[str] = []
        for subscriber, source in self._active.get(event.__name__, {}).items():
            matching = self.reactions_of(subscriber, event, flow, workflow)
            routes += [(subscriber, on) for on in matching]
            if not matching and source == "message":
                routes.append((subscriber, None))
            reached += [on.command.progress for on in matching if on.command.progress is not None]
        return tuple(routes), (reached[0] if reached else event.progress)

    def _declared(self, subscriber: str, event_type: str) -> bool:
        orders = self._reactions.get(subscriber, {}).values()
        return any(on.event.__name__ == event_type for ons in orders for on in ons)

    def _reacts(self, subscriber: str, event_type: str, workflow: str) -> bool:
        orders = self._reactions.get(subscriber, {})
        return any(on.event.__name__ == event_type for order in (workflow, ANY_ORDER) for on in orders.get(order, ()))

    def _put(self, subscriber: str, event_type: str, source: str, *, active: bool, since: int) -> None:
        self._session.write(
            "INSERT INTO subscriptions VALUES (?, ?, ?, ?, ?) ON CONFLICT (subscriber, event_type) DO UPDATE"
            " SET source = excluded.source, active = excluded.active, since_offset = excluded.since_offset",
            (subscriber, event_type, source, int(active), since),
        )

    def _refresh(self) -> None:
        lagging = self.lagging
        self.look()
        self.lagging = lagging
