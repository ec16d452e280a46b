"""Order files, .csv and .ndjson, read line by line: every line becomes an order or a sentence about it.

Knows the files' form alone; what an order must look like stands in `model`. Never holds a whole file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from actors.disbursement import model
from actors.disbursement.messages import SubmitPayment
from actors.vocabulary.money import BadAmount, parse_money

REQUIRED: Final = (
    "idempotency_key",
    "debtor_account",
    "creditor_name",
    "creditor_account",
    "amount",
    "currency",
)
OPTIONAL: Final = (
    "creditor_country",
    "creditor_email",
    "creditor_date_of_birth",
    "end_to_end_id",
    "remittance",
    "flow",
    "execution_date",
    "workflow",
)
COLUMNS: Final = REQUIRED + OPTIONAL
LONGEST_LINE: Final = 1 << 20  # characters; what is longer is no order
LONGEST_QUOTE: Final = 20  # lines that a quoted field may go over before it is taken for a forgotten quote

Line = tuple[int, SubmitPayment | str]
Values = tuple[str, ...]  # in the order of COLUMNS; "" is not given


class BadOrderFile(ValueError):
    """The file as a whole can't be read; the text is one sentence that says what to change."""


def read_orders(path: Path, *, flow: str | None = None, batch_id: str | None = None) -> Iterator[Line]:
    """Each line's number with its order, or with the sentence that says why it is none. Blank lines don't count.

    `flow` is for lines that name none. A key that the file has used for other content is refused; the same
    content again is passed on (the system knows it as a duplicate).

    Raises:
        BadOrderFile: at once, when the file can't be opened or its header can't be understood.
    """
    reader = {".csv": _csv_lines, ".ndjson": _ndjson_lines, ".jsonl": _ndjson_lines}.get(path.suffix.lower())
    if reader is None:
        raise BadOrderFile(f"{path.name} is neither a .csv nor a .ndjson file")
    lines = _text_lines(path)
    first = next(lines, None)
    if first is None:
        raise BadOrderFile(f"{path.name} is empty")
    return _orders(reader(path.name, first, lines), flow, batch_id)


def order_of(values: Values, *, flow: str | None = None, batch_id: str | None = None) -> SubmitPayment | str:
    """The order that these texts (in the order of `COLUMNS`, "" where not given) describe, or what is wrong."""
    key, debtor, name, account, amount, currency, country, email, born, end_to_end, remittance, *own = values
    own_flow, execution_date, workflow = own
    error = ""
    try:
        money = parse_money(amount, currency)
    except BadAmount as bad:
        error = str(bad) if amount else "amount is empty"
        money = _SOME_MONEY  # so that what else is wrong is told too
    order = SubmitPayment(
        idempotency_key=key,
        debtor_account=debtor,
        creditor_name=name,
        creditor_account=account,
        amount=money,
        creditor_country=country or None,
        creditor_email=email or None,
        creditor_date_of_birth=born or None,
        end_to_end_id=end_to_end or None,
        remittance=remittance,
        flow=own_flow or flow,
        batch_id=batch_id,
        execution_date=execution_date or None,
        workflow=workflow or None,
    )
    errors = model.form_errors(order)
    if not (error or errors):
        return order
    return "; ".join([*errors, error] if error else errors)


_SOME_MONEY: Final = parse_money("1", "EUR")


def _orders(lines: Iterable[tuple[int, Values | str]], flow: str | None, batch_id: str | None) -> Iterator[Line]:
    seen: dict[str, tuple[int, bytes]] = {}
    for number, values in lines:
        if isinstance(values, str):
            yield number, values
            continue
        order = order_of(values, flow=flow, batch_id=batch_id)
        if isinstance(order, SubmitPayment):
            digest = model.digest(order)
            earlier, content = seen.setdefault(order.idempotency_key, (number, digest))
            if content != digest:
                key = order.idempotency_key
                yield number, f"idempotency_key {key} is used by line {earlier} already, for an order of other content"
                continue
        yield number, order


def _text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Every line that is not blank with its number; bytes that are no UTF-8 are kept as half characters."""
    try:
        with path.open("rb") as raw:
            if raw.read(4).startswith((b"\xff\xfe", b"\xfe\xff")):
                raise BadOrderFile(f"{path.name} is encoded in UTF-16; save it as UTF-8")
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE and line[-1] != "\n":
                    while (rest := file.readline(LONGEST_LINE)) and rest[-1] != "\n":
                        pass
                line = line.rstrip("\n")
                if line and not line.isspace():
                    yield number, line
    except OSError as error:
        raise BadOrderFile(f"{path.name} can't be read: {error.strerror}") from error


def _unreadable(line: str) -> str:
    """What is wrong with the line as text; empty when nothing is."""
    if line.isascii():
        return ""
    try:
        line.encode()
    except UnicodeEncodeError:
        return "the line is not UTF-8"
    return ""


def _csv_lines(
    name: str, first: tuple[int, str], lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, Values | str]]:
    """Check the header now; read the lines as they are asked for."""
    places = _places(name, first[1])
    return _csv_values(lines, places)


def _places(name: str, header: str) -> tuple[int, ...]:
    """Where each of `COLUMNS` stands in the file; -1 for one that is not there."""
    if _unreadable(header):
        raise BadOrderFile(f"{name} is not UTF-8; save it as UTF-8")
    columns = [column.strip() for column in _split(header) or [header]]
    if len(columns) == 1 and ";" in header:
        raise BadOrderFile(f"{name} separates its columns by semicolons; separate them by commas")
    for what, wrong in (
        ("has no column", [column for column in REQUIRED if column not in columns]),
        ("has an unknown column", [repr(column[:40]) for column in columns if column not in COLUMNS]),
        ("has twice the column", [column for column in COLUMNS if columns.count(column) > 1]),
    ):
        if wrong:
            shown = ", ".join(wrong[:6])
            raise BadOrderFile(f"{name} {what} {shown}: its first line names the columns, as in {','.join(REQUIRED)}")
    return tuple(columns.index(column) if column in columns else -1 for column in COLUMNS)


def _csv_values(lines: Iterator[tuple[int, str]], places: tuple[int, ...]) -> Iterator[tuple[int, Values | str]]:
    count = sum(place >= 0 for place in places)
    waiting: list[tuple[int, str]] = []  # lines looked at in vain for the end of a quote
    while True:
        number, line = waiting.pop(0) if waiting else next(lines, (0, ""))
        if not number:
            return
        if '"' in line:
            line = _to_the_end_of_the_quote(line, waiting, lines)
        fields = _split(line)
        if fields is None:
            yield number, "a quote is opened and not closed, or stands inside a field: write it twice, within quotes"
        elif len(fields) != count:
            yield number, f"the line has {len(fields)} fields, the header {count}"
        elif problem := _unreadable(line):
            yield number, problem
        else:
            fields.append("")  # what place -1 finds
            yield number, tuple([fields[place].strip() for place in places])


def _to_the_end_of_the_quote(line: str, waiting: list[tuple[int, str]], lines: Iterator[tuple[int, str]]) -> str:
    """The line with those that its quoted field goes on to; only itself if the quote is never closed."""
    if line.count('"') % 2 == 0:
        return line
    waiting += islice(lines, max(0, LONGEST_QUOTE - len(waiting)))
    whole = line
    for at, (_, more) in enumerate(waiting):
        whole += "\n" + more
        if more.count('"') % 2:
            del waiting[: at + 1]
            return whole
    return line


def _split(line: str) -> list[str] | None:
    """The fields of one CSV record (RFC 4180); None when its quotes are wrong."""
    if '"' not in line:
        return line.split(",")
    fields: list[str] = []
    at = 0
    while True:
        if not line.startswith('"', at):
            end = line.find(",", at)
            field, comma = (line[at:end], ",") if end >= 0 else (line[at:], "")
            if '"' in field:
                return None
            at += len(field)
        else:
            end = line.find('"', at + 1)
            while end >= 0 and line.startswith('""', end):
                end = line.find('"', end + 2)
            if end < 0:
                return None
            field = line[at + 1 : end].replace('""', '"')
            at = end + 1
            comma = line[at : at + 1]
            if comma not in ("", ","):
                return None
        fields.append(field)
        if not comma:
            return fields
        at += 1


def _ndjson_lines(
    name: str, first: tuple[int, str], lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, Values | str]]:
    """There is no header to check."""
    return _ndjson_values(first, lines)


def _ndjson_values(first: tuple[int, str], lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, Values | str]]:
    yield first[0], _unreadable(first[1]) or _from_json(first[1])
    for number, line in lines:
        yield number, _unreadable(line) or _from_json(line)


def _from_json(line: str) -> Values | str:
    try:
        pairs = _decode(line)
    except (ValueError, RecursionError):
        return "the line is not one JSON object"
    if not isinstance(pairs, _Pairs):
        return "the line is not one JSON object"
    given = dict(pairs)
    if len(given) < len(pairs):
        named = Counter(key for key, _ in pairs)
        twice = sorted(repr(key[:40]) for key, number in named.items() if number > 1)
        return f"the object names {', '.join(twice[:6])} twice"
    values = tuple(["" if (value := given.pop(column, None)) is None else value for column in COLUMNS])
    if given:
        unknown = ", ".join(repr(key[:40]) for key in list(given)[:6])
        return f"the object has an unknown name {unknown}"
    for column, value in zip(COLUMNS, values, strict=True):
        if not isinstance(value, str):
            return f"{column} must be text"
    return tuple([value.strip() for value in values])


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as written: pairs, so that a name given twice is seen."""


# Numbers stay the text they are: an amount never becomes a float.
_decode: Callable[[str], Any] = json.JSONDecoder(object_pairs_hook=_Pairs, parse_float=str, parse_int=str).decode
