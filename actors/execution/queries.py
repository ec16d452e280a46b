"""Reads for the shell, the console and `verify`: the gates, the doubtful, the rail's own journal. Never writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from actors.execution.model import DOUBTFUL
from actors.execution.store import AT_RAIL
from actors.messaging.codec import moment
from actors.store.session import Reader, Row
from actors.vocabulary.money import decimal_text

WINDOW: Final = 1_000
COLUMNS: Final = """payment_id, instruction_id, state, amount, currency, recorded_at, changed_at, reason_code,
    reason_text, ending, settled_by, contradicted"""


class Journaled(NamedTuple):
    """One line of a rail's journal. `amount` in whole minor units.

    `state` is `accepted` (not decided yet), `executed`, `rejected`, `returned` (executed, and the money came
    back), `unknown` (the rail doesn't say) or `not_received`.
    """

    instruction_id: str
    payment_id: str
    state: str
    amount: int
    currency: str


def execution_of(reader: Reader, payment_id: str) -> dict[str, Any] | None:
    """The payment's gate, or None where it has none."""
    row = reader.one(f"SELECT {COLUMNS} FROM executions WHERE payment_id = ?", (payment_id,))
    return None if row is None else _shown(row)


def in_doubt(reader: Reader, limit: int = 100) -> list[dict[str, Any]]:
    """The payments of which nobody can say whether they were executed, the oldest ids first."""
    sql = f"""SELECT {COLUMNS} FROM executions WHERE {AT_RAIL} AND state <> 'submitted'
        ORDER BY payment_id LIMIT ?"""
    return [_shown(row) for row in reader.all(sql, (limit,))]


def returns_of(reader: Reader, payment_id: str) -> list[dict[str, Any]]:
    """The returns that came for a payment."""
    sql = """SELECT return_id, reason_code, reason_text, received_at FROM execution_returns
        WHERE payment_id = ? ORDER BY received_at"""
    return [
        {"return_id": row[0], "reason": row[1], "reason_text": row[2], "received_at": _at(row[3])}
        for row in reader.all(sql, (payment_id,))
    ]


def gates(reader: Reader) -> Iterator[dict[str, Any]]:
    """Every payment's gate in this cell, in windows: for `verify`."""
    after = ""
    while rows := reader.all(
        f"SELECT {COLUMNS} FROM executions WHERE payment_id > ? ORDER BY payment_id LIMIT ?", (after, WINDOW)
    ):
        yield from map(_shown, rows)
        after = rows[-1][0]


def executions(path: Path) -> Iterator[Journaled]:
    """A rail's journal, line by line, through a read-only connection; nothing where there is no journal yet."""
    if not path.exists():
        return
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=5)
    try:
        after = ""
        sql = """SELECT instruction_id, payment_id, state, amount, currency FROM instructions
            WHERE instruction_id > ? ORDER BY instruction_id LIMIT ?"""
        while rows := connection.execute(sql, (after, WINDOW)).fetchall():
            yield from map(Journaled._make, rows)
            after = rows[-1][0]
    finally:
        connection.close()


def _shown(row: Row) -> dict[str, Any]:
    payment_id, instruction_id, state, amount, currency, recorded_at, changed_at, *rest = row
    code, text, ending, settled_by, contradicted = rest
    return {
        "payment_id": payment_id,
        "instruction_id": instruction_id,
        "state": "in_doubt" if state in DOUBTFUL else state,
        "amount": None if amount is None else decimal_text(amount, currency),
        "currency": currency,
        "recorded_at": _at(recorded_at),
        "updated_at": _at(changed_at),
        "reason": code,
        "reason_text": text,
        "ending": ending,
        "settled_by": settled_by or None,
        "contradicted": bool(contradicted),
    }


def _at(microseconds: int) -> str:
    return moment(microseconds).isoformat()
