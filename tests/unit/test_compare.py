"""The comparison's check of the books, its orders, its table and its report."""

from __future__ import annotations

import io
import json
from argparse import Namespace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from actors.admin.command import Invocation
from actors.admin.compare import run, table
from actors.admin.compare.books import check
from actors.admin.compare.orders import KINDS, mixed
from actors.admin.compare.report import html
from actors.admin.compare.source import FLOWS
from actors.admin.screen import Screen
from tests.fakes.comparison import comparison, some_books

NONE: dict[str, list[Any]] = {flow: [] for flow in FLOWS}
VOID = {"meta", "link", "br", "rect", "path"}


class Page(HTMLParser):
    """What a page is made of: its elements, balanced or not, and whatever it wants from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.wanted: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.wanted += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_one_page_that_needs_nothing_else() -> None:
    """It is sent around and opened without a network; what a system said must not become markup."""
    text = html(comparison())
    page = Page(text)
    assert page.open == []
    assert page.wanted == []
    assert "script" not in page.seen
    assert "url(" not in text
    assert page.seen.count("svg") >= 9
    assert "the <reaction> of aml & co failed" in page.text
    assert "2026-01-05" in page.text


def test_the_report_is_readable_in_the_dark_and_on_paper() -> None:
    """Colours come from one place, which knows both, and a printer's."""
    text = html(comparison())
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_a_small_comparison_has_every_kind_of_order() -> None:
    """A kind that is missing is a difference that could not be found."""
    orders = mixed(60, "choreographed")
    assert {order.remittance for order in orders} == {kind.name for kind in KINDS}
    assert sum(kind.of_100 for kind in KINDS) == 100
    assert len({order.idempotency_key for order in orders}) == 60


def test_both_flows_get_the_same_orders() -> None:
    """Otherwise it would be no comparison."""
    one, other = (mixed(200, flow) for flow in FLOWS)
    facts = [
        [(each.idempotency_key, each.amount, each.debtor_account, each.creditor_account) for each in orders]
        for orders in (one, other)
    ]
    assert facts[0] == facts[1]


def test_the_same_books_pass() -> None:
    """The check agrees where there is nothing to find."""
    assert check({flow: some_books() for flow in FLOWS}, NONE)["ok"]


def test_a_minor_unit_more_is_found_and_named() -> None:
    """The smallest difference that money can have."""
    found = check(dict(zip(FLOWS, (some_books(), some_books(1)), strict=True)), NONE)
    assert not found["ok"]
    assert found["examples"] == ["account A-1 has (-500, 0) (posted, pending), in the other flow (-499, 0)"]


def test_what_verify_finds_in_one_flow_is_a_difference_too() -> None:
    """Two ledgers that are wrong in the same way are equal and not right."""
    assert not check({flow: some_books() for flow in FLOWS}, NONE | {FLOWS[0]: [{"check": "x"}]})["ok"]


@pytest.mark.parametrize(("extra", "status"), [(0, 0), (1, 1)])
def test_a_difference_makes_it_exit_1(extra: int, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build pipeline looks at nothing else."""
    ledger = check(dict(zip(FLOWS, (some_books(), some_books(extra)), strict=True)), NONE)
    monkeypatch.setattr(run, "compare", lambda *_: comparison(ledger))
    out = io.StringIO()
    given = Namespace(payments=60, report=tmp_path / "report.html")
    invocation = Invocation(given, tmp_path, Screen(out, io.StringIO(), as_json=True), lambda *_: None, lambda _: None)  # type: ignore[arg-type, return-value]
    assert run.run(invocation) == status
    assert json.loads(out.getvalue())["ledger"]["ok"] is (status == 0)
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_the_table_says_that_the_ledgers_differ() -> None:
    """In capitals, with what differs: it is the last thing on the screen."""
    ledger = check(dict(zip(FLOWS, (some_books(), some_books(1)), strict=True)), NONE)
    out = io.StringIO()
    table.show(Screen(out), comparison(ledger))
    assert "did NOT leave the same ledger" in out.getvalue()
    assert "account A-1 has" in out.getvalue()
