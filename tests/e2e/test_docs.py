"""What the pages tell a reader to type is typed here, and what they show is compared with what comes out.

To write the pages anew after a change of output: `PAYSAGA_WRITE_DOCS=1 .venv/bin/python -m pytest tests/e2e/test_docs.py`,
then read the difference before keeping it.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
import pytest

from tests.fakes.pages import ROOT, PageRun, copy_of_the_code

PAGES = ("README.md", "docs/tutorial.md")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PageRun]:
    """Every page, run once; they wait more than they work, so they run side by side."""
    made = {
        name: PageRun(ROOT / name, copy_of_the_code(tmp_path_factory.mktemp("reader") / "paysaga")) for name in PAGES
    }
    with ThreadPoolExecutor(len(made)) as pool:
        list(pool.map(PageRun.run, made.values()))
    return made


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_shows_is_what_its_commands_print(name: str, runs: dict[str, PageRun]) -> None:
    """A reader who types along sees what the page says; a page that lies costs more than none."""
    page = runs[name]
    assert page.steps, "the page shows nothing to type"
    if os.environ.get("PAYSAGA_WRITE_DOCS"):
        (ROOT / name).write_text(page.rewritten(), "utf-8")
        return
    assert not page.differences(), "\n\n".join(page.differences())
