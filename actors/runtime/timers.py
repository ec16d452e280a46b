"""Durable timers: set and cancelled in a turn, written at its end; one row each, found by when they are due."""

from __future__ import annotations

from datetime import datetime, timedelta

from actors.messaging.codec import envelope_from, micros, moment, pack, unpack
from actors.messaging.envelope import Envelope
from actors.store.session import Migration, Session

MIGRATIONS = (
    Migration(
        "timers",
        1,
        (
            "CREATE TABLE timers (owner TEXT NOT NULL, key TEXT NOT NULL, due INTEGER NOT NULL,"
            " prolonged INTEGER NOT NULL, envelope BLOB NOT NULL, PRIMARY KEY (owner, key)) WITHOUT ROWID",
            "CREATE INDEX timers_due ON timers (due)",
        ),
    ),
)


class Timers:
    """A turn's changes to the timers, and those that are due."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._changes: dict[tuple[str, str], tuple[datetime, Envelope] | None] = {}
        self._held_until: datetime | None = None
        self.next_due: datetime | None = None

    def change(self, owner: str, key: str, due: datetime | None, envelope: Envelope) -> None:
        """Set (or with `due` None cancel) a timer within this turn; the last word counts."""
        self._changes[owner, key] = None if due is None else (due, envelope)

    def write(self) -> None:
        """Store the turn's changes; called once, before the commit."""
        if not self._changes:
            return
        gone = [name for name, change in self._changes.items() if change is None]
        set_ = [
            (owner, key, micros(change[0]), type(change[1].message).prolonged, pack(change[1]))  # type: ignore[attr-defined]
            for (owner, key), change in self._changes.items()
            if change is not None
        ]
        self._changes = {}
        if gone:
            self._session.write_many("DELETE FROM timers WHERE owner = ? AND key = ?", gone)
        if set_:
            self._session.write_many(
                "INSERT INTO timers VALUES (?, ?, ?, ?, ?) ON CONFLICT (owner, key) DO UPDATE"
                " SET due = excluded.due, prolonged = excluded.prolonged, envelope = excluded.envelope",
                set_,
            )
        self.look()

    def look(self) -> None:
        """Read when the next timer is due."""
        row = self._session.one("SELECT due FROM timers ORDER BY due LIMIT 1")
        due = moment(row[0]) if row else None
        self.next_due = due if due is None or self._held_until is None else max(due, self._held_until)

    def hold_until(self, until: datetime) -> None:
        """Let none fire before `until`, overdue or not (inside a transaction: it reads)."""
        self._held_until = until
        self.look()

    def take_due(self, now: datetime, limit: int) -> list[Envelope]:
        """Remove and return up to `limit` timers that are due, the oldest first."""
        return self.take(self.due(now, limit))

    def due(self, now: datetime, limit: int) -> list[tuple[str, str]]:
        """Owner and key of up to `limit` timers that are due, the oldest first; they stay."""
        if self.next_due is None or self.next_due > now:
            return []
        rows = self._session.all(
            "SELECT owner, key FROM timers WHERE due <= ? ORDER BY due LIMIT ?", (micros(now), limit)
        )
        return [(owner, key) for owner, key in rows]

    def take(self, names: list[tuple[str, str]]) -> list[Envelope]:
        """Remove and return these timers; those that have been cancelled meanwhile are left out."""
        if not names:
            return []
        found = []
        for owner, key in names:
            row = self._session.one("SELECT due, envelope FROM timers WHERE owner = ? AND key = ?", (owner, key))
            if row is not None:
                found.append(envelope_from(unpack(row[1]))._replace(message_id=f"timer/{owner}/{key}/{row[0]}"))
        self._session.write_many("DELETE FROM timers WHERE owner = ? AND key = ?", names)
        self.look()
        return found

    def forget(self) -> None:
        """The turn was abandoned: its changes never happened."""
        self._changes = {}

    def prolong(self, downtime: timedelta) -> None:
        """Put timers that measure how long somebody else takes off by the time that nobody could work."""
        self._session.write("UPDATE timers SET due = due + ? WHERE prolonged", (int(downtime.total_seconds() * 1e6),))
        self.look()
