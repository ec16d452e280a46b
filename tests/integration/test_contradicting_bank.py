"""A bank that rejects, then executes: whichever word a crash swallows, books and payment agree on the other."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.bank import DEPOSIT, Bank, Way, every_way, one_word_is_believed

AMOUNT = 1_000


@pytest.fixture
def bank(way: Way, tmp_path: Path) -> Any:
    """A cell at rest, with an account."""
    with Bank(tmp_path, way) as made:
        made.open_account()
        made.rest()
        yield made


@every_way
def test_the_rejection_is_believed_where_it_is_heard(bank: Bank) -> None:
    """And the execution that follows is shown to a person."""
    payment_id = bank.pay("TEST-CONTRADICT", amount=AMOUNT)
    bank.pass_time(10)
    assert one_word_is_believed(bank, payment_id) == "rejected"
    assert bank.balance() == (DEPOSIT, 0)


@every_way
def test_the_execution_is_believed_where_the_rejection_was_never_heard(bank: Bank) -> None:
    """The process dies with both words; whoever asks afterwards hears the second."""
    payment_id = instructed(bank)
    unheard(bank, payment_id, "rejected")
    bank.clock.jump(timedelta(seconds=1))
    unheard(bank, payment_id, "executed")
    bank.crash()
    bank.pass_time(10)
    assert one_word_is_believed(bank, payment_id) == "executed"
    assert bank.balance() == (DEPOSIT - AMOUNT, 0)


@every_way
def test_the_rejection_stays_believed_where_the_execution_is_lost(bank: Bank) -> None:
    """The bank repeats it until it is confirmed."""
    payment_id = bank.pay("TEST-CONTRADICT", amount=AMOUNT)
    bank.cell.until(lambda: bank.gate(payment_id) == "rejected")
    bank.clock.jump(timedelta(seconds=1))
    unheard(bank, payment_id, "executed")
    bank.crash()
    bank.pass_time(10)
    assert one_word_is_believed(bank, payment_id) == "rejected"
    assert bank.balance() == (DEPOSIT, 0)


def instructed(bank: Bank) -> str:
    """A payment that the first turn hands to the bank, whose answer nobody takes."""
    bank.cell.post("disbursement", bank.order("TEST-CONTRADICT", amount=AMOUNT))
    bank.cell.run()
    ((payment_id,),) = bank.cell.ask("SELECT payment_id FROM executions")
    return str(payment_id)


def unheard(bank: Bank, payment_id: str, word: str, deadline_s: float = 10.0) -> None:
    """The bank's worker does its part, while no turn is run."""
    end = time.monotonic() + deadline_s
    while (bank.journal(payment_id) or ("",))[0] != word:
        assert time.monotonic() < end, f"the bank does not say {word}"
        for worker in bank.cell.core._outboxes.workers.values():
            worker.hand([])
