"""Replication's table: when each event was first heard, so that a replayed log gives the same copies."""

from __future__ import annotations

from typing import Final

from actors.store.session import Migration, Session

MIGRATIONS: Final = (
    Migration(
        "replication",
        1,
        (
            """CREATE TABLE replication_events (
                message_id TEXT PRIMARY KEY,
                at BIGINT NOT NULL
            ) WITHOUT ROWID""",
        ),
    ),
)


class ReplicationStore:
    """Reads and writes of Replication."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def first_heard(self, message_id: str, now: int) -> int:
        """When this event was heard for the first time: now, unless it was heard before."""
        sql = "INSERT INTO replication_events VALUES (?, ?) ON CONFLICT (message_id) DO NOTHING"
        if self._session.write(sql, (message_id, now)):
            return now
        row = self._session.one("SELECT at FROM replication_events WHERE message_id = ?", (message_id,))
        assert row is not None
        return int(row[0])
