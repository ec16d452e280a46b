"""The pages agree with each other and with the code.

To write the differences on the page about the workflow anew:
`PAYSAGA_WRITE_DOCS=1 .venv/bin/python -m pytest tests/unit/test_docs.py`.
"""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from actors.aml.index import ScreeningIndex
from actors.aml.watchlist import read_watchlist
from config.settings import SAMPLES, Settings
from tests.fakes.differences import OTHERS, differs, sections

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", SAMPLES / "README.md", *(ROOT / "docs").rglob("*.md")])
CHANGE = ROOT / "docs" / "how-to" / "change-the-workflow.md"
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
SECTION = re.compile(r"(<!-- from the code: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
THRESHOLD = re.compile(r"`(block_at|hold_at) = (\d+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A reader who follows one finds a page, and the heading it names."""
    text = page.read_text("utf-8")
    for target, heading in LINK.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{page.name} links to {target}"
        if heading:
            assert heading in _headings(there), f"{page.name} links to {target}#{heading}"


def test_every_page_can_be_found_from_the_index() -> None:
    """A page that nothing links to is read by nobody."""
    linked = {
        (page.parent / target).resolve()
        for page in PAGES
        for target, _ in LINK.findall(page.read_text("utf-8"))
        if target
    }
    assert {page for page in PAGES if page != ROOT / "README.md"} <= linked


def test_the_page_about_the_workflow_shows_what_the_orders_differ_in() -> None:
    """The page claims that these are the real differences."""
    text = CHANGE.read_text("utf-8")
    found = sections()
    current = SECTION.sub(lambda match: f"{match.group(1)}{found[match.group(2)]}\n{match.group(3)}", text)
    if os.environ.get("PAYSAGA_WRITE_DOCS"):
        CHANGE.write_text(current, "utf-8")
    assert set(found) == {name for _, name, _ in SECTION.findall(text)}
    assert text == current or os.environ.get("PAYSAGA_WRITE_DOCS")


def test_no_other_service_depends_on_the_order() -> None:
    """The page says that three services change and no more."""
    assert not [path for path in OTHERS if differs(path)]


def test_the_sample_names_are_screened_as_their_page_says() -> None:
    """Under the default settings, which is what a reader runs."""
    aml = Settings().aml
    text = (SAMPLES / "README.md").read_text("utf-8")
    assert {name: float(value) for name, value in THRESHOLD.findall(text)[:2]} == {
        "block_at": aml.block_at,
        "hold_at": aml.hold_at,
    }
    index = ScreeningIndex([read_watchlist(SAMPLES / "watchlist.csv", None, None)], aml.block_at, aml.hold_at)
    rows = [row for row in csv.reader(text.splitlines(), delimiter="|") if len(row) > 5 and row[1].startswith(" `")]
    assert len(rows) > 10
    for _, name, born, happens, *_ in rows:
        verdict = index.screen(name.strip(" `"), date_of_birth=born.strip() or None).verdict
        assert happens.strip().startswith(verdict), name


def _headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}
