"""The comparison's reading of the code: on a small made-up tree, and on the real one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from actors.admin.compare import table
from actors.admin.compare.changes import changes
from actors.admin.compare.knowledge import knowledge
from actors.admin.compare.source import CHOREOGRAPHED, ORCHESTRATED, Source
from actors.payment.workflow import WORKFLOWS
from actors.topology import SERVICES
from tests.fakes.differences import REACTIONS, WORKFLOW

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "choreography-or-orchestration.md"
SECTION = re.compile(r"(<!-- from the code: comparison -->\n).*?(<!-- end -->)", re.DOTALL)
SMALL = ("stock", "bank", "driver")
STOCK = '''
from actors.bank.messages import Paid, Refused
from actors.directory.reaction import ANY_ORDER, BOTH_FLOWS, On
from actors.stock.messages import Reserve, Free


def reserve(event: Paid) -> Reserve:
    """Words that are no code."""
    return _made(event)  # a comment beside code


def _made(event):
    # a comment alone
    return Reserve(id=event.id)


def free(event: Refused) -> Free:
    return Free(id=event.id)


REACTIONS = {
    "debit-first": (On(Paid, Reserve, reserve),),
    ANY_ORDER: (On(Refused, Free, free),),
}
'''
BANK = """
from actors.bank.messages import Pay
from actors.directory.reaction import On
from actors.stock.messages import Reserved

EXTRA = (On(Reserved, Pay, lambda event: Pay(id=event.id)),)
REACTIONS = {"screen-first": (*EXTRA,), "gift": (On(Reserved, Pay, Pay),)}
"""
DRIVER = """
from actors.bank.messages import Pay, Paid, Refused
from actors.stock.messages import Reserve, Reserved

PAY = Step("pay", command=Pay, done=Paid)
RESERVE = Step("reserve", command=Reserve)
ONE = payment("debit-first", version=1, steps=(PAY, RESERVE, POST))
OTHER = payment("screen-first", version=1, steps=(RESERVE, PAY, POST))
"""
GIFT = """
from actors.stock.messages import Reserve

WRAP = Step("wrap", command=Reserve)
GIFT = payment("gift", version=1, steps=(WRAP,))
"""


def small(root: Path) -> Path:
    """A tree of two services and one that drives them."""
    rooms = {"stock/reactions": STOCK, "bank/reactions": BANK, "driver/workflow": DRIVER, "driver/gift": GIFT}
    for room, text in rooms.items():
        path = root / "actors" / f"{room}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_who_imports_whom_is_told_for_each_flow(tmp_path: Path) -> None:
    """The matrix is the price of each style: it must hold what the files say, and nothing of the other flow."""
    known = knowledge(small(tmp_path), SMALL)
    assert known[CHOREOGRAPHED]["imports"] == {"bank": {"stock": ["Reserved"]}, "stock": {"bank": ["Paid", "Refused"]}}
    assert known[ORCHESTRATED]["imports"] == {
        "driver": {"stock": ["Reserve", "Reserved"], "bank": ["Paid", "Pay", "Refused"]}
    }
    assert known[CHOREOGRAPHED]["imported_names"] == 3
    assert known[CHOREOGRAPHED]["actors_that_know_the_order"] == ["bank", "stock"]
    assert known[ORCHESTRATED]["actors_that_know_the_order"] == ["driver"]


def test_what_a_change_touches_is_what_one_variant_has_alone(tmp_path: Path) -> None:
    """A function that only one order uses counts with what it uses; comments, docstrings and shared code don't."""
    order, gift = changes(small(tmp_path), SMALL)
    choreographed = order[CHOREOGRAPHED]
    assert choreographed["files"] == ["actors/bank/reactions.py", "actors/stock/reactions.py"]
    assert choreographed["functions"] == ["_made", "reserve"]
    assert choreographed["lines_removed"] == 7  # 2 lines of each function, their entry, 2 imports
    assert choreographed["lines_added"] == 4  # the entry and all that its file imports for it
    assert (order[ORCHESTRATED]["lines_removed"], order[ORCHESTRATED]["lines_added"]) == (1, 1)
    assert order[ORCHESTRATED]["files"] == ["actors/driver/workflow.py"]
    assert gift["change"] == "a second process, gift"
    assert gift[CHOREOGRAPHED]["files"] == ["actors/bank/reactions.py"]
    assert gift[ORCHESTRATED]["files"] == ["actors/driver/gift.py"]
    assert gift[ORCHESTRATED]["lines_added"] == 3


def test_the_names_of_the_real_tree_are_those_that_its_files_import() -> None:
    """A name that is counted stands in an import of that service's reactions, or of the workflow's modules."""
    known = knowledge(ROOT, SERVICES)
    for flow, of in known.items():
        assert of["imported_names"] > 0
        assert set(of["imports"]) <= set(SERVICES)
        for service, imports in of["imports"].items():
            rooms = (ROOT / "actors" / service).glob("*.py" if flow == ORCHESTRATED else "reactions.py")
            text = "\n".join(path.read_text() for path in rooms)
            for other, names in imports.items():
                assert f"from actors.{other}.messages import" in text
                assert all(name in text for name in names)


def test_in_the_real_tree_one_actor_knows_the_order_or_several_do() -> None:
    """That is the difference between the two styles; a third kind of actor that knows it would be a mistake."""
    known = knowledge(ROOT, SERVICES)
    assert known[ORCHESTRATED]["actors_that_know_the_order"] == ["payment"]
    assert set(known[CHOREOGRAPHED]["actors_that_know_the_order"]) >= {"aml", "execution", "ledger"}
    assert "payment" not in known[CHOREOGRAPHED]["imports"]


def test_the_real_change_of_order_is_where_the_other_reading_of_the_code_finds_it() -> None:
    """Two readings of the same source, by different means, agree on the files."""
    order = changes(ROOT, SERVICES)[0]
    assert order[CHOREOGRAPHED]["files"] == sorted(REACTIONS)
    assert order[ORCHESTRATED]["files"] == [WORKFLOW]
    assert (order[ORCHESTRATED]["lines_removed"], order[ORCHESTRATED]["lines_added"]) == (1, 1)
    assert order[CHOREOGRAPHED]["lines_added"] > 1


def test_every_shipped_workflow_is_found_in_the_source() -> None:
    """A workflow that the reading misses would be missing from the comparison without a word."""
    found = {name for path in (ROOT / "actors/payment").glob("*.py") for name in Source(ROOT, path).workflows}
    assert found == {name for name, _ in WORKFLOWS}


def test_the_changes_are_plain_data() -> None:
    """They go into one JSON document as they are."""
    import json

    document: Any = changes(ROOT, SERVICES)
    assert json.loads(json.dumps(document)) == document


def test_the_page_about_the_two_styles_says_what_the_code_says_today() -> None:
    """Figures on a page grow old in silence. PAYSAGA_WRITE_DOCS=1 writes them anew."""
    text = PAGE.read_text("utf-8")
    document = {"knowledge": knowledge(ROOT, SERVICES), "changes": changes(ROOT, SERVICES)}
    tables = [
        _markdown(("", "orchestrated", "choreographed"), table.known(document)),
        _markdown(("change", "flow", "services", "files", "lines", "functions", "imports"), table.touched(document)),
    ]
    current = SECTION.sub(lambda match: match[1] + "\n".join(tables) + match[2], text)
    if os.environ.get("PAYSAGA_WRITE_DOCS"):
        PAGE.write_text(current, "utf-8")
        text = current
    assert SECTION.search(text)
    assert text == current


def _markdown(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in row)} |\n" for row in lines)
