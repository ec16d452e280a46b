"""What the pages tell a reader to type is typed here, and what they show is compared with what comes out.

To write the pages anew after a change of output, and then to read the difference before keeping it:
`PAYSAGA_WRITE_DOCS=1 .venv/bin/python -m pytest tests/e2e/test_docs.py`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.pages import ROOT, PageRun, copy_of_the_code

# Pages that a reader goes through one after the other share a place; the how-tos begin where the tutorial has led.
READINGS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    ((), ("docs/tutorial.md",)),
    ((), ("docs/tutorial-workflow.md",)),
    ((), ("README.md",)),
    (
        ("python system.py start", "python system.py account load config/samples/accounts.csv"),
        (
            "docs/how-to/submit-a-file.md",
            "docs/how-to/decide-on-held-payments.md",
            "docs/how-to/repair-many-payments.md",
            "docs/how-to/load-a-watchlist.md",
            "docs/how-to/add-a-service.md",
            "docs/how-to/back-up-and-restore.md",
            "docs/how-to/run-several-cells.md",
            "docs/how-to/pause-and-repair.md",
            "docs/how-to/see-a-workflow.md",
            "docs/how-to/approve-payments.md",
            "docs/how-to/refund-a-payment.md",
        ),
    ),
)
PAGES = [name for _, names in READINGS for name in names]


def _read(place: Path, before: tuple[str, ...], names: tuple[str, ...]) -> dict[str, PageRun]:
    copy_of_the_code(place)
    pages = {name: PageRun(ROOT / name, place) for name in names}
    first = pages[names[0]]
    try:
        for command in before:
            first.output(command)
        for page in pages.values():
            page.run()
    finally:
        first.output("for data in data several change; do python system.py --data $data stop --now; done")
    return pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PageRun]:
    """Every page, run once; the readings wait more than they work, so they run side by side."""
    with ThreadPoolExecutor(len(READINGS)) as pool:
        running = [
            pool.submit(_read, tmp_path_factory.mktemp("reader") / "paysaga", before, names)
            for before, names in READINGS
        ]
    return {name: page for each in running for name, page in each.result().items()}


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_shows_is_what_its_commands_print(name: str, pages: dict[str, PageRun]) -> None:
    """A reader who types along sees what the page says; a page that lies costs more than none."""
    page = pages[name]
    assert page.steps, "the page shows nothing to type"
    if os.environ.get("PAYSAGA_WRITE_DOCS"):
        assert not any("could not be launched" in line for step in page.steps for line in step.printed or []), (
            "no system"
        )
        (ROOT / name).write_text(page.rewritten(), "utf-8")
        return
    assert not page.differences(), "\n\n".join(page.differences())
