"""Links between cells: numbered envelopes per sender and receiver, stored until the receiver has committed them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from actors.messaging.codec import micros, pack
from actors.messaging.envelope import Envelope
from actors.messaging.frames import LINK, FrameContent, join_frame
from actors.store.session import Migration, Reader, Session

MIGRATIONS = (
    Migration(
        "links",
        1,
        (
            "CREATE TABLE links_out (peer TEXT NOT NULL, number INTEGER NOT NULL, envelope BLOB NOT NULL,"
            " PRIMARY KEY (peer, number)) WITHOUT ROWID",
            # the last number given out or taken in, per peer; an emptied outbox must not start again at 1
            "CREATE TABLE links_state (peer TEXT PRIMARY KEY, last_out INTEGER NOT NULL, last_in INTEGER NOT NULL)"
            " WITHOUT ROWID",
        ),
    ),
    Migration(
        "links",
        2,
        # the moment of the newest frame that was taken from the peer: after a restart it is later than that, as before
        ("ALTER TABLE links_state ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0",),
    ),
)

FRAME_ENVELOPES: Final = 512
FRAME_BYTES: Final = 4 * 1024 * 1024  # a frame takes no further envelope beyond these
RESEND_AFTER: Final = timedelta(seconds=1)
LONGEST_RESEND: Final = timedelta(seconds=16)  # to a peer that has not been heard of for long


class Link:
    """This cell's end of the link with one peer. At most one frame is under way; unanswered, it is sent again."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.last_out = 0
        self.last_in = 0
        self.seen_at = 0  # the moment of the newest frame that was taken, in microseconds
        self.acknowledged = 0  # by the peer
        self.under_way: tuple[int, datetime] | None = None  # last number of the frame sent, and when
        self.resends = 0  # since the peer was last heard of
        self.owes_answer = False  # something was taken in that the peer has not been told

    def overdue_at(self) -> datetime | None:
        """When what is under way is to be sent again: the later, the oftener it was in vain."""
        if self.under_way is None:
            return None
        after: timedelta = min(LONGEST_RESEND, RESEND_AFTER * float(2 ** min(self.resends, 10)))
        return self.under_way[1] + after


class Links:
    """All links of a cell: what is stored, what may be sent now."""

    def __init__(self, session: Session, peers: list[str]) -> None:
        self._session = session
        self._links = {peer: Link(peer) for peer in peers}
        self._new: list[tuple[str, int, bytes]] = []
        self._touched: set[str] = set()
        self._deletions: list[tuple[str, int]] = []

    def open(self) -> None:
        """Read where each link stands; whatever the peer has not acknowledged will be sent again.

        Peers with whom there was something are told that this cell is there: they may be waiting to try again.
        """
        rows = self._session.all("SELECT peer, last_out, last_in, seen_at FROM links_state")
        for peer, last_out, last_in, seen_at in rows:
            if peer in self._links:
                link = self._links[peer]
                link.last_out, link.last_in, link.seen_at = last_out, last_in, seen_at
                row = self._session.one("SELECT min(number) FROM links_out WHERE peer = ?", (peer,))
                link.acknowledged = row[0] - 1 if row and row[0] is not None else last_out
                link.under_way = None
                link.owes_answer = True

    def add(self, peer: str, envelope: Envelope) -> None:
        """Send `envelope` to a peer, within this turn."""
        link = self._links[peer]
        link.last_out += 1
        self._touched.add(peer)
        self._new.append((peer, link.last_out, pack(envelope)))

    def acknowledge(self, peer: str, number: int) -> None:
        """The peer has committed everything up to `number`."""
        link = self._links.get(peer)
        if link is None:
            return
        link.resends = 0  # it is there
        if number <= link.acknowledged or number > link.last_out:
            return
        link.acknowledged = number
        if link.under_way is not None and number >= link.under_way[0]:
            link.under_way = None
        self._deletions.append((peer, number))

    def take(self, peer: str, content: FrameContent) -> list[Any]:
        """The envelopes (as fields) of a frame that have not been taken before; nothing after a gap."""
        link = self._links.get(peer)
        if link is None or not content.envelopes or content.number < 1:
            return []
        link.owes_answer = True
        known = link.last_in + 1 - content.number
        if known < 0:
            return []
        fresh = content.envelopes[known:]
        if fresh:
            link.last_in += len(fresh)
            link.seen_at = max(link.seen_at, content.at)
            self._touched.add(peer)
        return fresh

    def write(self) -> None:
        """Store the turn's changes; called once, before the commit."""
        if self._new:
            self._session.write_many("INSERT INTO links_out VALUES (?, ?, ?)", self._new)
        if self._deletions:
            self._session.write_many("DELETE FROM links_out WHERE peer = ? AND number <= ?", self._deletions)
        for peer in self._touched:
            link = self._links[peer]
            self._session.write(
                "INSERT INTO links_state (peer, last_out, last_in, seen_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (peer) DO UPDATE SET last_out = excluded.last_out, last_in = excluded.last_in,"
                " seen_at = excluded.seen_at",
                (peer, link.last_out, link.last_in, link.seen_at),
            )

    def committed(self) -> None:
        """The turn's changes are durable."""
        self._new, self._deletions, self._touched = [], [], set()

    def forget(self) -> None:
        """The turn was abandoned (inside a new transaction: it reads)."""
        self.committed()
        for link in self._links.values():
            link.last_out = link.last_in = link.acknowledged = link.seen_at = 0
            link.under_way = None
        self.open()

    def frames(self, now: datetime) -> list[tuple[str, bytes]]:
        """What may leave now (inside a transaction: it reads): new envelopes, resends, acknowledgements."""
        frames = []
        for peer, link in self._links.items():
            overdue_at = link.overdue_at()
            overdue = overdue_at is not None and now >= overdue_at
            rows: list[Any] = []
            if link.acknowledged < link.last_out and (link.under_way is None or overdue):
                rows = self._session.all(
                    "SELECT number, envelope FROM links_out WHERE peer = ? AND number > ? ORDER BY number LIMIT ?",
                    (peer, link.acknowledged, FRAME_ENVELOPES),
                )
            rows = _within(rows, FRAME_BYTES)
            if rows:
                link.resends += overdue
                link.under_way = (rows[-1][0], now)
            if rows or link.owes_answer:
                number = rows[0][0] if rows else 0
                envelopes = [row[1] for row in rows]
                frames.append((peer, join_frame(LINK, number, link.last_in, envelopes, micros(now))))
                link.owes_answer = False
        return frames

    def waiting(self) -> dict[str, int]:
        """How many envelopes each peer has not acknowledged."""
        return {peer: link.last_out - link.acknowledged for peer, link in self._links.items()}

    def next_due(self) -> datetime | None:
        """When the next unanswered frame wants to be sent again."""
        due = [at for link in self._links.values() if (at := link.overdue_at()) is not None]
        return min(due, default=None)


def later_than(reader: Reader) -> int:
    """The first moment, in microseconds, that is later than whatever has been taken from peers."""
    row = reader.one("SELECT max(seen_at) FROM links_state")
    return row[0] + 1 if row and row[0] else 0


def _within(rows: list[Any], limit: int) -> list[Any]:
    """The first rows whose envelopes take `limit` bytes together, at least one."""
    size = 0
    for at, (_, envelope) in enumerate(rows):
        size += len(envelope)
        if at and size > limit:
            return rows[:at]
    return rows
