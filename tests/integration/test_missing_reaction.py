"""A choreographed chain with a link missing: the payment, its last event and the missing reaction are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.directory.messages import Replay, Subscribe, Subscribed, Unsubscribe
from tests.fakes.bank import DEPOSIT, Bank, Way

LINKS = {
    "debit-first": (
        ("ledger", "PaymentInitiated"),
        ("aml", "AccountDebited"),
        ("execution", "BeneficiaryCleared"),
        ("ledger", "PaymentExecuted"),
        ("disbursement", "DebitPosted"),
    ),
    "screen-first": (
        ("aml", "PaymentInitiated"),
        ("ledger", "BeneficiaryCleared"),
        ("execution", "AccountDebited"),
        ("ledger", "PaymentExecuted"),
        ("disbursement", "DebitPosted"),
    ),
}
every_link = pytest.mark.parametrize(
    ("order", "service", "event"), [(order, *link) for order, links in LINKS.items() for link in links]
)


@every_link
def test_an_unsubscribed_reaction_is_named_and_the_payment_goes_on_when_it_is_back(
    order: str, service: str, event: str, tmp_path: Path
) -> None:
    """Taken out by message while the system runs; put back and replayed, the payment completes."""
    with Bank(tmp_path, Way("choreographed", order)) as bank:
        bank.open_account()
        earlier = bank.pay()
        bank.rest()
        answer = bank.cell.tell("directory", Unsubscribe(subscriber=service, event_types=(event,)))
        assert isinstance(answer, Subscribed)
        payment_id = bank.pay()
        named(bank, payment_id, service, event)

        answer = bank.cell.tell("directory", Subscribe(subscriber=service, event_types=(event,), from_offset=1))
        assert isinstance(answer, Subscribed)
        completed(bank, payment_id, earlier)


@every_link
def test_a_reaction_that_is_gone_from_the_code_is_named_and_the_payment_goes_on_when_it_is_back(
    order: str, service: str, event: str, tmp_path: Path
) -> None:
    """A release without it, and the next one with it again."""
    with Bank(tmp_path, Way("choreographed", order)) as bank:
        bank.open_account()
        earlier = bank.pay()
        bank.rest()
        bank.without.add((service, event))
        bank.crash()
        payment_id = bank.pay()
        named(bank, payment_id, service, event)

        bank.without.clear()
        bank.crash()
        answer = bank.cell.tell("directory", Replay(subscriber=service, from_offset=1))
        assert isinstance(answer, Subscribed)
        completed(bank, payment_id, earlier)


@every_link
def test_a_reaction_that_never_was_is_missed_all_the_same(order: str, service: str, event: str, tmp_path: Path) -> None:
    """Nobody remembers who should have reacted; the event and the order of steps are named."""
    with Bank(tmp_path, Way("choreographed", order)) as bank:
        bank.without.add((service, event))
        bank.cell.close()
        (tmp_path / "cells" / "cell-0" / "store.db").unlink()
        (tmp_path / "heads" / "cell-0.head").unlink()  # or the store would be missed
        bank.cell.open()
        bank.open_account()
        payment_id = bank.pay()
        bank.pass_time(200)
        assert bank.status(payment_id) == "needs_attention"
        assert event in bank.reason(payment_id)[1]


@every_link
def test_other_payments_do_not_wait_for_the_missing_reaction(
    order: str, service: str, event: str, tmp_path: Path
) -> None:
    """Orchestrated payments need no reaction at all."""
    with Bank(tmp_path, Way("choreographed", order)) as bank:
        bank.open_account()
        bank.cell.tell("directory", Unsubscribe(subscriber=service, event_types=(event,)))
        payment_id = bank.pay(flow="orchestrated")
        bank.rest()
        assert bank.status(payment_id) == "completed"


def named(bank: Bank, payment_id: str, service: str, event: str) -> None:
    """By the deadline a person is called, with the payment, its last event and whose reaction is missing."""
    bank.pass_time(20)
    assert bank.status(payment_id) not in ("needs_attention", "completed")
    bank.pass_time(15)
    assert bank.status(payment_id) == "needs_attention"
    assert bank.reason(payment_id) == (
        "NARR", f"nobody answered {event} within 30 s: the reaction of {service} is missing",
    )  # fmt: skip
    assert bank.story(payment_id)[-1] == "PaymentStalled"


def completed(bank: Bank, payment_id: str, earlier: str) -> None:
    """The payment has gone on to its end, once; the one before it is as it was."""
    bank.rest()
    assert bank.status(payment_id) == "completed"
    assert bank.status(earlier) == "completed"
    assert bank.story(payment_id).count("PaymentCompleted") == 1
    assert bank.balance() == (DEPOSIT - 2_000, 0)
    assert bank.journal(payment_id) == ("executed", 1, True)
