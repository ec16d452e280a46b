"""Refunds through a whole cell, in both flows: every outcome, and what stands in the books after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from actors.disbursement.messages import CancellationTaken, OrderRefused, RefundPayment
from actors.execution.messages import ExecutePayment, ExecutionSettled
from actors.ledger.messages import PostCredit
from tests.fakes.bank import DEPOSIT, DOUBTFUL, GOOD, WATCHLIST, Bank, Way

CHOREOGRAPHED, ORCHESTRATED = Way("choreographed", "debit-first"), Way("orchestrated", "screen-first")
DAY = 86_400.0

both_flows = pytest.mark.parametrize("way", [CHOREOGRAPHED, ORCHESTRATED], ids=lambda way: way.flow)


def paid(bank: Bank, account: str = "TEST-OK", amount: int = 1_000, **more: Any) -> str:
    """A payment that is completed."""
    payment_id = bank.pay(account, amount=amount, **more)
    bank.until_status(payment_id, "completed")
    bank.rest()
    return payment_id


class Outcome(NamedTuple):
    """What is refunded of a payment of 10.00 EUR to `account`, and what becomes of it."""

    name: str
    account: str
    amount: int | None
    status: str
    reason: str
    back: int  # what the debtor has again
    credit: str
    says: str = ""


OUTCOMES = (
    Outcome("in full", "TEST-OK", None, "completed", "", 1_000, "posted"),
    Outcome("in part", "TEST-OK", 400, "completed", "", 400, "posted"),
    Outcome("too much", "TEST-OK", 1_001, "rejected", "AM09", 0, "refused", "10.00 EUR is left to give back"),
    Outcome("rejected", "TEST-REFUND-REJECT-AC04", None, "rejected", "AC04", 0, "voided"),
    Outcome("answer lost", "TEST-REFUND-LOST", None, "completed", "", 1_000, "posted"),
    Outcome("answer late", "TEST-REFUND-LATE-90", 300, "completed", "", 300, "posted"),
    Outcome("answered twice", "TEST-REFUND-TWICE", None, "completed", "", 1_000, "posted"),
    Outcome("not received", "TEST-REFUND-NOTRECEIVED", None, "completed", "", 1_000, "posted"),
    Outcome("silent", "TEST-REFUND-SILENT", None, "needs_attention", "AB05", 0, "pending", "no final answer"),
    Outcome("contradicted", "TEST-REFUND-CONTRADICT", None, "needs_attention", "NARR", 0, "voided"),
    Outcome("sent back", "TEST-REFUND-RETURN-MD07", None, "needs_attention", "MD07", 1_000, "posted"),
)


def test_every_outcome_is_the_same_in_both_flows(tmp_path: Path) -> None:
    """Status, reason, credit and balances as the facts say; the same postings whichever flow moved the money."""
    books = []
    for way in (CHOREOGRAPHED, ORCHESTRATED):
        data = tmp_path / way.flow
        data.mkdir()
        with Bank(data, way) as bank:
            bank.open_account()
            refunds = {each.name: bank.refund(paid(bank, each.account), each.amount) for each in OUTCOMES}
            bank.pass_time(200)
            for each in OUTCOMES:
                refund_id = refunds[each.name]
                code, text = bank.reason(refund_id)
                found = (bank.status(refund_id), code, bank.credit(refund_id))
                assert found == (each.status, each.reason, each.credit), (way, each.name, text)
                assert each.says in text, (way, each.name)
                assert (bank.gate(refund_id) != "") == (each.credit != "refused"), each.name
            spent = 1_000 * len(OUTCOMES) - sum(each.back for each in OUTCOMES)
            assert bank.balance() == (DEPOSIT - spent, 0)
            books.append((bank.statuses(), bank.balances(), bank.postings(), bank.postings_by_key()))
    assert books[0] == books[1]


@both_flows
def test_a_payment_may_be_refunded_in_parts_until_nothing_is_left(way: Way, tmp_path: Path) -> None:
    """Two parts that are all of it; a cent more is refused, and the original payment stays completed."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = paid(bank)
        refunds = [bank.refund(payment_id, amount) for amount in (400, 600, 1)]
        bank.rest()
        assert [bank.status(each) for each in refunds] == ["completed", "completed", "rejected"]
        assert "0.00 EUR is left to give back" in bank.reason(refunds[2])[1]
        assert bank.status(payment_id) == "completed"
        assert bank.balance() == (DEPOSIT, 0)


@pytest.mark.parametrize("flow", ["choreographed", "orchestrated"])
def test_a_refund_runs_in_its_own_flow_whatever_the_payments_was(flow: str, tmp_path: Path) -> None:
    """What was paid by one flow can be refunded by the other."""
    other = CHOREOGRAPHED if flow == "orchestrated" else ORCHESTRATED
    with Bank(tmp_path, other) as bank:
        bank.open_account()
        refund_id = bank.refund(paid(bank), flow=flow)
        bank.rest()
        assert bank.status(refund_id) == "completed"
        assert ("PaymentRequested" in bank.story(refund_id)) == (flow == "orchestrated")


@both_flows
def test_a_refund_asked_for_after_its_period_is_rejected(way: Way, tmp_path: Path) -> None:
    """What counts is the day of the payment, and the moment of asking."""
    with Bank(tmp_path, way, disbursement={"refund_days": 10}) as bank:
        bank.open_account()
        payment_id = paid(bank)
        bank.pass_time(9 * DAY)
        in_time = bank.refund(payment_id, 300)
        bank.pass_time(2 * DAY)
        late = bank.refund(payment_id, 300)
        bank.rest()
        assert [bank.status(in_time), bank.status(late)] == ["completed", "rejected"]
        code, text = bank.reason(late)
        assert code == "NARR"
        assert "was possible until" in text


@both_flows
@pytest.mark.parametrize("account", ["TEST-REJECT-AC04", "TEST-SILENT", "TEST-RETURN-MD07"])
def test_what_was_not_paid_or_came_back_is_not_refunded(account: str, way: Way, tmp_path: Path) -> None:
    """Rejected, in doubt, or returned: the ledger refuses, and no bank is asked."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(account)
        bank.pass_time(90)
        refund_id = bank.refund(payment_id)
        bank.rest()
        assert (bank.status(refund_id), bank.credit(refund_id)) == ("rejected", "refused")
        assert bank.journal(refund_id) is None


@both_flows
def test_the_party_the_money_comes_from_is_screened_against_todays_lists(way: Way, tmp_path: Path) -> None:
    """Somebody who was paid, and is listed since, may not be dealt with any more."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = paid(bank)
        (tmp_path / "watchlist.csv").write_text(WATCHLIST + f"S-0002,{GOOD},,person,DE,,SAMPLE-ARMS\n")
        bank.crash()
        refund_id = bank.refund(payment_id)
        bank.rest()
        assert (bank.status(refund_id), bank.reason(refund_id)[0]) == ("rejected", "RR04")
        assert (bank.credit(refund_id), bank.journal(refund_id)) == ("voided", None)


@both_flows
@pytest.mark.parametrize(("decision", "status"), [("clear", "completed"), ("block", "rejected"), ("", "cancelled")])
def test_a_held_refund_is_decided_by_a_person(decision: str, status: str, way: Way, tmp_path: Path) -> None:
    """Cleared, blocked, or cancelled while it waits: the case of the refund is another than the payment's."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        bank.decide(payment_id, "clear")
        bank.rest()
        refund_id = bank.refund(payment_id)
        bank.rest()
        assert bank.status(refund_id) == "held"
        if decision:
            bank.decide(refund_id, decision)
        else:
            assert isinstance(bank.cancel(refund_id), CancellationTaken)
        bank.rest()
        assert bank.status(refund_id) == status
        assert bank.case_status(refund_id) == {"clear": "cleared", "block": "blocked", "": "closed"}[decision]
        assert bank.credit(refund_id) == ("posted" if status == "completed" else "voided")


LARGE = 50_001  # cents: over the limit of 500 EUR


@both_flows
@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        ((True, True), "completed", ""),
        ((True, False), "rejected", "DS02"),
        ((False,), "rejected", "DS02"),
        ((), "cancelled", "CUST"),
    ],
)
def test_a_large_refund_waits_for_people(
    words: tuple[bool, ...], status: str, reason: str, way: Way, tmp_path: Path
) -> None:
    """Two different people agree; one who does not ends it; cancelled, nobody is asked any more."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = paid(bank, amount=LARGE)
        small, refund_id = bank.refund(payment_id, 1), bank.refund(payment_id, LARGE - 1)
        bank.rest()
        assert bank.status(small) == "completed"
        large = bank.refund(paid(bank, amount=LARGE))
        bank.rest()
        assert (bank.status(refund_id), bank.status(large)) == ("completed", "held")
        assert "RequestApproval" not in bank.story(refund_id)
        assert bank.journal(large) is None
        for word, name in zip(words, ("Ada", "Grace"), strict=False):
            bank.approve(large, name, yes=word)
        if not words:
            bank.cancel(large)
        bank.rest()
        assert (bank.status(large), bank.reason(large)[0]) == (status, reason)
        assert bank.credit(large) == ("posted" if status == "completed" else "voided")
        assert bank.cell.ask("SELECT count(*) FROM approvals WHERE status = 'open'") == [(0,)]


@both_flows
def test_an_approval_that_is_overdue_calls_a_person_and_can_still_be_given(way: Way, tmp_path: Path) -> None:
    """Time alone neither approves nor denies."""
    with Bank(tmp_path, way, approval={"review_seconds": 60}) as bank:
        bank.open_account()
        refund_id = bank.refund(paid(bank, amount=LARGE))
        bank.pass_time(120)
        assert bank.status(refund_id) == "needs_attention"
        for name in ("Ada", "Grace"):
            bank.approve(refund_id, name)
        bank.rest()
        assert bank.status(refund_id) == "completed"


@both_flows
@pytest.mark.parametrize("executed", [True, False])
def test_a_refund_in_doubt_is_settled_by_a_person(executed: bool, way: Way, tmp_path: Path) -> None:
    """A person's evidence posts the credit, or gives it up."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        refund_id = bank.refund(paid(bank, "TEST-REFUND-SILENT"))
        bank.pass_time(90)
        assert bank.status(refund_id) == "needs_attention"
        assert isinstance(bank.settle(refund_id, executed=executed), ExecutionSettled)
        bank.rest()
        assert bank.status(refund_id) == ("completed" if executed else "rejected")
        assert bank.balance() == (DEPOSIT if executed else DEPOSIT - 1_000, 0)


@both_flows
def test_money_for_an_account_closed_meanwhile_is_in_suspense_and_calls_a_person(way: Way, tmp_path: Path) -> None:
    """It has come, so it is in the books; whose it is now, a person must find out."""
    with Bank(tmp_path, way) as bank:
        bank.open_account(deposit=1_000)
        refund_id = bank.refund(paid(bank, "TEST-REFUND-LATE-5"))
        bank.rest()
        bank.close_account("ACC-1")
        bank.pass_time(30)
        assert (bank.status(refund_id), bank.reason(refund_id)[0]) == ("needs_attention", "AC05")
        assert bank.balance("suspense:EUR") == (1_000, 0)
        late = bank.refund(bank.order_of(refund_id).refund.payment_id, 1)  # type: ignore[union-attr]
        bank.rest()
        assert bank.reason(late)[0] == "AC05"


@both_flows
def test_a_return_of_a_refunded_payment_calls_a_person(way: Way, tmp_path: Path) -> None:
    """Part of it went back already: nothing is booked automatically."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = paid(bank)
        bank.refund(payment_id, 400)
        bank.rest()
        bank.rail_says(payment_id, "returned", "MD07", "B-1")
        bank.pass_time(3_600)
        assert bank.status(payment_id) == "needs_attention"
        assert bank.balance() == (DEPOSIT - 600, 0)


@both_flows
def test_a_refund_is_cancelled_before_the_bank_has_it(way: Way, tmp_path: Path) -> None:
    """The gate is the payment's: it closes, what was set aside is free again, and no instruction is ever recorded."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = paid(bank)
        bank.faults.ignore("execution", ExecutePayment)
        refund_id = bank.refund(payment_id)
        bank.rest()
        assert bank.credit(refund_id) == "pending"
        bank.cancel(refund_id)
        bank.rest()
        assert (bank.status(refund_id), bank.credit(refund_id)) == ("cancelled", "voided")
        assert (bank.gate(refund_id), bank.journal(refund_id)) == ("stopped", None)
        bank.faults.mend()
        again = bank.refund(payment_id)
        bank.rest()
        assert bank.status(again) == "completed"


@both_flows
def test_a_credit_that_can_not_be_posted_is_retried_forward(way: Way, tmp_path: Path) -> None:
    """The money has come: it is posted once the ledger can, never given up."""
    with Bank(tmp_path, way, runtime={"delayed_retries": 0}) as bank:
        bank.open_account()
        payment_id = paid(bank)
        bank.faults.fail("ledger", PostCredit)
        refund_id = bank.refund(payment_id)
        bank.pass_time(120)
        assert bank.status(refund_id) == "needs_attention"
        bank.faults.mend()
        bank.retry_dead_letters()
        bank.pass_time(400)
        assert (bank.status(refund_id), bank.credit(refund_id)) == ("completed", "posted")
        assert bank.balance() == (DEPOSIT, 0)


@both_flows
def test_crashes_refund_once(way: Way, tmp_path: Path) -> None:
    """The cell dies at every stage; the same key asked again is the same refund."""
    with Bank(tmp_path, way, execution={"delay_ms": (1_000, 1_000)}) as bank:
        bank.open_account()
        payment_id = bank.pay()
        bank.pass_time(5)
        refund_id = bank.refund(payment_id, idempotency_key="R")
        bank.crash()
        assert bank.refund(payment_id, idempotency_key="R") == refund_id
        bank.pass_time(0.5)
        bank.crash(down_for=10)
        bank.pass_time(60)
        assert bank.refund(payment_id, idempotency_key="R") == refund_id
        assert bank.status(refund_id) == "completed"
        assert bank.balance() == (DEPOSIT, 0)


def test_an_unknown_payment_is_refused_and_keeps_nothing(tmp_path: Path) -> None:
    """A sentence at once; the key may be used again."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        bank.open_account()
        payment_id = paid(bank)
        unknown = payment_id[:-4] + "0" + payment_id[-3:]
        refused = bank.cell.tell(
            "disbursement", RefundPayment(idempotency_key="R", refund_of=unknown, reason="it came back")
        )
        assert refused == OrderRefused(idempotency_key="R", error=f"there is no payment {unknown}")
        assert bank.refund(payment_id, idempotency_key="R")
