"""Order files as people and spreadsheets write them: every line becomes an order or a sentence."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.disbursement import files
from actors.disbursement.files import COLUMNS, REQUIRED, BadOrderFile, read_orders
from actors.disbursement.messages import SubmitPayment
from actors.vocabulary.money import Money
from config.settings import SAMPLES

HEADER = ",".join(REQUIRED)
ROW = "K-1,ACC-1,Example Ltd,TEST-1,12.50,EUR"
ORDER = SubmitPayment(
    idempotency_key="K-1",
    debtor_account="ACC-1",
    creditor_name="Example Ltd",
    creditor_account="TEST-1",
    amount=Money(1250, "EUR"),
)


def csv_file(folder: Path, *lines: str | bytes, header: str = HEADER) -> Path:
    """A CSV file of these lines."""
    path = folder / "orders.csv"
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in (header, *lines))
    )
    return path


def ndjson_file(folder: Path, *lines: str) -> Path:
    """An NDJSON file of these lines."""
    path = folder / "orders.ndjson"
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def row_as_json(**other: object) -> str:
    """The row as an object, with other values."""
    return json.dumps(dict(zip(REQUIRED, ROW.split(","), strict=True)) | other)


def test_a_line_becomes_an_order_with_its_number(tmp_path: Path) -> None:
    """The header is line 1; blank lines count as lines, not as orders."""
    assert list(read_orders(csv_file(tmp_path, "", ROW, "   "))) == [(3, ORDER)]


def test_both_formats_read_alike(tmp_path: Path) -> None:
    """The same order, whatever the file."""
    assert list(read_orders(ndjson_file(tmp_path, row_as_json()))) == [(1, ORDER)]


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    """In any order, with optional ones; an empty field is not given."""
    header = "remittance,currency,amount,flow,creditor_account,creditor_name,debtor_account,idempotency_key"
    path = csv_file(
        tmp_path, "rent,EUR,1,choreographed,TEST-1,Example Ltd,ACC-1,K-1", ",EUR,1,,T,E,A,K-2", header=header
    )
    (_, first), (_, second) = read_orders(path, flow="orchestrated", batch_id="B-1")
    assert isinstance(first, SubmitPayment)
    assert isinstance(second, SubmitPayment)
    assert (first.remittance, first.flow, first.batch_id) == ("rent", "choreographed", "B-1")
    assert (second.remittance, second.flow, second.creditor_email) == ("", "orchestrated", None)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("idempotency_key,debtor_account", "has no column creditor_name, creditor_account, amount, currency"),
        (HEADER + ",iban", "has an unknown column 'iban'"),
        (HEADER + ",amount", "has twice the column amount"),
        (HEADER + ",", "has an unknown column ''"),
        (HEADER.replace(",", ";"), "separates its columns by semicolons"),
        ("PK\x03\x04", "has no column"),
    ],
)
def test_a_header_that_cant_be_understood_is_refused_in_one_sentence(tmp_path: Path, header: str, words: str) -> None:
    """At once, before any line is sent."""
    with pytest.raises(BadOrderFile, match=words):
        read_orders(csv_file(tmp_path, ROW, header=header))


def test_a_file_that_cant_be_read_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Missing, a folder, empty, of another kind, of another encoding."""
    (tmp_path / "empty.csv").write_bytes(b"\n \n")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "wide.csv").write_bytes(HEADER.encode("utf-16"))
    (tmp_path / "latin.csv").write_bytes((HEADER + ",größe").encode("latin-1"))
    for name, words in (
        ("missing.csv", "No such file"),
        ("folder.csv", "Is a directory"),
        ("empty.csv", "is empty"),
        ("orders.xlsx", "neither a .csv nor a .ndjson"),
        ("wide.csv", "UTF-16"),
        ("latin.csv", "is not UTF-8"),
    ):
        with pytest.raises(BadOrderFile, match=words):
            read_orders(tmp_path / name)


def test_a_byte_order_mark_and_windows_line_ends_are_no_content(tmp_path: Path) -> None:
    """Spreadsheets write both."""
    path = tmp_path / "orders.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{ROW}\r\n".encode())
    assert list(read_orders(path)) == [(2, ORDER)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("K-1,ACC-1,Example Ltd,TEST-1,12.50", "the line has 5 fields, the header 6"),
        (ROW + ",more", "the line has 7 fields, the header 6"),
        (ROW.replace("12.50", "much"), "amount 'much' is not a number"),
        (ROW.replace("12.50", ""), "amount is empty"),
        (ROW.replace("EUR", "EURO"), "currency 'EURO' is not an active"),
        (ROW.replace("K-1", ""), "idempotency_key is empty"),
        (ROW.replace("Example", "Exa\x00mple"), "can't be shown (U+0000)"),
        (ROW.replace("Example", "x" * 10_000), "creditor_name has 10004 characters"),
        (ROW.replace("Example", '"Example'), "a quote is opened and not closed"),
        (ROW.replace("Example", 'Ex"ample'), "a quote is opened and not closed, or stands inside a field"),
        (ROW.replace("Example Ltd", '"Example" Ltd'), "a quote is opened and not closed, or stands inside a field"),
        (ROW.encode().replace(b"Example", b"Ex\xe4mple"), "the line is not UTF-8"),
    ],
)
def test_a_bad_line_is_told_and_the_rest_is_read(tmp_path: Path, line: str | bytes, words: str) -> None:
    """One bad line costs one line, never its neighbours."""
    good = ROW.replace("K-1", "K-2")
    (first, error), (second, order) = read_orders(csv_file(tmp_path, line, good))
    assert (first, second) == (2, 3)
    assert isinstance(error, str)
    assert words in error
    assert isinstance(order, SubmitPayment)


def test_all_that_is_wrong_with_a_line_is_told_at_once(tmp_path: Path) -> None:
    """A person corrects a line once."""
    ((_, error),) = read_orders(csv_file(tmp_path, "K-1,,Example Ltd,TEST-1,0,EUR"))
    assert error == "debtor_account is empty; amount '0' must be more than zero"


def test_quoted_fields_hold_commas_and_quotes(tmp_path: Path) -> None:
    """As spreadsheets write them."""
    ((_, order),) = read_orders(csv_file(tmp_path, ROW.replace("Example Ltd", '"Example ""Best"", Ltd"')))
    assert isinstance(order, SubmitPayment)
    assert order.creditor_name == 'Example "Best", Ltd'


def test_a_field_over_several_lines_is_one_bad_line(tmp_path: Path) -> None:
    """A line break is no character of a name; the lines after it are read as usual."""
    path = csv_file(tmp_path, 'K-1,ACC-1,"Example', 'Ltd",TEST-1,12.50,EUR', ROW)
    (first, error), (second, order) = read_orders(path)
    assert (first, second) == (2, 4)
    assert "U+000A" in str(error)
    assert order == ORDER


def test_a_forgotten_quote_costs_only_its_own_line(tmp_path: Path) -> None:
    """Even when another quoted field comes much later."""
    rows = [ROW.replace("K-1", f"K-{n}") for n in range(2, 40)]
    last = ROW.replace("K-1", "K-99").replace("Example Ltd", '"Example Ltd"')
    lines = list(read_orders(csv_file(tmp_path, ROW.replace("Example", '"Example'), *rows, last)))
    assert [number for number, _ in lines] == list(range(2, 42))
    assert [number for number, order in lines if isinstance(order, str)] == [2]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "the line is not one JSON object"),
        ("[1]", "the line is not one JSON object"),
        ("[]", "the line is not one JSON object"),
        ("{}", "idempotency_key is empty"),
        ("{} {}", "the line is not one JSON object"),
        ("[" * 100_000, "the line is not one JSON object"),
        (row_as_json(iban="x"), "unknown name 'iban'"),
        (row_as_json(creditor_name=None), "creditor_name is empty"),
        (row_as_json(creditor_name=["x"]), "creditor_name must be text"),
        (row_as_json(remittance=False), "remittance must be text"),
        (row_as_json(remittance={}), "remittance must be text"),
        (row_as_json(creditor_name="\ud800x"), "can't be shown (U+D800)"),
        (row_as_json(amount=0), "amount '0' must be more than zero"),
        ('{"amount": NaN}', "amount must be text"),
        ('{"flow": "x", "flow": "y"}', "names 'flow' twice"),
    ],
)
def test_a_bad_json_line_is_told(tmp_path: Path, line: str, words: str) -> None:
    """The same care as for CSV."""
    ((number, error),) = read_orders(ndjson_file(tmp_path, line))
    assert number == 1
    assert isinstance(error, str)
    assert words in error


def test_an_amount_given_as_a_json_number_stays_exact(tmp_path: Path) -> None:
    """It is read as the digits that are written, never as a float."""
    ((_, order),) = read_orders(ndjson_file(tmp_path, row_as_json().replace('"12.50"', "9007199254740.93")))
    assert isinstance(order, SubmitPayment)
    assert order.amount == Money(900_719_925_474_093, "EUR")


def test_a_key_may_come_again_only_with_the_same_content(tmp_path: Path) -> None:
    """The same line twice is a duplicate, which the system knows; other content is a mistake in the file."""
    lines = list(read_orders(csv_file(tmp_path, ROW, ROW, ROW.replace("12.50", "13"))))
    assert lines[:2] == [(2, ORDER), (3, ORDER)]
    assert lines[2] == (4, "idempotency_key K-1 is used by line 2 already, for an order of other content")


def test_a_line_of_megabytes_is_refused_and_not_kept(tmp_path: Path) -> None:
    """What is no order must not fill the memory."""
    huge = ROW.replace("Example", "x" * (2 * files.LONGEST_LINE))
    (_, error), (number, order) = read_orders(csv_file(tmp_path, huge, ROW))
    assert isinstance(error, str)
    assert (number, order) == (3, ORDER)


@pytest.mark.parametrize("name", ["orders.csv", "orders.ndjson"])
def test_the_sample_files_are_without_mistakes(name: str) -> None:
    """They are the first thing that a newcomer submits."""
    lines = list(read_orders(SAMPLES / name))
    assert len(lines) == 25
    assert [order for _, order in lines if isinstance(order, str)] == []


fields = st.lists(st.text(alphabet=st.sampled_from("ab \",;'é\t"), max_size=6), min_size=2, max_size=5)


@given(fields)
def test_what_the_standard_library_writes_is_read_the_same(row: list[str]) -> None:
    """Our reader of one line and Python's csv module agree on every well-formed line."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(row)
    assert files._split(text.getvalue()) == row


@given(st.lists(st.binary(max_size=40), max_size=8), st.sampled_from((".csv", ".ndjson")))
def test_any_bytes_are_read_without_another_error(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], suffix: str
) -> None:
    """Whatever somebody submits: orders, sentences, or one sentence about the file."""
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(",".join(COLUMNS).encode() + b"\n" + b"\n".join(lines))
    try:
        for number, order in read_orders(path):
            assert number > 0
            assert isinstance(order, str | SubmitPayment)
    except BadOrderFile:
        pass
