"""What a flow left in the ledger, and whether the other left the same: balances, postings, statuses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from actors.admin.reading import Reading

SHOWN: Final = 10  # differences that are named; all are counted
Posting = tuple[str, str, str, int, str]  # whose (idempotency key), account, kind, amount, currency


@dataclass(frozen=True, slots=True)
class Books:
    """Statuses by idempotency key, balances by account, and every posting with the key of the payment it is for."""

    statuses: dict[str, str]
    balances: dict[str, tuple[int, int]]
    postings: Counter[Posting]

    @property
    def by_status(self) -> dict[str, int]:
        """How many payments have each status."""
        return dict(sorted(Counter(self.statuses.values()).items()))


def books(data: Path) -> Books:
    """What the stores say, all cells together. Ids that a flow or chance made are replaced by the order's key."""
    statuses: dict[str, str] = {}
    balances: dict[str, tuple[int, int]] = {}
    keys: dict[str, str] = {}
    found = []
    reading = Reading.open(data)
    try:
        for reader in reading.readers.values():
            statuses |= dict(reader.all("SELECT idempotency_key, status FROM tracker_payments"))
            keys |= {row[1]: row[0] for row in reader.all("SELECT idempotency_key, payment_id FROM claims")}
            for account, posted, pending in reader.all("SELECT account_id, posted, pending FROM accounts"):
                before = balances.get(account, (0, 0))  # clearing accounts exist once a partition
                balances[account] = (before[0] + posted, before[1] + pending)
            found += reader.all("SELECT reference, account_id, kind, amount, currency FROM postings")
    finally:
        reading.close()
    postings = Counter((keys.get(row[0].partition("/")[0], row[0]), *row[1:]) for row in found)
    return Books(statuses, balances, postings)


def differences(one: Books, other: Books) -> list[str]:
    """Sentences about everything in which two books differ."""
    said = [
        f"{key} is {one.statuses.get(key, 'not there')}, in the other flow {other.statuses.get(key, 'not there')}"
        for key in sorted(one.statuses.keys() | other.statuses.keys())
        if one.statuses.get(key) != other.statuses.get(key)
    ]
    said += [
        f"account {name} has {one.balances.get(name)} (posted, pending), in the other flow {other.balances.get(name)}"
        for name in sorted(one.balances.keys() | other.balances.keys())
        if one.balances.get(name) != other.balances.get(name)
    ]
    for which, more in (("first", one.postings - other.postings), ("other", other.postings - one.postings)):
        said += [f"only the {which} flow has {count} of the posting {posting}" for posting, count in more.items()]
    return said


def check(left: dict[str, Books], violations: dict[str, list[Any]]) -> dict[str, Any]:
    """The check that both flows left the same ledger: `ok` only if it is the same and `verify` found nothing."""
    one, other = left.values()
    found = differences(one, other)
    return {
        "ok": not found and not any(violations.values()),
        "payments": len(one.statuses),
        "accounts": len(one.balances),
        "postings": sum(one.postings.values()),
        "differences": len(found),
        "examples": found[:SHOWN],
        "violations": violations,
        "by_status": {flow: each.by_status for flow, each in left.items()},
    }
