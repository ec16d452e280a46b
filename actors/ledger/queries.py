"""Reads on the ledger's tables for shell, console and API; nothing here writes."""

from __future__ import annotations

from typing import Any

from actors.ledger.model import is_internal
from actors.messaging.codec import moment
from actors.store.session import Reader, Row
from actors.vocabulary.money import decimal_text

_ACCOUNTS = "SELECT account_id, currency, posted, pending, overdraft, closed, owner, email FROM accounts"


def accounts(reader: Reader, *, internal: bool = True) -> list[dict[str, Any]]:
    """Every account of the cell by id; with `internal` false without the ledger's own."""
    rows = reader.all(_ACCOUNTS + " ORDER BY account_id")
    return [_account(row) for row in rows if internal or not is_internal(row[0])]


def account(reader: Reader, account_id: str, *, limit: int = 100) -> dict[str, Any] | None:
    """One account with its newest `limit` postings (newest first), or None."""
    row = reader.one(_ACCOUNTS + " WHERE account_id = ?", (account_id,))
    if row is None:
        return None
    postings = reader.all(
        "SELECT at, kind, reference, amount, currency FROM postings WHERE account_id = ?"
        " ORDER BY at DESC, reference DESC LIMIT ?",
        (account_id, limit),
    )
    shown = [
        {
            "at": moment(at).isoformat(),
            "kind": kind,
            "reference": reference,
            "amount": decimal_text(amount, currency),
            "currency": currency,
        }
        for at, kind, reference, amount, currency in postings
    ]
    return _account(row) | {"postings": shown}


def debit(reader: Reader, debit_id: str) -> dict[str, Any] | None:
    """What became of one debit, or None."""
    row = reader.one(
        "SELECT debit_id, account_id, amount, currency, state, reason_code, reason_text, ending FROM debits"
        " WHERE debit_id = ?",
        (debit_id,),
    )
    if row is None:
        return None
    amount = decimal_text(row[2], row[3]) if row[3] else None  # a tombstone has none
    return {
        "debit_id": row[0],
        "account_id": row[1] or None,
        "amount": amount,
        "currency": row[3] or None,
        "state": row[4],
        "reason": row[5],
        "reason_text": row[6],
        "ending": row[7],
    }


def debit_states(reader: Reader) -> dict[str, tuple[str, str]]:
    """Every debit's state and ending by its id, to compare with payments and with the rail's journal."""
    return {row[0]: (row[1], row[2] or "") for row in reader.all("SELECT debit_id, state, ending FROM debits")}


def sums(reader: Reader) -> dict[str, int]:
    """Per currency the sum of all postings, in minor units: zero, or something is wrong."""
    rows = reader.all("SELECT currency, SUM(amount) FROM postings GROUP BY currency")
    return {row[0]: row[1] for row in rows}


def clearing_balances(reader: Reader) -> dict[str, int]:
    """Every clearing account's posted balance in minor units, to compare with the rail's journal."""
    rows = reader.all(
        "SELECT account_id, posted FROM accounts WHERE account_id >= 'clearing:' AND account_id < 'clearing;'"
    )
    return {row[0]: row[1] for row in rows}


def violations(reader: Reader) -> list[str]:
    """What does not hold in this cell's ledger, a sentence each; empty when all is well."""
    found = [
        f"all postings in {currency} sum to {decimal_text(total, currency)}, not to zero"
        for currency, total in sums(reader).items()
        if total
    ]
    found += [
        f"account {name} has posted {posted} minor units, its postings sum to {total}"
        for name, posted, total in reader.all(
            "SELECT a.account_id, a.posted, COALESCE(p.total, 0) FROM accounts a LEFT JOIN"
            " (SELECT account_id, SUM(amount) AS total FROM postings GROUP BY account_id) p"
            " ON p.account_id = a.account_id WHERE a.posted <> COALESCE(p.total, 0)"
        )
    ]
    found += [
        f"account {name} has pending {pending} minor units, its pending debits sum to {total}"
        for name, pending, total in reader.all(
            "SELECT a.account_id, a.pending, COALESCE(d.total, 0) FROM accounts a LEFT JOIN"
            " (SELECT account_id, SUM(amount) AS total FROM debits WHERE state = 'pending'"
            " GROUP BY account_id) d ON d.account_id = a.account_id WHERE a.pending <> COALESCE(d.total, 0)"
        )
    ]
    found += [
        f"account {row[0]} has less than nothing available"
        for row in reader.all("SELECT account_id FROM accounts WHERE posted - pending + overdraft < 0")
        if not is_internal(row[0])
    ]
    found += [
        f"debit {name} is {state} and has {count} postings"
        for name, state, count in reader.all(
            "SELECT d.debit_id, d.state, COALESCE(p.number, 0) FROM debits d LEFT JOIN"
            " (SELECT reference, COUNT(*) AS number FROM postings WHERE kind = 'payment' GROUP BY reference) p"
            " ON p.reference = d.debit_id"
            " WHERE COALESCE(p.number, 0) <> CASE d.state WHEN 'posted' THEN 2 ELSE 0 END"
        )
    ]
    found += [
        f"credit {name} is {state} and has {count} postings"
        for name, state, count in reader.all(
            "SELECT c.credit_id, c.state, COALESCE(p.number, 0) FROM credits c LEFT JOIN"
            " (SELECT reference, COUNT(*) AS number FROM postings WHERE kind = 'refund' GROUP BY reference) p"
            " ON p.reference = c.credit_id"
            " WHERE COALESCE(p.number, 0) <> CASE c.state WHEN 'posted' THEN 2 ELSE 0 END"
        )
    ]
    found += [
        f"debit {name} took {amount} minor units, and its refunds and return have {total}"
        for name, amount, total in reader.all(
            "SELECT d.debit_id, d.amount, c.total + CASE WHEN r.debit_id IS NULL THEN 0 ELSE d.amount END"
            " FROM (SELECT debit_id, SUM(amount) AS total FROM credits WHERE state IN ('pending', 'posted')"
            " GROUP BY debit_id) c JOIN debits d ON d.debit_id = c.debit_id"
            " LEFT JOIN returns r ON r.debit_id = c.debit_id"
            " WHERE c.total + CASE WHEN r.debit_id IS NULL THEN 0 ELSE d.amount END > d.amount"
        )
    ]
    return found


def _account(row: Row) -> dict[str, Any]:
    name, currency, posted, pending, overdraft, closed, owner, email = row
    return {
        "account_id": name,
        "currency": currency,
        "posted": decimal_text(posted, currency),
        "pending": decimal_text(pending, currency),
        "available": decimal_text(posted - pending + overdraft, currency),
        "overdraft": decimal_text(overdraft, currency),
        "owner": owner,
        "email": email,
        "closed": bool(closed),
    }
