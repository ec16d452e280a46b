"""The language of `--where`: what it finds is what its words say, and a mistake is pointed at."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.messaging.codec import micros
from actors.runtime import pauses
from actors.store.sqlite import SqliteSession
from actors.tracker import queries
from actors.tracker.model import MOVING, RARE, STATUSES
from actors.tracker.store import MIGRATIONS
from actors.tracker.stuck import PAUSED_FOR_LONG
from actors.tracker.where import FIELDS, BadQuery, Both, Comparison, Not, Query, condition, parse
from actors.vocabulary.money import DECIMALS

NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
TEXTS: Final = ("ACC-1", "acc-1", "Ü%_\\", "a'b; DROP TABLE tracker_payments", "")
COLUMNS: Final = (
    "payment_id", "status", "rare", "reason", "reason_text", "last_type", "last_event", "reached", "updated_at",
    "deadline", "flow", "workflow", "workflow_version", "created_at", "amount", "currency", "debtor_account",
    "creditor_name", "creditor_account", "idempotency_key", "end_to_end_id", "uetr", "remittance", "batch_id",
)  # fmt: skip
OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip

text = st.sampled_from(TEXTS)
moments = st.integers(-5, 5).map(lambda minutes: NOW - timedelta(minutes=minutes))


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """A payment as the tracker stores it."""
    status = draw(st.sampled_from(STATUSES))
    moving = status in MOVING
    return {
        "status": status,
        "rare": status if status in RARE else None,
        "reason": draw(st.sampled_from(("AB05", "AM04", None))),
        "reason_text": draw(text),
        "last_type": "",
        "last_event": "",
        "reached": "",
        "updated_at": draw(moments),
        "deadline": draw(moments) if moving else None,
        "flow": draw(st.sampled_from(("orchestrated", "choreographed"))),
        "workflow": draw(st.sampled_from(("debit-first", "guarded"))),
        "workflow_version": draw(st.integers(1, 3)),
        "created_at": draw(moments),
        "amount": draw(st.sampled_from((1, 100, 1050, 1_050_000))),
        "currency": draw(st.sampled_from(("EUR", "JPY", "KWD"))),
        "debtor_account": draw(text),
        "creditor_name": draw(text),
        "creditor_account": draw(text),
        "idempotency_key": draw(text),
        "end_to_end_id": draw(text),
        "uetr": draw(text),
        "remittance": draw(text),
        "batch_id": draw(st.sampled_from(("B1", None))),
        "paused": draw(st.sampled_from((None, NOW, NOW - timedelta(hours=2)))),
    }


def quoted(value: Any) -> str:
    """As one writes it."""
    return f'"{value}"'


def values(field: str) -> st.SearchStrategy[str]:
    """What may stand after the operator."""
    some: dict[str, st.SearchStrategy[str]] = {
        "status": st.sampled_from(STATUSES),
        "reason": st.sampled_from(("AB05", "ab05", "XX99")),
        "flow": st.sampled_from(("orchestrated", "choreographed")),
        "workflow": st.sampled_from(("debit-first", "guarded")),
        "version": st.sampled_from(("1", "2")),
        "currency": st.sampled_from(("EUR", "jpy", "KWD")),
        "amount": st.sampled_from(("1", "10.5", "1050", "0.001", "0.015", "1050.0000", "999999999999")),
        "created": st.one_of(st.sampled_from(("0s", "2m", "1h")), moments.map(lambda at: at.isoformat())),
        "stuck": st.sampled_from(("yes", "no")),
        "paused": st.sampled_from(("yes", "no")),
        "payment": st.sampled_from(("P1", "P2")),
        "batch": st.sampled_from(("B1", "B2")),
    }
    some["updated"] = some["created"]
    return some.get(field, text)


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    """One comparison as text."""
    field = draw(st.sampled_from(sorted(FIELDS)))
    sign = draw(st.sampled_from(FIELDS[field].operators))
    if sign == "in":
        return f"{field} in ({', '.join(map(quoted, draw(st.lists(values(field), min_size=1, max_size=3))))})"
    return f"{field}{sign}{quoted(draw(text if sign == '~' else values(field)))}"


def wrapped(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Larger queries out of smaller ones."""
    return st.one_of(
        parts.map(lambda part: f"not ({part})"),
        st.tuples(parts, st.sampled_from((" and ", " or ")), parts).map(lambda each: f"({each[0]}){each[1]}{each[2]}"),
    )


def holds(query: Query, row: dict[str, Any]) -> bool:
    """What the words say, in Python."""
    if isinstance(query, Not):
        return not holds(query.part, row)
    if isinstance(query, Both):
        return (all if query.word == "and" else any)(holds(part, row) for part in query.parts)
    return compared(query, row)


def compared(query: Comparison, row: dict[str, Any]) -> bool:
    """One comparison, in Python."""
    value = query.values[0]
    if query.field == "stuck":
        overdue = row["deadline"] is not None and row["deadline"] < NOW
        left = row["paused"] is not None and row["paused"] < NOW - PAUSED_FOR_LONG
        return (row["status"] == "needs_attention" or overdue or left) is value
    if query.field == "paused":
        return (row["paused"] is not None) is value
    found = [row[column] or "" for column in FIELDS[query.field].columns]
    if query.field == "amount":
        found = [Decimal(row["amount"]).scaleb(-DECIMALS[row["currency"]])]
    if query.operator == "~":
        return any(lower(value) in lower(each) for each in found)
    if query.operator in ("in", "!="):
        return any(each in query.values for each in found) is (query.operator == "in")
    if isinstance(value, timedelta):
        return OPERATORS[query.operator](NOW - found[0], value)
    return any(OPERATORS[query.operator](each, value) for each in found)


def lower(words: str) -> str:
    """Case matters only beyond ASCII."""
    return "".join(each.lower() if each.isascii() else each for each in words)


def stored(payments: list[dict[str, Any]]) -> SqliteSession:
    """A store that has these payments, P0, P1, …"""
    session = SqliteSession.in_memory()
    session.migrate([*MIGRATIONS, *pauses.MIGRATIONS])
    session.begin()
    for number, row in enumerate(payments):
        row["payment_id"] = f"P{number}"
        if row["paused"] is not None:
            values = ("payment", f"P{number}", micros(row["paused"]))
            session.write("INSERT INTO pauses VALUES (?, ?, '', '', ?, 'Ada', 'why')", values)
        fields = [micros(row[name]) if isinstance(row[name], datetime) else row[name] for name in COLUMNS]
        session.write(
            f"INSERT INTO tracker_payments ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})", fields
        )
    return session


@settings(max_examples=300, deadline=None)
@given(st.recursive(comparisons(), wrapped, max_leaves=5), st.lists(rows(), min_size=1, max_size=4))
def test_a_query_finds_exactly_the_payments_of_which_it_holds(query: str, payments: list[dict[str, Any]]) -> None:
    """What is done to thousands at once must be done to those that were meant."""
    session = stored(payments)
    parsed = parse(query)
    found = queries.ids(session, condition(parsed, NOW))
    assert found == [row["payment_id"] for row in payments if holds(parsed, row)]
    session.close()


def test_and_binds_more_than_or_and_not_most() -> None:
    """As everywhere."""
    assert parse("stuck or flow=orchestrated and not version=2") == Both(
        "or",
        (
            Comparison("stuck", "=", (True,)),
            Both("and", (Comparison("flow", "=", ("orchestrated",)), Not(Comparison("version", "=", (2,))))),
        ),
    )


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "at 1, the end: expected one of the fields payment, status"),
        ("stat=held", "at 1, 'stat': expected one of the fields payment, status"),
        ("status=gone", "at 8, 'gone': status is one of received, debiting"),
        ("status<held", "at 7, '<': expected one of = != in after status"),
        ("created=2h", "at 8, '=': expected one of < <= > >= after created"),
        ("created<soon", "at 9, 'soon': created is an age such as 30s, 15m, 2h"),
        ("amount>many", "at 8, 'many': amount is a decimal in the payment's currency such as 1000.50"),
        ("status in (held, executing", "at 27, the end: expected )"),
        ("status=held flow=orchestrated", "at 13, 'flow': expected and, or, or the end"),
        ("(status=held", "at 13, the end: expected )"),
        ("reason='AB05", "at 8, \"'\": a text in quotes ends with the same quote"),
        ("reason ! AB05", "at 8, '!': expected one of = != < <= > >= ~"),
        ("stuck=maybe", "at 7, 'maybe': stuck is one of yes, no"),
        ("not", "at 4, the end: expected one of the fields"),
        ("(" * 60 + "stuck" + ")" * 60, "more than 50 parentheses"),
    ],
)  # fmt: skip
def test_a_mistake_is_pointed_at_and_told_what_is_allowed_there(query: str, sentence: str) -> None:
    """Whoever writes a query by hand in trouble has no time to look it up."""
    with pytest.raises(BadQuery) as refused:
        parse(query)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.text(max_size=40))
def test_any_text_is_a_query_or_refused_in_a_line(words: str) -> None:
    """No traceback, whatever is typed."""
    assert "\n" not in sentence_of(words)


def sentence_of(words: str) -> str:
    """Why the words are no query, or ""."""
    try:
        condition(parse(words), NOW)
    except BadQuery as refused:
        return str(refused)
    return ""
