"""bpmn-js in a headless browser: opens documents as a person's modeller would, and says what it found."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

HOME: Final = Path(__file__).parents[1] / "modeller"
MODELLER: Final = HOME / "node_modules" / "bpmn-js" / "dist"
_REPORT: Final = re.compile(r'<pre id="report">(.*?)</pre>', re.DOTALL)
_PATIENCE: Final = 120


def browser() -> str | None:
    """The browser's program, or None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def missing() -> str:
    """What is missing to open a document, as a sentence that says how to get it; empty: nothing."""
    if not browser():
        return "no browser: `apt-get install chromium` (make test does it, as root on Debian)"
    if not MODELLER.exists():
        return "no modeller: `npm ci` in tests/modeller (make test does it; npm is in Debian's package npm)"
    return ""


def open_each(documents: dict[str, str], place: Path) -> dict[str, dict[str, Any]]:
    """Per document: `warnings`, `elements` with their bounds, and the document as `saved` again; or why it `failed`."""
    text = json.dumps(documents).replace("<", "\\u003c")
    (place / "documents.js").write_text(f"const DOCUMENTS = {text};", "utf-8")
    page = place / "page.html"
    page.write_text((HOME / "page.html").read_text("utf-8").replace("MODELLER", MODELLER.as_uri()), "utf-8")
    program = browser()
    assert program
    # Virtual time runs on as fast as the page's own work is done: it is no wait.
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=600000",
               f"--user-data-dir={place / 'profile'}")  # fmt: skip
    done = subprocess.run(
        [program, *options, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=_PATIENCE, check=False,
    )  # fmt: skip
    found = _REPORT.search(done.stdout)
    assert found, f"the browser said nothing (status {done.returncode}): {done.stderr[-2000:]}"
    report: dict[str, dict[str, Any]] = json.loads(html.unescape(found.group(1)))
    return report
