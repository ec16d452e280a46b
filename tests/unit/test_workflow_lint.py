"""`workflow lint`: each defect is planted and found, and the shipped system has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from actors.aml.messages import BeneficiaryCleared, ReviewClosed
from actors.directory.reaction import On, Reactions
from actors.disbursement.messages import EndPayment
from actors.execution.messages import ExecutionRejected
from actors.ledger.messages import AccountDebited, DebitAccount, DebitVoided, PostDebit, VoidDebit
from actors.payment.workflow import DEBIT_FIRST, GUARDED, LIMITS
from actors.pictures import lint
from actors.pictures.lint import Finding, System

SHIPPED = lint.shipped()


def found(system: System, rule: str) -> list[Finding]:
    """What one rule says."""
    return [finding for finding in lint.lint(system) if finding.rule == rule]


def rewired(service: str, *, leave: tuple[type, type] | None = None, add: On | None = None) -> System:
    """The shipped system with one reaction less, or one more."""
    orders: Mapping[str, tuple[On, ...]] = SHIPPED.reactions[service]
    changed: Reactions = {
        name: tuple(on for on in listed if (on.event, on.command) != leave) for name, listed in orders.items()
    }
    if add:
        changed = {**changed, "debit-first": (*changed.get("debit-first", ()), add)}
    return replace(SHIPPED, reactions={**SHIPPED.reactions, service: changed})


def test_the_shipped_system_is_clean() -> None:
    """So that whatever is found is news."""
    assert lint.lint(SHIPPED) == []


def test_both_flows_are_compared_for_every_name_that_both_know() -> None:
    """An order of steps that is left out is not compared."""
    names = {each.name for each in lint.names_in_both(SHIPPED)}
    assert {"debit-first", "screen-first", "refund"} <= names


def test_a_newer_version_beside_the_one_that_the_chain_is_may_differ() -> None:
    """New steps are tried in one flow first; only where nothing else is left do they count as a difference."""
    newer = replace(DEBIT_FIRST, version=2, steps=(*DEBIT_FIRST.steps[:2], LIMITS, *DEBIT_FIRST.steps[2:]))
    both = replace(SHIPPED, workflows=(*SHIPPED.workflows, newer))
    assert lint.lint(both) == []
    alone = replace(both, workflows=tuple(each for each in both.workflows if each is not DEBIT_FIRST))
    assert any("CheckLimits" in finding.sentence for finding in found(alone, lint.DIFFERENT))


def test_an_event_that_nobody_reacts_to_is_found() -> None:
    """It was published for somebody."""
    (finding,) = found(rewired("disbursement", leave=(DebitVoided, EndPayment)), lint.UNHEARD)
    assert finding.about == "DebitVoided"
    assert finding.sentence.startswith("ledger publishes it and nobody reacts; if that is meant, say why in `unheard`")


def test_an_event_that_says_why_nobody_reacts_is_let_be() -> None:
    """An exception that is no longer one is named, too."""
    assert ReviewClosed.unheard
    listening = rewired("ledger", add=On(ReviewClosed, VoidDebit, lambda event: None))
    assert [finding.about for finding in found(listening, lint.UNHEARD)] == ["ReviewClosed"]


def test_a_reaction_that_nobody_triggers_is_found() -> None:
    """It waits for ever."""
    silent = replace(SHIPPED, published=SHIPPED.published - {BeneficiaryCleared})
    said = {finding.about: finding.sentence for finding in found(silent, lint.UNTRIGGERED)}
    sentence = said["execution: BeneficiaryCleared → ExecutePayment"]
    assert sentence == "nobody publishes BeneficiaryCleared (order of steps: refund)"  # the last of those that listen


def test_a_circle_is_found() -> None:
    """A payment that goes round for ever costs more than one that stops."""
    round_trip = rewired("ledger", add=On(BeneficiaryCleared, DebitAccount, lambda event: None))
    (finding,) = lint.lint(round_trip)  # and nothing else: what never ends can't be compared
    assert (finding.rule, finding.about) == (lint.CIRCLE, "debit-first, choreographed")
    assert finding.sentence == (
        "a payment could go round for ever: AccountDebited → BeneficiaryCleared → AccountDebited"
    )


def test_a_debit_that_nothing_voids_is_found_in_a_chain() -> None:
    """The customer's money would stay held."""
    findings = found(rewired("ledger", leave=(ExecutionRejected, VoidDebit), add=On(
        ExecutionRejected, PostDebit, lambda event: None)), lint.DIFFERENT)  # fmt: skip
    assert any("VoidDebit" in finding.sentence for finding in findings)
    direct = On(ExecutionRejected, EndPayment, _rejected)
    unvoided = rewired("ledger", leave=(ExecutionRejected, VoidDebit))
    disbursement = {**unvoided.reactions["disbursement"]}
    disbursement["debit-first"] = (*disbursement.get("debit-first", ()), direct)
    unvoided = replace(unvoided, reactions={**unvoided.reactions, "disbursement": disbursement})
    findings = found(unvoided, lint.NOT_UNDONE)
    assert findings[0].about == "debit-first, choreographed: execute-payment: ExecutionRejected"


def test_a_debit_that_nothing_voids_is_found_where_the_payment_never_ends_either() -> None:
    """One reaction taken out: the money stays held, and nobody says that the payment is over."""
    first, *_ = found(rewired("ledger", leave=(ExecutionRejected, VoidDebit)), lint.NOT_UNDONE)
    assert first.about == "debit-first, choreographed: execute-payment: ExecutionRejected"
    assert first.sentence == ("what DebitAccount holds stays held: no VoidDebit follows when the payment is undone")


def test_a_debit_that_nothing_voids_is_found_in_a_workflow() -> None:
    """A step that holds money says how it is given back."""
    bare = replace(DEBIT_FIRST.steps[0], compensation=None, undone=None, undo_refused=None)
    careless = replace(DEBIT_FIRST, name="careless", steps=(bare, *DEBIT_FIRST.steps[1:]))
    findings = found(replace(SHIPPED, workflows=(*SHIPPED.workflows, careless)), lint.NOT_UNDONE)
    assert [finding.about for finding in findings] == ["careless@1: debit-account"]


def test_what_is_wrong_on_every_route_is_told_once() -> None:
    """A choice makes two routes of the same step."""
    bare = replace(GUARDED.steps[0], compensation=None, undone=None, undo_refused=None)
    careless = replace(GUARDED, name="careless", steps=(bare, *GUARDED.steps[1:]))
    findings = found(replace(SHIPPED, workflows=(*SHIPPED.workflows, careless)), lint.NOT_UNDONE)
    assert [finding.about for finding in findings] == ["careless@1: debit-account"]


@pytest.mark.parametrize(
    ("service", "leave"),
    [("ledger", (ExecutionRejected, VoidDebit)), ("disbursement", (DebitVoided, EndPayment))],
)
def test_a_difference_between_the_flows_is_found(service: str, leave: tuple[type, type]) -> None:
    """The same payment must come to the same end, whichever way it goes."""
    findings = found(rewired(service, leave=leave), lint.DIFFERENT)
    sentence = "orchestrated it ends with PaymentRejected, choreographed with nothing"
    assert sentence in {finding.sentence for finding in findings}
    assert any(finding.about == "debit-first: execute-payment: ExecutionRejected" for finding in findings)


def test_a_service_that_does_more_in_one_flow_is_a_difference() -> None:
    """Unless its reaction says why that does no harm."""
    twice = rewired("ledger", add=On(AccountDebited, PostDebit, lambda event: PostDebit(debit_id="P0-00")))
    assert any(
        "choreographed, ledger is asked to do PostDebit" in each.sentence for each in found(twice, lint.DIFFERENT)
    )
    excused = On(AccountDebited, PostDebit, lambda event: PostDebit(debit_id="P0-00"), may_be_idle="made up")
    sentences = [each.sentence for each in found(rewired("ledger", add=excused), lint.DIFFERENT)]
    assert "choreographed, ledger is asked to do PostDebit; orchestrated, it is not" not in sentences


def _rejected(event: ExecutionRejected) -> EndPayment | None:
    return EndPayment(order=event.facts.order, status="rejected", reason=event.reason) if event.facts else None
