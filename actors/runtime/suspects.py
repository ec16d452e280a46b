"""Which messages a process has ended on, and how often: kept in the store, so that the next process knows.

The cell runs one suspect a turn after a turn that never ended (`marker.py`); here is what it learns from that.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from actors.store.session import Migration
from actors.store.sqlite import SqliteSession

MIGRATIONS = (
    Migration(
        "suspects",
        1,
        # The one that was being run, so that a process that ends has said what on.
        ("CREATE TABLE suspect_in_hand (message_id TEXT PRIMARY KEY) WITHOUT ROWID",),
    ),
)

FORGIVEN_AFTER: Final = timedelta(minutes=10)  # of one process's life: longer than any retry or resend takes


class Suspects:
    """`blamed` is what the process before this one ended on; `condemned` are not handled any more."""

    def __init__(self, session: SqliteSession, limit: int) -> None:
        self._session = session
        self._limit = limit
        self._forgive_at: datetime | None = None
        self.blamed = ""
        self.condemned: set[str] = set()

    def open(self, now: datetime) -> None:
        """Read what is known, in the transaction that recovers the cell."""
        session = self._session
        row = session.one("SELECT message_id FROM suspect_in_hand")
        if row:
            self.blamed = str(row[0])
            session.write("DELETE FROM suspect_in_hand")
        self.condemned = {
            each[0] for each in session.all("SELECT message_id FROM suspects WHERE deaths > ?", (self._limit,))
        }
        if session.one("SELECT 1 FROM suspects WHERE deaths <= ?", (self._limit,)):
            self._forgive_at = now + FORGIVEN_AFTER

    def accuse(self, suspect: str) -> int:
        """Count a death of this message before it is run, committed; how many there are with this one."""
        session = self._session
        session.begin()
        session.write(
            "INSERT INTO suspects VALUES (?, 1) ON CONFLICT (message_id) DO UPDATE SET deaths = deaths + 1", (suspect,)
        )
        row = session.one("SELECT deaths FROM suspects WHERE message_id = ?", (suspect,))
        deaths = int(row[0]) if row else 1
        session.write("DELETE FROM suspect_in_hand")
        if deaths <= self._limit:
            session.write("INSERT INTO suspect_in_hand VALUES (?)", (suspect,))
        session.commit()
        return deaths

    def acquit(self, suspect: str) -> None:
        """The process has outlived this message, or it can't come again."""
        session = self._session
        session.begin()
        session.write("DELETE FROM suspects WHERE message_id = ?", (suspect,))
        session.write("DELETE FROM suspect_in_hand")
        session.commit()

    def forgive(self, now: datetime) -> None:
        """Forget the counts of messages that never came again, once the process has lived long; between turns.

        Who was killed by a drill while it was at work has nothing to do with the drill of the next month.
        """
        if self._forgive_at is None or now < self._forgive_at:
            return
        self._forgive_at = None
        self._session.begin()
        self._session.write("DELETE FROM suspects WHERE deaths <= ?", (self._limit,))
        self._session.commit()

    def forget_all(self) -> None:
        """An orderly end, as before an upgrade: the condemned may be tried again."""
        self._session.begin()
        self._session.write("DELETE FROM suspects")
        self._session.write("DELETE FROM suspect_in_hand")
        self._session.commit()
