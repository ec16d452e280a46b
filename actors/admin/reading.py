"""Reads of all cells put together: through read-only connections to their stores, never through the cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors.admin.command import CommandFailed
from actors.store.session import Reader
from actors.store.sqlite import SqliteReader
from actors.vocabulary.slots import BadId, slot_in

if TYPE_CHECKING:
    from actors.tracker.where import Condition

RATE_SECONDS: Final = 10
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # of ids, see actors.runtime.clock.Ids
_STUCK_SHOWN: Final = 5
_LISTED: Final = {  # where ids of a kind are found
    "payment": "; payments shows the latest",
    "case": "; see review list",
    "approval": "; see approvals list",
}
_PARTS: Final = 4_000  # newest parts of the log that a rate looks at


class Reading:
    """The stores of a data directory. Works whether the system runs or not; close it after use."""

    def __init__(self, data: Path, readers: dict[str, SqliteReader]) -> None:
        self.data = data
        self.readers = readers

    @classmethod
    def open(cls, data: Path) -> Reading:
        """Open every cell's store.

        Raises:
            CommandFailed: there is none yet.
            StoreRefused: one can't be read.
        """
        stores = [data / "cells" / cell / "store.db" for cell in cells_of(data)]
        if not stores:
            raise CommandFailed(
                f"nothing is stored in {data} yet; start a system there with: python system.py start --data {data}"
            )
        return cls(data, {path.parent.name: SqliteReader(path) for path in stores})

    def close(self) -> None:
        """Close the stores."""
        for reader in self.readers.values():
            reader.close()

    # Payments

    def payments(self, *, limit: int = 100, **conditions: Any) -> list[dict[str, Any]]:
        """Payments that meet every condition (those of `actors.tracker.queries.payments`), the newest first."""
        from actors.tracker import queries

        found = self._each(lambda reader: queries.payments(reader, limit=limit, **conditions))
        newest = sorted(found, key=lambda payment: str(payment["payment_id"]), reverse=True)[:limit]
        return self._with_pauses(newest)

    def payment_ids(self, where: Condition) -> list[str]:
        """The ids of all payments that meet a condition, in their order."""
        from actors.tracker import queries

        return sorted(each for reader in self.readers.values() for each in queries.ids(reader, where))

    def payments_summary(self, where: Condition) -> list[dict[str, Any]]:
        """Number and sum of the payments that meet a condition, for each status, reason, flow and currency."""
        from actors.tracker import queries

        return queries.together(queries.summary(reader, where) for reader in self.readers.values())

    def stuck(self, now: datetime | None = None) -> dict[str, Any]:
        """How many payments are stuck, for which reasons, and those that have been for longest."""
        from actors.tracker import queries

        now = now or datetime.now(UTC)
        by_reason: Counter[str] = Counter()
        for reader in self.readers.values():
            by_reason.update(queries.stuck_by_reason(reader, now))
        sample = self._each(lambda reader: queries.longest_stuck(reader, now, _STUCK_SHOWN))
        sample.sort(key=lambda payment: str(payment["since"]))
        return {
            "count": by_reason.total(),
            "by_reason": dict(by_reason.most_common()),
            "sample": sample[:_STUCK_SHOWN],
        }

    def payment(self, payment_id: str) -> dict[str, Any] | None:
        """One payment with its timeline, or None."""
        from actors.directory import queries
        from actors.messaging.discovery import register_messages

        payment = self.payment_without_timeline(payment_id)
        if payment is None:
            return None
        register_messages()
        timeline = self._each(lambda reader: queries.timeline(reader, payment_id))
        return payment | {"timeline": sorted(timeline, key=lambda entry: str(entry["at"]))}

    def payment_without_timeline(self, payment_id: str) -> dict[str, Any] | None:
        """One payment with what it gives back, if it is a refund, and the refunds made of it; or None."""
        from actors.tracker import queries

        payment = self._first(lambda reader: queries.payment(reader, payment_id))
        return None if payment is None else self._with_order(self._with_pauses([payment])[0])

    def _with_pauses(self, payments: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each with `paused`: by whom, when and why, or None."""
        paused: dict[str, dict[str, Any]] = {}
        ids = [str(payment["payment_id"]) for payment in payments]
        for start in range(0, len(ids), 500):
            paused |= self.pauses("payment", ids[start : start + 500])
        return [payment | {"paused": paused.get(payment["payment_id"])} for payment in payments]

    def pauses(self, kind: str, names: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
        """What is paused in any cell, by name: services, rails, or the payments of `names`."""
        from actors.runtime import queries

        found: dict[str, dict[str, Any]] = {}
        for reader in self.readers.values():
            found = queries.pauses(reader, kind, names) | found
        return found

    def put_aside(self) -> dict[str, int]:
        """How many messages wait for each service, for another try or until it is resumed."""
        from actors.runtime import queries

        return self._sums(queries.put_aside)

    def outbox_sizes(self) -> dict[str, int]:
        """How many tasks wait in each outbox."""
        from actors.runtime import queries

        return self._sums(queries.outbox_sizes)

    def _sums(self, read: Callable[[Reader], dict[str, int]]) -> dict[str, int]:
        total: Counter[str] = Counter()
        for reader in self.readers.values():
            total.update(read(reader))
        return dict(total)

    def _with_order(self, payment: dict[str, Any]) -> dict[str, Any]:
        """The payment with `execution_date`, `refund_of` (what it gives back) and the `refunds` asked for of it."""
        from actors.disbursement.queries import execution_date_of, refund_of, refunds_of

        payment_id, readers = str(payment["payment_id"]), self.readers.values()
        refunds = [refund_id for reader in readers for refund_id in refunds_of(reader, payment_id)]
        return payment | {
            "execution_date": next(filter(None, (execution_date_of(reader, payment_id) for reader in readers)), None),
            "refund_of": next(filter(None, (refund_of(reader, payment_id) for reader in readers)), None),
            "refunds": [self._refund(refund_id) for refund_id in refunds],
        }

    def _refund(self, refund_id: str) -> dict[str, Any]:
        from actors.tracker import queries

        refund = self._first(lambda reader: queries.payment(reader, refund_id)) or {}
        names = ("status", "reason", "reason_text", "flow", "amount", "currency", "created_at")
        return {"payment_id": refund_id} | {name: refund.get(name) for name in names}

    def statuses(self, payment_ids: Iterable[str]) -> dict[str, str]:
        """The status of each payment that a cell knows."""
        found: dict[str, str] = {}
        ids = list(payment_ids)
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            sql = f"SELECT payment_id, status FROM tracker_payments WHERE payment_id IN ({', '.join('?' * len(part))})"
            for reader in self.readers.values():
                found.update((row[0], row[1]) for row in reader.all(sql, part))
        return found

    def counts(self) -> dict[str, int]:
        """How many payments have each status."""
        from actors.tracker import queries

        total: Counter[str] = Counter()
        for reader in self.readers.values():
            total.update(queries.counts(reader))
        return dict(total)

    def batches(self) -> list[dict[str, Any]]:
        """Submitted files, the newest first."""
        from actors.disbursement import queries
        from actors.tracker.queries import by_batch

        taken: Counter[str] = Counter()
        for row in self._each(by_batch):
            taken[row["batch_id"]] += row["payments"]
        found = self._each(queries.batches)
        for batch in found:
            batch["payments"] = taken[batch["batch_id"]]
        return sorted(found, key=lambda batch: str(batch["created_at"]), reverse=True)

    def batch(self, batch_id: str) -> dict[str, Any] | None:
        """One submitted file with counts and sums per currency and status, or None."""
        from actors.tracker.queries import by_batch

        known = next((batch for batch in self.batches() if batch["batch_id"] == batch_id), None)
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for row in self._each(lambda reader: by_batch(reader, batch_id)):
            key = (row["currency"], row["status"])
            if key in rows:
                rows[key]["payments"] += row["payments"]
                rows[key]["amount"] = str(Decimal(rows[key]["amount"]) + Decimal(row["amount"]))
            else:
                rows[key] = {name: value for name, value in row.items() if name != "batch_id"}
        if known is None and not rows:
            return None
        known = known or {"batch_id": batch_id}
        known["payments"] = sum(row["payments"] for row in rows.values())
        return known | {"by_status": [rows[key] for key in sorted(rows)]}

    # Accounts

    def accounts(self, *, internal: bool = False) -> list[dict[str, Any]]:
        """Accounts with their balances; with `internal` clearing, funding and suspense accounts, per cell."""
        from actors.ledger import queries

        found = []
        for cell, reader in self.readers.items():
            for account in queries.accounts(reader, internal=internal):
                found.append(account | {"cell": cell} if internal else account)
        return sorted(found, key=lambda account: str(account["account_id"]))

    def account(self, account_id: str) -> dict[str, Any] | None:
        """One account with its newest postings, or None."""
        from actors.ledger import queries

        return self._first(lambda reader: queries.account(reader, account_id))

    # Operators

    def watchlists(self) -> list[dict[str, Any]]:
        """Watchlists in force; every cell that screens has the same, so the first one speaks."""
        from actors.aml import queries

        return next((lists for lists in map(queries.lists, self.readers.values()) if lists), [])

    def reviews(self) -> list[dict[str, Any]]:
        """Open cases that a person decides on, the longest waiting first."""
        from actors.aml import queries

        return sorted(self._each(queries.reviews), key=lambda case: str(case["opened_at"]))

    def payment_of_case(self, case_id: str) -> str | None:
        """The payment that a case is about, or None."""
        from actors.aml import queries

        case = self._first(lambda reader: queries.review(reader, case_id))
        return None if case is None else str(case["payment_id"])

    def approvals(self) -> list[dict[str, Any]]:
        """Payments that wait for people to agree, the longest waiting first."""
        from actors.approval import queries

        return sorted(self._each(queries.approvals), key=lambda each: str(each["opened_at"]))

    def payment_of_approval(self, approval_id: str) -> str | None:
        """The payment that people are, or were, asked about under this id, or None."""
        from actors.approval import queries

        approval = self._first(lambda reader: queries.approval(reader, approval_id))
        return None if approval is None else str(approval["payment_id"])

    def jobs(self) -> list[dict[str, Any]]:
        """Jobs over payments, the newest first."""
        from actors.operations import queries

        return queries.jobs(self.readers.values())

    def job(self, job_id: str) -> dict[str, Any] | None:
        """One job, or None."""
        from actors.operations import queries

        return next(iter(queries.jobs(self.readers.values(), job_id)), None)

    def job_items(self, job_id: str) -> list[dict[str, Any]]:
        """What became of each payment of a job, in the order in which they are taken on."""
        from actors.operations import queries

        found = self._each(lambda reader: queries.items(reader, job_id))
        return sorted(found, key=lambda item: str(item["payment_id"]))

    def dead_letters(self) -> list[dict[str, Any]]:
        """Messages that no handler could take, the oldest first."""
        from actors.runtime import queries

        found = []
        for cell, reader in self.readers.items():
            found += [letter | {"cell": cell} for letter in queries.dead_letters(reader)]
        return sorted(found, key=lambda letter: str(letter["at"]))

    def number_of_dead_letters(self) -> int:
        """How many messages no handler could take."""
        from actors.runtime import queries

        return sum(queries.number_of_dead_letters(reader) for reader in self.readers.values())

    def subscriptions(self) -> list[dict[str, Any]]:
        """Who gets which events in each cell, with the next offset it reads and how far it is behind."""
        from actors.directory import queries

        found: dict[tuple[str, str], dict[str, Any]] = {}
        for cell, reader in self.readers.items():
            for row in queries.subscriptions(reader):
                place = {"subscriber": row["subscriber"], "cell": cell, "offset": row["offset"], "lag": row["lag"]}
                entry = found.setdefault((cell, row["subscriber"]), place | {"events": [], "inactive": []})
                entry["events" if row["active"] else "inactive"].append(row["event_type"])
        return list(found.values())

    def rates(self, now: datetime | None = None) -> dict[str, float]:
        """Payments accepted and messages logged a second, over the last ten."""
        since = (now or datetime.now(UTC)) - timedelta(seconds=RATE_SECONDS)
        first_id = f"P{base32(int(since.timestamp() * 1000), 10)}"
        payments = messages = 0
        for reader in self.readers.values():
            row = reader.one("SELECT count(*) FROM tracker_payments WHERE payment_id >= ?", (first_id,))
            payments += row[0] if row else 0
            row = reader.one(
                "SELECT max(last_offset) - min(first_offset) + 1 FROM (SELECT first_offset, last_offset, at"
                " FROM log_parts ORDER BY part_id DESC LIMIT ?) AS newest WHERE at >= ?",
                (_PARTS, int(since.timestamp() * 1_000_000)),
            )
            messages += (row[0] or 0) if row else 0
        return {"payments_per_s": payments / RATE_SECONDS, "messages_per_s": messages / RATE_SECONDS}

    def _each(self, read: Callable[[Reader], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        return [found for reader in self.readers.values() for found in read(reader)]

    def _first(self, read: Callable[[Reader], dict[str, Any] | None]) -> dict[str, Any] | None:
        for reader in self.readers.values():
            found = read(reader)
            if found is not None:
                return found
        return None


def cells_of(data: Path) -> list[str]:
    """The cells that have a store in a data directory, by name and number."""
    return [path.parent.name for path in sorted(data.glob("cells/*/store.db"), key=_by_number)]


def slot_of_id(identifier: str, what: str) -> int:
    """The slot in a payment's or case's id.

    Raises:
        CommandFailed: it is none, in a sentence that says `what` was wanted.
    """
    try:
        return slot_in(identifier)
    except BadId:
        raise CommandFailed(f"there is no {what} {identifier}{_LISTED.get(what, '')}") from None


def base32(number: int, width: int) -> str:
    """`number` in the digits of our ids."""
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits = _ALPHABET[digit] + digits
    return digits


def _by_number(path: Path) -> tuple[str, int]:
    name = path.parent.name
    found = re.search(r"\d+$", name)
    return (name[: found.start()], int(found[0])) if found else (name, 0)
