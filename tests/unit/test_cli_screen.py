"""What is written where, and how it looks in a pipe."""

from __future__ import annotations

import io
import json

import pytest

from actors.admin.screen import Screen
from actors.admin.tables import payments_table, said, timeline_table


def screen() -> Screen:
    """A screen on two files."""
    return Screen(io.StringIO(), io.StringIO())


def written(on: Screen) -> str:
    """What went to standard output."""
    assert isinstance(on.stdout, io.StringIO)
    return on.stdout.getvalue()


def test_a_table_in_a_pipe_is_plain_text_with_nothing_cut_off() -> None:
    """`grep` and `awk` see whole words, one row a line, no colours and no blanks at the end."""
    on = screen()
    long = "x" * 300
    on.table(("name", ">amount"), [(long, "1.00"), ("y", "200.00")])
    header, first, second = written(on).splitlines()
    assert header.split() == ["name", "amount"]
    assert first.split() == [long, "1.00"]
    assert second.endswith("200.00")
    assert "\x1b" not in written(on)


def test_markup_in_data_is_shown_as_it_is() -> None:
    """A remittance text may hold brackets."""
    on = screen()
    on.table(("text",), [("[bold]Salary[/bold] [May]",)])
    assert "[bold]Salary[/bold] [May]" in written(on)


def test_an_empty_table_says_that_it_is() -> None:
    """Rather than a header over nothing."""
    on = screen()
    on.table(("a",), [], empty="no payment meets this")
    assert written(on) == "no payment meets this\n"


def test_json_is_one_document_and_nothing_beside_it() -> None:
    """Text for people stays away from standard output then."""
    on = Screen(io.StringIO(), io.StringIO(), as_json=True)
    on.say("hello")
    on.show({"name": "Šárka"}, lambda _: on.say("never"))
    assert json.loads(written(on)) == {"name": "Šárka"}
    with pytest.raises(AssertionError):
        on.document({})


def test_notes_go_to_standard_error() -> None:
    """Where they disturb no reader of the answer."""
    on = screen()
    on.note("by the way")
    assert written(on) == ""
    assert isinstance(on.stderr, io.StringIO)
    assert on.stderr.getvalue() == "by the way\n"


def test_csv_quotes_what_needs_it() -> None:
    """A comma in a name is no new column."""
    on = screen()
    on.csv(("name", "n"), [("Blockov, Viktor", 1), (None, 2)])
    assert written(on) == 'name,n\n"Blockov, Viktor",1\n,2\n'


def test_progress_is_silent_where_nobody_watches() -> None:
    """No bar is drawn into a log file."""
    on = screen()
    with on.progress("orders", 2) as advance:
        advance(2)
    assert isinstance(on.stderr, io.StringIO)
    assert on.stderr.getvalue() == ""


def test_no_payments_are_said_to_be_none() -> None:
    """The empty list of payments has its sentence."""
    on = screen()
    payments_table(on, [])
    assert written(on) == "no payment meets this\n"


def test_a_timeline_shows_the_reason_and_leaves_the_payments_own_id_out() -> None:
    """Every line belongs to the payment; saying so on each hides what matters."""
    on = screen()
    entry = {
        "at": "2030-01-01T12:00:00.123456+00:00",
        "kind": "reply",
        "type": "DebitRefused",
        "sender": "ledger",
        "receiver": "payment/P1-00",
        "message_id": "m",
        "causation_id": None,
        "data": {"debit_id": "P1-00", "reason": {"code": "AM04", "text": "too little"}},
    }
    timeline_table(on, [entry], "P1-00")
    line = written(on).splitlines()[1]
    assert line.split() == ["12:00:00.123", "reply", "DebitRefused", "ledger", "→", "saga", "AM04", "too", "little"]


def test_what_a_message_says_is_kept_short() -> None:
    """The whole of it is in `payment --json`."""
    assert said({"order": {"x": 1}, "name": "a", "empty": None}) == "name a"
    assert len(said({"text": "x" * 500})) == 60
