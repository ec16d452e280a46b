"""What must always hold, checked on a cell at rest and on its rail's journal; for the end of every test.

The list itself is `actors.admin.verify`'s, the same that runs on live systems; here stands what only a cell
at rest can promise.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

from actors.admin import verify
from actors.tracker.model import FINAL
from tests.fakes.one_cell import OneCell

# What a saga's phase means to whoever looks at the payment.
_PHASES = {"completed": {"completed", "needs_attention"}, "rejected": {"rejected", "needs_attention"},
           "cancelled": {"cancelled", "needs_attention"}, "returned": {"returned", "needs_attention"},
           "halted": {"needs_attention"}, "compensating": {"compensating", "needs_attention"},
           "returning": {"completed", "needs_attention"}}  # fmt: skip


def check(cell: OneCell, letters: int = 0) -> None:
    """Everything of DESIGN section 7 on a cell that has nothing to do; `letters`: dead letters the test left.

    Raises:
        AssertionError: with every violation.
    """
    found = [str(each) for each in verify.look(cell.data)[0]]
    found += _sagas(cell)
    found += _disbursement(cell)
    found += _moving(cell)
    found += _counts(cell)
    found += _log(cell)
    number = cell.ask("SELECT count(*) FROM dead_letters")[0][0]
    if number != letters:
        rows = cell.ask("SELECT actor, type, cause FROM dead_letters")
        found.append(f"{number} dead letters, not {letters}: {rows}")
    assert not found, "\n".join(found)


def journal(data: Path, cell: str = "cell-0") -> list[tuple[str, str, int, bool]]:
    """The rail's journal: payment, state, submissions, whether it executed."""
    path = data / "rail" / f"{cell}.db"
    if not path.exists():
        return []
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'instructions'").fetchall():
            return []  # the rail is just opening it
        rows = connection.execute("SELECT payment_id, state, submissions, executed_at FROM instructions").fetchall()
    finally:
        connection.close()
    return [(payment_id, state, submissions, at is not None) for payment_id, state, submissions, at in rows]


def _sagas(cell: OneCell) -> list[str]:
    """A saga and the tracker agree about each orchestrated payment; no choreographed payment has a saga."""
    if not cell.ask("SELECT 1 FROM sqlite_master WHERE name = 'sagas'"):
        return []
    rows = cell.ask(
        "SELECT t.payment_id, t.flow, t.status, s.phase FROM tracker_payments t LEFT JOIN sagas s USING (payment_id)"
    )
    found = []
    for payment_id, flow, status, phase in rows:
        if flow == "choreographed":
            if phase is not None:
                found.append(f"{payment_id} is choreographed and has a saga: two drivers")
        elif phase is None:
            found.append(f"{payment_id} is orchestrated and has no saga")
        elif status not in _PHASES.get(phase, {status}) or (phase == "forward" and status in FINAL):
            found.append(f"the saga of {payment_id} is {phase}, the tracker says {status}")
    return found


def _disbursement(cell: OneCell) -> list[str]:
    """Disbursement, which ends choreographed payments, and the tracker agree."""
    rows = cell.ask(
        "SELECT o.payment_id, o.status, t.status FROM orders o JOIN tracker_payments t USING (payment_id)"
        " WHERE t.flow = 'choreographed' AND o.status <> 'started' AND o.status <> t.status"
        " AND t.status <> 'needs_attention'"
    )
    return [f"{name}: disbursement says {status}, the tracker {shown}" for name, status, shown in rows]


def _moving(cell: OneCell) -> list[str]:
    """A cell at rest waits for something: the rail, a timer, a person. Whatever moves has a deadline or a clock."""
    rows = cell.ask(
        "SELECT payment_id, status FROM tracker_payments WHERE status IN"
        " ('received', 'debiting', 'screening', 'executing', 'compensating') AND deadline IS NULL"
    )
    return [f"{name} is {status}, and nobody watches it" for name, status in rows]


def _counts(cell: OneCell) -> list[str]:
    counted = {status: number for status, number in cell.ask("SELECT * FROM tracker_counts") if number}
    real = dict(cell.ask("SELECT status, count(*) FROM tracker_payments GROUP BY status"))
    return [] if counted == real else [f"the tracker counts {counted}, there are {real}"]


def _log(cell: OneCell) -> list[str]:
    """The log has no gaps, and no payment is executed or completed twice by its own story."""
    from actors.directory import log

    session = cell.core._session
    session.begin()
    records = log.read(session, 1, 1_000_000)
    session.roll_back()
    offsets = [record.offset for record in records]
    found = [] if offsets == list(range(1, len(offsets) + 1)) else ["the log has gaps"]
    for kind in ("PaymentCompleted", "PaymentReturned"):
        said = Counter(r.envelope.payment_id for r in records if type(r.envelope.message).__name__ == kind)
        found += [f"{payment_id}: {kind} was said {number} times" for payment_id, number in said.items() if number > 1]
    return found
