"""The Tracker's tables: a row for each payment, a number for each status. No rule about what they mean.

`rare` repeats the statuses that few payments have, so that an index finds them and costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from actors.messaging.codec import micros, moment
from actors.runtime.lines import pack_record, unpack_record
from actors.runtime.service import Record
from actors.store.session import Migration, Session
from actors.tracker.model import RARE, Standing
from actors.vocabulary.order import PaymentOrder

MIGRATIONS: Final = (
    Migration(
        "tracker",
        1,
        (
            """CREATE TABLE tracker_payments (
                payment_id TEXT PRIMARY KEY,
                status TEXT NOT NULL,
                rare TEXT,
                reason TEXT,
                reason_text TEXT NOT NULL,
                last_type TEXT NOT NULL,
                last_event TEXT NOT NULL,
                reached TEXT NOT NULL,
                updated_at BIGINT NOT NULL,
                deadline BIGINT,
                flow TEXT NOT NULL,
                workflow TEXT NOT NULL,
                workflow_version INTEGER NOT NULL,
                created_at BIGINT NOT NULL,
                amount BIGINT NOT NULL,
                currency TEXT NOT NULL,
                debtor_account TEXT NOT NULL,
                creditor_name TEXT NOT NULL,
                creditor_account TEXT NOT NULL,
                creditor_country TEXT,
                creditor_email TEXT,
                creditor_date_of_birth TEXT,
                idempotency_key TEXT NOT NULL,
                end_to_end_id TEXT NOT NULL,
                uetr TEXT NOT NULL,
                remittance TEXT NOT NULL,
                batch_id TEXT
            ) WITHOUT ROWID""",
            "CREATE INDEX tracker_deadlines ON tracker_payments (deadline) WHERE deadline IS NOT NULL",
            "CREATE INDEX tracker_rare ON tracker_payments (rare) WHERE rare IS NOT NULL",
            "CREATE INDEX tracker_batches ON tracker_payments (batch_id) WHERE batch_id IS NOT NULL",
            """CREATE TABLE tracker_counts (
                status TEXT PRIMARY KEY,
                payments BIGINT NOT NULL
            ) WITHOUT ROWID""",
        ),
    ),
    Migration(
        "tracker",
        2,
        (
            # the moment of the newest line that said something of the status: what comes later and is older, from
            # another cell, says nothing any more
            "ALTER TABLE tracker_payments ADD COLUMN told_at BIGINT NOT NULL DEFAULT 0",
            # other cells' lines that came before any that tells the payment's order
            """CREATE TABLE tracker_early (
                payment_id TEXT NOT NULL,
                at BIGINT NOT NULL,
                line BLOB NOT NULL
            )""",
            "CREATE INDEX tracker_early_payments ON tracker_early (payment_id)",
        ),
    ),
)

_INSERT: Final = "INSERT INTO tracker_payments VALUES (" + ", ".join("?" * 28) + ")"
_UPDATE: Final = """UPDATE tracker_payments SET status = ?, rare = ?, reason = ?, reason_text = ?,
    last_type = ?, last_event = ?, reached = ?, updated_at = coalesce(?, updated_at), deadline = ?, told_at = ?
    WHERE payment_id = ?"""
_COUNT: Final = """INSERT INTO tracker_counts VALUES (?, ?)
    ON CONFLICT (status) DO UPDATE SET payments = tracker_counts.payments + excluded.payments"""
_STANDING: Final = "payment_id, flow, workflow, status, reason, reason_text, last_type, last_event, reached"
_STANDINGS: Final = f"""SELECT told_at, {_STANDING}
    FROM tracker_payments WHERE payment_id IN ({{}})"""
_SIZES: Final = (1, 8, 64, 512)  # a few fixed lengths, so that few statements are prepared
_STANDINGS_OF: Final = {size: _STANDINGS.format(", ".join("?" * size)) for size in _SIZES}
_OVERDUE: Final = f"""SELECT {_STANDING}, updated_at, deadline
    FROM tracker_payments WHERE deadline <= ? ORDER BY deadline LIMIT ?"""


class Known(NamedTuple):
    """A payment that has a row: where it stands, who drives it, and when it was last told."""

    told_at: int
    flow: str
    workflow: str
    standing: Standing


class Overdue(NamedTuple):
    """A payment whose deadline has passed; `waited_seconds` is how long it was given."""

    payment_id: str
    flow: str
    workflow: str
    standing: Standing
    waited_seconds: float


class Writes:
    """A turn's rows, and by how much each status's number changes; `waiting`: some row has a deadline."""

    __slots__ = ("changed", "counts", "new", "waiting")

    def __init__(self) -> None:
        self.new: list[tuple[object, ...]] = []
        self.changed: list[tuple[object, ...]] = []
        self.counts: dict[str, int] = {}
        self.waiting = False

    def add(self, order: PaymentOrder, standing: Standing, moved_at: int, deadline: int | None, told_at: int) -> None:
        """A payment that has no row yet."""
        status, reason, reason_text, last_type, last_event, reached, _, _ = standing
        creditor, amount = order.creditor, order.amount
        rare = status if status in RARE else None
        self.new.append((
            order.payment_id, status, rare, reason, reason_text, last_type, last_event, reached, moved_at,
            deadline, order.flow, order.workflow, order.workflow_version, micros(order.created_at), amount.amount,
            amount.currency, order.debtor_account, creditor.name, creditor.account, creditor.country,
            creditor.email, creditor.date_of_birth, order.idempotency_key, order.end_to_end_id, order.uetr,
            order.remittance, order.batch_id, told_at,
        ))  # fmt: skip
        self.counts[status] = self.counts.get(status, 0) + 1
        if deadline is not None:
            self.waiting = True

    def change(
        self,
        payment_id: str,
        before: Standing,
        after: Standing,
        moved_at: int | None,
        deadline: int | None,
        told_at: int,
    ) -> None:
        """A payment whose row stands; without `moved_at` it has not moved."""
        status, reason, reason_text, last_type, last_event, reached, _, _ = after
        rare = status if status in RARE else None
        self.changed.append(
            (
                status,
                rare,
                reason,
                reason_text,
                last_type,
                last_event,
                reached,
                moved_at,
                deadline,
                told_at,
                payment_id,
            )
        )
        if status != before.status:
            self.counts[status] = self.counts.get(status, 0) + 1
            self.counts[before.status] = self.counts.get(before.status, 0) - 1
        if deadline is not None:
            self.waiting = True


class TrackerStore:
    """Reads and writes of the Tracker; moments are microseconds since 1970."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def known(self, payment_ids: Iterable[str]) -> dict[str, Known]:
        """Those of `payment_ids` that have a row."""
        ids = list(payment_ids)
        found: dict[str, Known] = {}
        largest = _SIZES[-1]
        for start in range(0, len(ids), largest):
            part = ids[start : start + largest]
            size = next(size for size in _SIZES if size >= len(part))
            part.extend([""] * (size - len(part)))
            for told_at, payment_id, flow, workflow, *standing in self._session.all(_STANDINGS_OF[size], part):
                found[payment_id] = Known(told_at, flow, workflow, Standing(*standing))
        return found

    def write(self, writes: Writes) -> None:
        """Write a turn's rows, and bring the numbers of each status up to date."""
        if writes.new:
            self._session.write_many(_INSERT, writes.new)
        if writes.changed:
            self._session.write_many(_UPDATE, writes.changed)
        moved = [(status, by) for status, by in writes.counts.items() if by]
        if moved:
            self._session.write_many(_COUNT, moved)

    def migrate(self, payment_id: str, workflow: str, version: int) -> None:
        """The payment runs another version of its workflow from now on."""
        self._session.write(
            "UPDATE tracker_payments SET workflow = ?, workflow_version = ? WHERE payment_id = ?",
            (workflow, version, payment_id),
        )

    def overdue(self, now: int, limit: int) -> list[Overdue]:
        """Payments whose deadline has passed, the longest overdue first."""
        return [
            Overdue(payment_id, flow, workflow, Standing(*standing), (deadline - updated_at) / 1_000_000)
            for payment_id, flow, workflow, *standing, updated_at, deadline in self._session.all(_OVERDUE, (now, limit))
        ]

    def forget_deadlines(self, payment_ids: Iterable[str]) -> None:
        """These payments are waited for no more."""
        rows = [(payment_id,) for payment_id in payment_ids]
        self._session.write_many("UPDATE tracker_payments SET deadline = NULL WHERE payment_id = ?", rows)

    def postpone(self, payment_ids: Iterable[str], until: int) -> None:
        """These payments may stand still until then."""
        rows = [(until, payment_id) for payment_id in payment_ids]
        self._session.write_many("UPDATE tracker_payments SET deadline = ? WHERE payment_id = ?", rows)

    def prolong_deadlines(self, by: int) -> None:
        """Nobody could move while the cell was down: every deadline is later by so much."""
        self._session.write("UPDATE tracker_payments SET deadline = deadline + ? WHERE deadline IS NOT NULL", (by,))

    def next_deadline(self) -> datetime | None:
        """The earliest deadline, or None where no payment has one."""
        row = self._session.one("SELECT min(deadline) FROM tracker_payments WHERE deadline IS NOT NULL")
        return None if row is None or row[0] is None else moment(row[0])

    def keep_early(self, payment_id: str, records: Iterable[Record]) -> None:
        """Keep lines of a payment of which no order is known yet."""
        rows = [(payment_id, micros(record.at), pack_record(record)) for record in records]
        self._session.write_many("INSERT INTO tracker_early VALUES (?, ?, ?)", rows)

    def has_early(self) -> bool:
        """Whether any line is kept."""
        return self._session.one("SELECT 1 FROM tracker_early LIMIT 1") is not None

    def take_early(self, payment_id: str) -> list[Record]:
        """The lines kept for a payment whose order is known now; they are kept no longer."""
        rows = self._session.all("SELECT line FROM tracker_early WHERE payment_id = ?", (payment_id,))
        if rows:
            self._session.write("DELETE FROM tracker_early WHERE payment_id = ?", (payment_id,))
        return [unpack_record(row[0]) for row in rows]

    def forget_early(self, before: int) -> None:
        """No order has come for lines as old as this: they are about a payment that never was, a mistyped id."""
        self._session.write("DELETE FROM tracker_early WHERE at < ?", (before,))
