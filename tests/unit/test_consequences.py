"""What a picture says that an answer leads to: the engine does the same."""

from __future__ import annotations

import pytest

from actors.payment.definition import Workflow
from actors.payment.workflow import DEBIT_FIRST, GUARDED, LIMITS, POST, REFUND, SCREEN
from actors.pictures import mermaid, text
from actors.pictures.consequences import following, refusal, silence, undoings
from actors.pictures.outline import Process, Task, outline
from tests.fakes import payment_answers as answers
from tests.fakes.pictured import EVERYTHING
from tests.fakes.workflow_script import WorkflowScript, an_order


def step(process: Process, name: str) -> Task:
    """The step of that name."""
    return next(task for task in process.tasks() if task.name == name)


@pytest.mark.parametrize(
    ("workflow", "name", "undone"),
    [
        (DEBIT_FIRST, "debit-account", []),
        (DEBIT_FIRST, "execute-payment", ["debit-account"]),
        (GUARDED, "screen-beneficiary", ["check-limits", "debit-account"]),  # they run at the same time
        (GUARDED, "check-limits", ["debit-account"]),
        (GUARDED, "execute-payment", ["check-limits", "debit-account"]),
        (REFUND, "execute-refund", ["reserve-credit"]),
    ],
)
def test_all_that_a_refusal_has_undone_is_named_the_latest_first(
    workflow: Workflow, name: str, undone: list[str]
) -> None:
    """Whoever reads only the first would look for the money where it is no more."""
    process = outline(workflow)
    assert [task.name for task in undoings(process, step(process, name))] == undone


def test_what_another_case_does_is_not_undone_in_this_one() -> None:
    """A payment takes one of them."""
    assert [task.name for task in undoings(EVERYTHING, step(EVERYTHING, "Ask"))] == ["Approve", "Limit", "Debit"]
    assert [task.name for task in undoings(EVERYTHING, step(EVERYTHING, "Approve"))] == ["Limit", "Debit"]


def test_every_picture_in_words_names_all_that_is_undone() -> None:
    """Text in full, Mermaid by its arrows: the refusal leads to the latest undoing, and that to the one before."""
    process = outline(GUARDED)
    assert "ExecutionRejected    ReleaseLimit, VoidDebit, then rejected" in text.text(process)
    drawn = mermaid.mermaid(process)
    nodes = {words: node for node, words in (line.strip().split("[", 1) for line in drawn.splitlines() if "[" in line)}
    release, void = nodes['"ReleaseLimit → limits"]'], nodes['"VoidDebit → ledger"]']
    assert f'|"ExecutionRejected"| {release}' in drawn
    assert f'|"BeneficiaryBlocked"| {release}' in drawn
    assert f"{release} -->|LimitReleased| {void}" in drawn


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("debit-account", "on to checks"),
        ("screen-beneficiary", "when all are done on to large-payment"),
        ("approve-payment", "on to execution-date"),
        ("post-debit", "completed"),
    ],
)
def test_what_comes_next_is_named_from_inside_of_choices_too(name: str, after: str) -> None:
    """The last step of a case goes on after the choice."""
    process = outline(GUARDED)
    assert following(process, step(process, name)) == after


def test_silence_before_the_pivot_undoes_the_step_itself_and_after_it_nothing() -> None:
    """What may have been done is undone; what may have been paid never is."""
    process = outline(GUARDED)
    assert silence(process, step(process, LIMITS.name)) == "ReleaseLimit, VoidDebit, then rejected"
    assert silence(process, step(process, SCREEN.name)) == "ReleaseLimit, CloseReview, VoidDebit, then rejected"
    assert "needs attention" in silence(process, step(process, "execute-payment"))
    assert "needs attention" in refusal(process, step(process, POST.name))


def test_the_engine_undoes_what_the_picture_says() -> None:
    """A blocked creditor, while the limits are being checked."""
    script = WorkflowScript(GUARDED, an_order(workflow="guarded"))
    script.unanswered.clear()
    script.hears(answers.DEBITED)
    script.unanswered.clear()
    script.hears(answers.BLOCKED)
    undone = []
    for _ in range(5):
        if not script.unanswered:
            break
        _, command = script.unanswered.pop(0)
        undone.append(type(command).__name__)
        task = next(task for task in outline(GUARDED).tasks() if task.undo == undone[-1])
        outcome = next(each for each in script.route.steps if each.name == task.name)
        script.hears(answers.VOIDED if task.name == "debit-account" else outcome.undone(check_id=answers.P))  # type: ignore[union-attr,misc]
    process = outline(GUARDED)
    assert ", ".join(undone) + ", then rejected" == refusal(process, step(process, "screen-beneficiary"))
