"""Every way a payment can end, in both flows and both orders of steps: status, reason, balances, postings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from actors.disbursement.messages import CancellationTaken
from actors.messaging.message import Message
from tests.fakes.bank import BLOCKED, DEBTOR, DEPOSIT, DOUBTFUL, WAYS, Bank, Way, every_way

AMOUNT = 2_550
CLEARING = "clearing:simulated:EUR"
FUNDED = Counter({(DEBTOR, "deposit", DEPOSIT, "EUR"): 1, ("funding:EUR", "deposit", -DEPOSIT, "EUR"): 1})
PAID = FUNDED + Counter({(DEBTOR, "payment", -AMOUNT, "EUR"): 1, (CLEARING, "payment", AMOUNT, "EUR"): 1})
SENT_BACK = PAID + Counter({(DEBTOR, "return", AMOUNT, "EUR"): 1, (CLEARING, "return", -AMOUNT, "EUR"): 1})


def nothing(bank: Bank, payment_id: str) -> None:
    """The payment ends by itself."""


def some_time(bank: Bank, payment_id: str) -> None:
    """The surprising second word of the bank has come."""
    bank.pass_time(2)


def patience(bank: Bank, payment_id: str) -> None:
    """The bank has been asked, and in vain for a minute."""
    bank.pass_time(90)


def clear(bank: Bank, payment_id: str) -> None:
    """A person looks at a held payment and lets it go on."""
    assert bank.status(payment_id) == "held"
    bank.decide(payment_id, "clear")


def block(bank: Bank, payment_id: str) -> None:
    """A person looks at a held payment and blocks it."""
    assert bank.status(payment_id) == "held"
    bank.decide(payment_id, "block")


def cancel(bank: Bank, payment_id: str) -> None:
    """A person cancels a held payment."""
    assert bank.status(payment_id) == "held"
    assert isinstance(bank.cancel(payment_id), CancellationTaken)


def settle_executed(bank: Bank, payment_id: str) -> None:
    """A person settles the doubt: paid."""
    patience(bank, payment_id)
    bank.settle(payment_id, executed=True)


def settle_not_executed(bank: Bank, payment_id: str) -> None:
    """A person settles the doubt: not paid."""
    patience(bank, payment_id)
    bank.settle(payment_id, executed=False)


class Outcome(NamedTuple):
    """An order, what happens to it, and what must become of it."""

    name: str
    order: dict[str, object]
    then: Callable[[Bank, str], None]
    status: str
    code: str
    words: str  # a part of the reason's text
    postings: Counter[tuple[str, str, int, str]] = FUNDED
    pending: int = 0
    journal: str | None = None  # what the rail knows
    executed: bool = False


OUTCOMES = [
    Outcome("completed", {}, nothing, "completed", "", "", PAID, 0, "executed", True),
    Outcome("unknown debtor", {"debtor_account": "ACC-9"}, nothing, "rejected", "AC02", "there is no account ACC-9"),
    Outcome("closed debtor", {"debtor_account": "CLOSED"}, nothing, "rejected", "AC05", "account CLOSED is closed"),
    Outcome("other currency", {"debtor_account": "USD-1"}, nothing, "rejected", "AM03", "account USD-1 is in USD"),
    Outcome("too much", {"amount": DEPOSIT + 1}, nothing, "rejected", "AM04", "10000.00 EUR available"),
    Outcome("sanctioned", {"name": BLOCKED}, nothing, "rejected", "RR04", "Viktor Blockov"),
    Outcome("held, then cleared", {"name": DOUBTFUL}, clear, "completed", "", "", PAID, 0, "executed", True),
    Outcome("held, then blocked", {"name": DOUBTFUL}, block, "rejected", "RR04", "looked at the passport"),
    Outcome("held, then cancelled", {"name": DOUBTFUL}, cancel, "cancelled", "CUST", "the order was a mistake"),
    Outcome("closed creditor", {"creditor_account": "TEST-REJECT-AC04"}, nothing, "rejected", "AC04", "closed",
            journal="rejected"),
    Outcome("bank without words", {"creditor_account": "TEST-REJECT-AM09"}, nothing, "rejected", "AM09", "",
            journal="rejected"),
    Outcome("answered twice", {"creditor_account": "TEST-TWICE"}, some_time, "completed", "", "", PAID, 0, "executed",
            True),
    Outcome("answer lost", {"creditor_account": "TEST-LOST"}, patience, "completed", "", "", PAID, 0, "executed", True),
    Outcome("submission lost", {"creditor_account": "TEST-NOTRECEIVED"}, patience, "completed", "", "", PAID, 0,
            "executed", True),
    Outcome("answered late", {"creditor_account": "TEST-LATE-70"}, patience, "completed", "", "", PAID, 0, "executed",
            True),
    Outcome("returned", {"creditor_account": "TEST-RETURN-MD07"}, some_time, "returned", "MD07", "deceased", SENT_BACK,
            0, "returned", True),
    Outcome("silent rail", {"creditor_account": "TEST-SILENT"}, patience, "needs_attention", "AB05", "may have paid",
            FUNDED, AMOUNT, "unknown"),
    Outcome("silent rail, settled as executed", {"creditor_account": "TEST-SILENT"}, settle_executed, "completed", "",
            "", PAID, 0, "unknown"),
    Outcome("silent rail, settled as not executed", {"creditor_account": "TEST-SILENT"}, settle_not_executed,
            "rejected", "NARR", "said so on the phone", FUNDED, 0, "unknown"),
    Outcome("contradicted", {"creditor_account": "TEST-CONTRADICT"}, some_time, "needs_attention", "NARR",
            "the bank now says executed", FUNDED, 0, "executed", True),
]  # fmt: skip


@every_way
@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.name)
def test_a_payment_ends_as_its_facts_say_whatever_the_way(outcome: Outcome, way: Way, tmp_path: Path) -> None:
    """Status, reason, balances and the bank's journal depend neither on the flow nor on the order of steps."""
    with Bank(tmp_path, way) as bank:
        prepare(bank)
        payment_id = bank.pay(**{"amount": AMOUNT, **outcome.order})  # type: ignore[arg-type]
        bank.rest()
        outcome.then(bank, payment_id)
        bank.rest()
        assert bank.status(payment_id) == outcome.status
        code, words = bank.reason(payment_id)
        assert code == outcome.code
        assert outcome.words in words
        assert bank.postings() == outcome.postings
        assert bank.balance() == (
            sum(n for (a, _, n, _), k in outcome.postings.items() if a == DEBTOR),
            outcome.pending,
        )
        known = bank.journal(payment_id)
        assert (known and (known[0], known[2])) == (outcome.journal and (outcome.journal, outcome.executed))


@every_way
def test_an_overdraft_is_as_good_as_money(way: Way, tmp_path: Path) -> None:
    """Available is what is posted, less what is held, and the overdraft."""
    with Bank(tmp_path, way) as bank:
        bank.open_account("POOR", deposit=100, overdraft=900)
        first = bank.pay(debtor_account="POOR", amount=1_000)
        second = bank.pay(debtor_account="POOR", amount=1)
        bank.rest()
        assert (bank.status(first), bank.status(second)) == ("completed", "rejected")
        assert bank.balance("POOR") == (-900, 0)


@every_way
def test_held_money_is_spent_only_once(way: Way, tmp_path: Path) -> None:
    """What waits for the bank is not available to the next payment, and is again once the bank has rejected."""
    with Bank(tmp_path, way) as bank:
        bank.open_account("POOR", deposit=1_000)
        waiting = bank.pay("TEST-SILENT", debtor_account="POOR", amount=600)
        refused = bank.pay(debtor_account="POOR", amount=600)
        bank.pass_time(90)
        bank.settle(waiting, executed=False)
        again = bank.pay(debtor_account="POOR", amount=600)
        bank.rest()
        assert [bank.status(each) for each in (waiting, refused, again)] == ["rejected", "rejected", "completed"]
        assert bank.reason(refused)[0] == "AM04"


def test_every_outcome_leaves_the_same_story_for_those_who_follow(tmp_path: Path) -> None:
    """Notification and Replication hear the same endings in both flows, once each."""
    heard = {}
    for at, way in enumerate(WAYS):
        data = tmp_path / str(at)
        data.mkdir()
        with Bank(data, way, replication={"enabled": True}) as bank:
            prepare(bank)
            ids = [
                bank.pay("TEST-OK"),
                bank.pay("TEST-REJECT-AC04"),
                bank.pay("TEST-RETURN-MD07"),
                bank.pay(name=BLOCKED),
            ]
            bank.pass_time(3)
            heard[way] = [endings(bank, payment_id) for payment_id in ids]
    assert len({str(each) for each in heard.values()}) == 1, heard
    assert heard[WAYS[0]] == [["completed"], ["rejected"], ["completed", "returned"], ["rejected"]]


def endings(bank: Bank, payment_id: str) -> list[str]:
    """The ends of a payment that both Notification and Replication have heard of, in order."""
    return [
        str(record.progress)
        for record in bank.timeline(payment_id)
        if {"notification", "replication"} <= set(record.receivers)
    ]


def prepare(bank: Bank) -> None:
    """The accounts that the outcomes speak of; those that should stay out of the postings are empty."""
    bank.open_account()
    bank.open_account("USD-1", deposit=0, currency="USD")
    bank.open_account("CLOSED", deposit=0)
    closed: Message = bank.close_account("CLOSED")
    assert type(closed).__name__ == "AccountClosed"
