"""`workflow diff`: what a reader of two definitions would have to find by eye."""

from __future__ import annotations

from dataclasses import replace

from actors import assembly
from actors.pictures.chain import chain
from actors.pictures.comparison import ADDED, CHANGED, MOVED, REMOVED, compare
from tests.fakes.pictured import EVERYTHING, task


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
