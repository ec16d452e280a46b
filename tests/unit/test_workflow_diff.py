"""`workflow diff`: what a reader of two definitions would have to find by eye."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from actors import assembly
from actors.payment.workflow import DEBIT_FIRST, GUARDED
from actors.pictures import beside, svg
from actors.pictures.beside import Side
from actors.pictures.chain import chain
from actors.pictures.comparison import ADDED, CHANGED, MOVED, REMOVED, compare
from actors.pictures.outline import outline
from tests.fakes.pictured import EVERYTHING, faults, task


def changed(before: object, after: object) -> list[tuple[str, str, tuple[str, ...]]]:
    """Every line that differs."""
    rows = compare(before, after)  # type: ignore[arg-type]
    return [(row.left or row.right, row.what, row.changes) for row in rows if row.what]


def test_a_workflow_does_not_differ_from_itself() -> None:
    """Every step stands on both sides, and nothing is said of any."""
    rows = compare(EVERYTHING, EVERYTHING)
    assert all(row.left == row.right and not row.what for row in rows)


def test_added_removed_and_moved_steps_are_told_apart() -> None:
    """Moving a step is one change, not two."""
    debit, checks, approval, *rest = EVERYTHING.parts
    after = replace(EVERYTHING, parts=(checks, debit, task("New"), *rest))
    said = changed(EVERYTHING, after)
    assert [name for name, what, _ in said if what == MOVED] == ["Debit"]
    assert [name for name, what, _ in said if what == ADDED] == ["New"]
    assert [name for name, what, _ in said if what == REMOVED] == ["approval", "Approve", "country", "Ask", "pause"]
    assert approval.name == "approval"


def test_what_changed_in_a_step_is_named_with_before_and_after() -> None:
    """Timeouts, answers, policies, compensation: all that a definition says."""
    debit, *rest = EVERYTHING.parts
    now = replace(debit, timeout="9 s", refused="Refused", policies=(), undo=None)  # type: ignore[type-var]
    ((name, what, changes),) = changed(EVERYTHING, replace(EVERYTHING, parts=(now, *rest)))
    assert (name, what) == ("Debit", CHANGED)
    assert changes[0] == "refused by: DebitRefused → Refused"
    assert changes[1] == "timeout: 5 s → 9 s"
    assert changes[2].startswith("policies: AM04: again after 30 min, 3 times, AC04: stop and undo")
    assert changes[3] == "undone by: Undo → none"


def test_two_chains_are_compared_by_what_services_do() -> None:
    """The order of steps exists only in who reacts to what, so that is what differs."""
    reactions = assembly.reactions()
    said = changed(chain(reactions, "debit-first"), chain(reactions, "screen-first"))
    by_name = {name: changes for name, _, changes in said}
    assert "on: PaymentInitiated → BeneficiaryCleared" in by_name["ledger: DebitAccount"]
    assert "on: AccountDebited → PaymentInitiated" in by_name["aml: ScreenBeneficiary"]
    assert not any("NotifyParties" in name for name in by_name)


NAMES = ("before", "after")
CHAINS = tuple(chain(assembly.reactions(), name) for name in ("debit-first", "screen-first"))


def sides() -> dict[str, tuple[Side, Side]]:
    """Pairs that differ in everything there is, and pairs that don't."""
    debit, checks, _, *rest = EVERYTHING.parts
    other = replace(EVERYTHING, parts=(checks, replace(debit, timeout="9 s"), task("New"), *rest))  # type: ignore[type-var]
    return {
        "steps": (EVERYTHING, other), "the other way": (other, EVERYTHING), "the same": (EVERYTHING, EVERYTHING),
        "chains": CHAINS, "the same chain": (CHAINS[0], CHAINS[0]),
        "shipped": (outline(DEBIT_FIRST), outline(GUARDED)),
    }  # fmt: skip


@pytest.mark.parametrize("name", sides())
def test_both_stand_beside_each_other_and_nothing_overlaps(name: str) -> None:
    """A picture of two is as tidy as one of each."""
    one, other = sides()[name]
    drawn = beside.scene(NAMES, (one, other), compare(one, other))
    assert list(faults(drawn)) == []
    assert len({shape.id for shape in drawn.shapes}) == len(drawn.shapes)
    ElementTree.fromstring(svg.svg(drawn))


def test_what_differs_is_marked_on_its_side() -> None:
    """Added on the right, removed on the left, changed and moved on both; the rest as ever."""
    one, other = sides()["steps"]
    drawn = beside.scene(NAMES, (one, other), compare(one, other))
    marked = {(shape.id[0], shape.lines[0]): shape.state for shape in drawn.shapes if shape.state}
    assert marked == {
        ("a", "Debit"): MOVED, ("b", "Debit"): MOVED, ("a", "Approve"): REMOVED, ("a", "Ask"): REMOVED,
        ("b", "New"): ADDED,
    }  # fmt: skip
    labels = {shape.label for shape in drawn.shapes if shape.label.endswith(")")}
    assert labels == {
        "approval: amount over 10000 EUR (removed)", "country: creditor in NL (removed)",
        "pause: until tomorrow (removed)",
    }  # fmt: skip
    assert "Debit, moved: from 1 to 4; timeout: 5 s → 9 s" in drawn.words


def test_of_chains_only_what_differs_is_drawn() -> None:
    """The whole of both fits on no screen."""
    rows = compare(*CHAINS)
    drawn = svg.svg(beside.scene(NAMES, CHAINS, rows))
    assert "ScreenBeneficiary" in drawn
    assert "NotifyParties" not in drawn
    columns = beside.mermaid(NAMES, CHAINS, rows)
    assert "NotifyParties" not in columns
    assert columns.count(":::moved") == 2


def test_where_nothing_differs_every_form_says_so_and_is_whole() -> None:
    """An empty picture would look like a fault."""
    for one in (EVERYTHING, CHAINS[0]):
        drawn = beside.scene(NAMES, (one, one), compare(one, one))
        assert drawn.words == ("no difference",)
        assert "NotifyParties" in svg.svg(drawn) or "Execute" in svg.svg(drawn)
        assert ":::" not in beside.mermaid(NAMES, (one, one), compare(one, one))
