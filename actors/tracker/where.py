"""The language of `--where`: conditions on payments, from text to SQL with parameters. Pure; reads no store.

    status=needs_attention and reason=AB05 and created<2h
    (creditor ~ "Beispiel" or amount >= 1000.50) and not status in (completed, rejected)

Source: docs/how-to/repair-many-payments.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final, NamedTuple, NoReturn

from actors.messaging.codec import micros
from actors.tracker import stuck
from actors.tracker.model import MOVING, RARE, STATUSES
from actors.vocabulary.money import DECIMALS, LARGEST_AMOUNT_MINOR

LONGEST: Final = 4_000  # characters of a query
DEEPEST: Final = 50  # parentheses and nots inside each other
FLOWS: Final = ("orchestrated", "choreographed")
SEARCHED: Final = (
    "payment_id", "idempotency_key", "end_to_end_id", "uetr", "creditor_name", "creditor_account",
    "remittance", "reason_text", "debtor_account",
)  # fmt: skip
_ASCII_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)  # what lower() does in SQLite


class BadQuery(ValueError):
    """The text is no query; the message is one sentence that points at the place and says what is allowed there."""


class Condition(NamedTuple):
    """SQL with `?` for each of `parameters`."""

    sql: str
    parameters: tuple[Any, ...]

    def along_with(self, *others: Condition) -> Condition:
        """All of them hold."""
        every = (self, *others)
        return Condition(" AND ".join(each.sql for each in every), sum((each.parameters for each in every), ()))


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field operator values`, such as status in (held, executing)."""

    field: str
    operator: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What `part` says is not so."""

    part: Query


@dataclass(frozen=True, slots=True)
class Both:
    """`and`, or `or`, between two or more parts."""

    word: str
    parts: tuple[Query, ...]


Query = Comparison | Not | Both


def parse(text: str) -> Query:
    """The query in `text`.

    Raises:
        BadQuery: it is none.

    >>> parse("reason=AB05")
    Comparison(field='reason', operator='=', values=('AB05',))
    >>> parse("status=lost")
    Traceback (most recent call last):
    ...
    actors.tracker.where.BadQuery: at 8, 'lost': status is one of received, debiting, screening, executing, \
compensating, held, completed, rejected, cancelled, returned, needs_attention
    """
    if len(text) > LONGEST:
        raise BadQuery(f"the query has {len(text)} characters, at most {LONGEST} are allowed")
    return _Parser(text).whole()


def condition(query: Query, now: datetime) -> Condition:
    """The SQL of a query over `tracker_payments`; ages such as `2h` count back from `now`."""
    return _sql(query, now, holds=True)


# From text to a query


class _Token(NamedTuple):
    kind: str  # word, text (in quotes), sign, end
    text: str
    at: int  # of its first character, counted from 1


_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<sign><=|>=|!=|[=<>~(),])|(?P<word>[^\s=<>!~(),"']+))""", re.ASCII
)
_WORDS: Final = frozenset({"and", "or", "not", "in"})


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Query:
        query = self._any_of()
        token = self._tokens[self._next]
        if token.kind != "end":
            _wrong(token, "expected and, or, or the end")
        return query

    def _any_of(self) -> Query:
        return self._joined("or", lambda: self._joined("and", self._one))

    def _joined(self, word: str, part: Callable[[], Query]) -> Query:
        parts = [part()]
        while self._takes(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Both(word, tuple(parts))

    def _one(self) -> Query:
        token = self._tokens[self._next]
        self._depth += 1
        if self._depth > DEEPEST:
            _wrong(token, f"more than {DEEPEST} parentheses and nots inside each other")
        if self._takes("not"):
            query: Query = Not(self._one())
        elif self._takes("("):
            query = self._any_of()
            self._must_be(")")
        else:
            query = self._comparison()
        self._depth -= 1
        return query

    def _comparison(self) -> Query:
        token = self._take()
        field = FIELDS.get(token.text.lower()) if token.kind == "word" else None
        if field is None:
            _wrong(token, f"expected one of the fields {', '.join(FIELDS)}, or not, or (")
        name = token.text.lower()
        following = self._tokens[self._next]
        if field.kind is _yes_or_no and (following.kind in ("end", "word") or following.text == ")"):
            return Comparison(name, "=", (True,))  # `stuck` alone
        token = self._take()
        operator = token.text.lower()
        if token.kind == "text" or operator not in field.operators:
            _wrong(token, f"expected one of {' '.join(field.operators)} after {name}")
        if operator != "in":
            return Comparison(name, operator, (self._value(name, field, operator),))
        self._must_be("(")
        values = [self._value(name, field, operator)]
        while self._takes(","):
            values.append(self._value(name, field, operator))
        self._must_be(")")
        return Comparison(name, operator, tuple(values))

    def _value(self, name: str, field: _Field, operator: str) -> Any:
        token = self._take()
        if token.kind not in ("word", "text"):
            _wrong(token, f"expected a value for {name}")
        try:
            return _text(token.text) if operator == "~" else field.kind(token.text)
        except ValueError as error:
            _wrong(token, f"{name} is {error}")

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _takes(self, text: str) -> bool:
        token = self._tokens[self._next]
        found = token.kind != "text" and token.text.lower() == text
        self._next += found
        return found

    def _must_be(self, text: str) -> None:
        if not self._takes(text):
            _wrong(self._tokens[self._next], f"expected {text}")


def _tokens(text: str) -> list[_Token]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at, end)
        if found is None or not found.lastgroup:
            at += len(text[at:]) - len(text[at:].lstrip())
            _wrong(_Token("", text[at], at + 1), "a text in quotes ends with the same quote" if text[at] in "\"'"
                   else "expected one of = != < <= > >= ~")  # fmt: skip
        said = found[found.lastgroup]
        kind = found.lastgroup
        tokens.append(_Token(kind, said[1:-1] if kind == "text" else said, found.start(kind) + 1))
        at = found.end()
    return [*tokens, _Token("end", "", end + 1)]


def _wrong(token: _Token, sentence: str) -> NoReturn:
    said = "the end" if token.kind == "end" else repr(token.text[:40])
    raise BadQuery(f"at {token.at}, {said}: {sentence}")


# What values there are


def _text(text: str) -> str:
    return text


def _code(text: str) -> str:
    return text.upper()


def _status(text: str) -> str:
    return _one_of(text.lower(), STATUSES)


def _flow(text: str) -> str:
    return _one_of(text.lower(), FLOWS)


def _one_of(text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise ValueError(f"one of {', '.join(allowed)}")
    return text


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise ValueError("a whole number such as 2")
    return int(text)


def _amount(text: str) -> Decimal:
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,6})?", text, re.ASCII) or Decimal(text) > LARGEST_AMOUNT_MINOR:
        raise ValueError("a decimal in the payment's currency such as 1000.50")
    return Decimal(text)


def _yes_or_no(text: str) -> bool:
    return _one_of(text.lower(), ("yes", "no")) == "yes"


_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _time(text: str) -> datetime | timedelta:
    """An age (`2h`) or a moment (`2030-01-31T12:00`, UTC unless it says otherwise)."""
    age = re.fullmatch(r"([0-9]{1,6})([smhdw])", text, re.ASCII)
    if age:
        return timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        micros(moment)  # at the ends of time some have no UTC
    except (ValueError, OverflowError):
        raise ValueError("an age such as 30s, 15m, 2h, 3d, 1w, or a moment such as 2030-01-31T12:00") from None
    return moment


# What fields there are, and their SQL


class _Field(NamedTuple):
    kind: Callable[[str], Any]
    operators: tuple[str, ...]
    columns: tuple[str, ...]


_SAME: Final = ("=", "!=", "in")
_WORDED: Final = (*_SAME, "~")
_ORDERED: Final = ("<", "<=", ">", ">=")

FIELDS: Final[Mapping[str, _Field]] = {
    "payment": _Field(_text, _WORDED, ("payment_id",)),
    "status": _Field(_status, _SAME, ("status",)),
    "reason": _Field(_code, _WORDED, ("reason",)),
    "flow": _Field(_flow, _SAME, ("flow",)),
    "workflow": _Field(_text, _SAME, ("workflow",)),
    "version": _Field(_number, (*_SAME, *_ORDERED), ("workflow_version",)),
    "debtor": _Field(_text, _WORDED, ("debtor_account",)),
    "creditor": _Field(_text, _WORDED, ("creditor_name", "creditor_account")),
    "batch": _Field(_text, _WORDED, ("batch_id",)),
    "currency": _Field(_code, _SAME, ("currency",)),
    "amount": _Field(_amount, ("=", "!=", *_ORDERED), ("amount",)),
    "created": _Field(_time, _ORDERED, ("created_at",)),
    "updated": _Field(_time, _ORDERED, ("updated_at",)),
    "paused": _Field(_yes_or_no, ("=",), ()),
    "stuck": _Field(_yes_or_no, ("=",), ()),
    "text": _Field(_text, ("~",), SEARCHED),
}
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!=", "!=": "="}
_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}  # an age that is less is a moment that is later


def _sql(query: Query, now: datetime, *, holds: bool) -> Condition:
    """With `holds` false, the condition of the opposite, down to the comparisons: a column without a value has none."""
    if isinstance(query, Not):
        return _sql(query.part, now, holds=not holds)
    if isinstance(query, Comparison):
        return _compared(query, now, holds=holds)
    parts = [_sql(part, now, holds=holds) for part in query.parts]
    word = " AND " if (query.word == "and") == holds else " OR "
    return Condition(f"({word.join(part.sql for part in parts)})", sum((part.parameters for part in parts), ()))


def _compared(comparison: Comparison, now: datetime, *, holds: bool) -> Condition:
    name, operator, values = comparison.field, comparison.operator, comparison.values
    field = FIELDS[name]
    if field.kind is _yes_or_no:
        return _whether(name, now, holds=values[0] == holds)
    if operator == "~":
        return containing(field.columns, values[0], holds=holds)
    if operator in ("!=", "in"):
        is_in = (operator == "in") == holds
        return _among(field.columns, values, is_in=is_in) if name != "amount" else _amounts(values[0], "=", is_in)
    if operator == "=":
        return _amounts(values[0], "=", holds) if name == "amount" else _among(field.columns, values, is_in=holds)
    if not holds:
        operator = _OPPOSITE[operator]
    if name == "amount":
        return _amounts(values[0], operator, True)
    value = values[0]
    if isinstance(value, timedelta):
        operator, value = _TURNED[operator], micros(now) - value // timedelta(microseconds=1)
    elif isinstance(value, datetime):
        value = micros(value)
    return Condition(f"{field.columns[0]} {operator} ?", (value,))


def _whether(name: str, now: datetime, *, holds: bool) -> Condition:
    if name == "paused":
        return Condition(f"payment_id {'IN' if holds else 'NOT IN'} ({stuck.PAUSED})", ())
    return Condition(*(stuck.stuck(now) if holds else stuck.not_stuck(now)))


def _among(columns: tuple[str, ...], values: tuple[Any, ...], *, is_in: bool) -> Condition:
    if is_in and columns == ("status",):
        return _statuses(values)
    marks = ", ".join("?" * len(values))
    if is_in:
        parts = [f"{column} IN ({marks})" for column in columns]  # unknown, without a value: as good as false
    else:
        parts = [f"coalesce({column}, '') NOT IN ({marks})" for column in columns]
    return Condition(f"({(' OR ' if is_in else ' AND ').join(parts)})", values * len(columns))


def _statuses(values: tuple[Any, ...]) -> Condition:
    """So that an index finds what few payments have: the rare statuses, and those under way."""
    rare = tuple(value for value in values if value in RARE)
    moving = tuple(value for value in values if value in MOVING)
    other = tuple(value for value in values if value not in RARE and value not in MOVING)
    parts = []
    for column, some, more in (
        ("rare", rare, ""),
        ("status", moving, " AND deadline IS NOT NULL"),
        ("status", other, ""),
    ):
        if some:
            parts.append(f"({column} IN ({', '.join('?' * len(some))}){more})")
    return Condition(f"({' OR '.join(parts)})", rare + moving + other)


def containing(columns: tuple[str, ...], text: str, *, holds: bool = True) -> Condition:
    """Whether any of the columns has `text` somewhere in it; case matters only beyond ASCII."""
    wanted = text.translate(_ASCII_LOWER).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    liked = "LIKE" if holds else "NOT LIKE"
    parts = [f"lower(coalesce({column}, '')) {liked} ? ESCAPE '\\'" for column in columns]
    return Condition(f"({(' OR ' if holds else ' AND ').join(parts)})", (f"%{wanted}%",) * len(columns))


def _amounts(value: Decimal, operator: str, holds: bool) -> Condition:
    """Each currency's decimals make other minor units of the same decimal."""
    if operator == "=" and not holds:
        operator = "!="
    by_decimals: dict[int, list[str]] = {}
    for currency, decimals in DECIMALS.items():
        by_decimals.setdefault(decimals, []).append(currency)
    usual = max(by_decimals, key=lambda decimals: len(by_decimals[decimals]))
    cases, parameters = [], []
    for decimals, currencies in by_decimals.items():
        if decimals != usual:
            cases.append(f"WHEN currency IN ({', '.join('?' * len(currencies))}) THEN ?")
            parameters += [*currencies, _minor(value, decimals, operator)]
    sql = f"amount {operator} CASE {' '.join(cases)} ELSE ? END"
    return Condition(sql, (*parameters, _minor(value, usual, operator)))


def _minor(value: Decimal, decimals: int, operator: str) -> int:
    exact = value.scaleb(decimals)
    whole = int(exact.to_integral_value(ROUND_CEILING if operator in ("<", ">=") else ROUND_FLOOR))
    return -1 if operator in ("=", "!=") and whole != exact else whole
