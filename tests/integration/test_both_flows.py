"""Hundreds of orders of every kind through both flows and both orders of steps: the ledgers end the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from actors.disbursement.messages import SubmitPayment
from tests.fakes.bank import BLOCKED, DOUBTFUL, GOOD, WAYS, Bank, Way, one_word_is_believed

ORDERS = 250
RICH, MORE_THAN_ALL = 10**9, 10**12
ACCOUNTS = {"A-1": "EUR", "A-2": "EUR", "J-1": "JPY", "U-1": "USD"}
CREDITORS = (
    *("TEST-OK",) * 6, "DE75512108001245126199", "TEST-REJECT-AC04", "TEST-REJECT-MS03", "TEST-LATE-3", "TEST-LATE-90",
    "TEST-SILENT", "TEST-LOST", "TEST-TWICE", "TEST-NOTRECEIVED", "TEST-CONTRADICT", "TEST-RETURN-MD07",
)  # fmt: skip
NAMES = (*(GOOD,) * 8, BLOCKED, DOUBTFUL, DOUBTFUL)
# What a person does about a payment, drawn for each beforehand; whether it matters depends on the payment.
DECISIONS = ("clear", "block", "cancel")


@pytest.mark.parametrize("seed", [1, 2])
def test_both_flows_and_both_orders_leave_the_same_books(seed: int, tmp_path: Path) -> None:
    """The same balances and the same postings, payment by payment, and the same statuses."""
    books: dict[Way, tuple[Any, ...]] = {}
    for at, way in enumerate(WAYS):
        data = tmp_path / str(at)
        data.mkdir()
        with Bank(data, way) as bank:
            for account, currency in ACCOUNTS.items():
                bank.open_account(account, RICH, currency)
            pay_and_decide(bank, seed)
            books[way] = (bank.statuses(), bank.balances(), bank.postings(), bank.postings_by_key())
    statuses, *first = books[WAYS[0]]
    for way in WAYS[1:]:
        assert books[way][0] == statuses, way
        assert list(books[way][1:]) == first, way
    counted = Counter(statuses.values())
    assert set(counted) == {"completed", "rejected", "cancelled", "returned", "needs_attention"}
    assert sum(counted.values()) == ORDERS


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_crashes_leave_the_same_books(way: Way, tmp_path: Path) -> None:
    """The same orders, once in peace and once with the cell dying again and again, and the clients sending again.

    Which word of a bank that says two things is believed, a crash decides that swallows the other: what must hold of
    these payments is the same all the same, and everybody else's books are.
    """
    books = []
    for crashes in (0, 6):
        data = tmp_path / str(crashes)
        data.mkdir()
        with Bank(data, way) as bank:
            for account, currency in ACCOUNTS.items():
                bank.open_account(account, RICH, currency)
            pay_and_decide(bank, 3, crashes)
            contradicted = contradicted_by_the_bank(bank)
            believed = [one_word_is_believed(bank, payment_id) for payment_id in contradicted.values()]
            assert len(believed) > 2
            assert crashes or set(believed) == {"rejected"}
            books.append((set(contradicted), *books_without(bank, set(contradicted))))
    assert books[0] == books[1]


def contradicted_by_the_bank(bank: Bank) -> dict[str, str]:
    """Payments, by key, of which the bank has said two things."""
    at_the_bank = {row[0] for row in bank.cell.ask("SELECT payment_id FROM executions WHERE state <> 'stopped'")}
    return {
        bank.key_of(payment_id): payment_id
        for payment_id in sorted(at_the_bank)
        if bank.order_of(payment_id).creditor.account == "TEST-CONTRADICT"
    }


def books_without(bank: Bank, keys: set[str]) -> tuple[Any, ...]:
    """Statuses, balances and postings as they would be if there were no orders under these keys."""
    postings = bank.postings_by_key()
    balances = Counter({account: posted for account, (posted, _) in bank.balances().items()})
    pending = {account: pending for account, (_, pending) in bank.balances().items()}
    for key, account, _, amount, _ in list(postings.elements()):
        if key in keys:
            balances[account] -= amount
    statuses = {key: status for key, status in bank.statuses().items() if key not in keys}
    others = Counter({line: number for line, number in postings.items() if line[0] not in keys})
    return statuses, dict(balances), pending, others


def pay_and_decide(bank: Bank, seed: int, crashes: int = 0) -> None:
    """All orders at once; then persons decide, a while passes, and persons settle half of what is in doubt."""
    given = orders(bank, Random(seed))
    for at in range(crashes):
        # Some of these get through, the last ones never did; nobody has heard an answer.
        for order in given[: (at + 1) * ORDERS // crashes]:
            bank.cell.post("disbursement", order)
            if at % 2 == 0:
                bank.cell.run()
        bank.crash(down_for=at)
    ids = bank.pay_all(given)
    bank.rest()
    chance = Random(seed + 1)
    for payment_id in ids:
        decision = chance.choice(DECISIONS)
        if bank.status(payment_id) == "held":
            if decision == "cancel":
                bank.cancel(payment_id)
            else:
                bank.decide(payment_id, decision)
    if crashes:
        bank.crash()
    bank.pass_time(70)  # the patient are in doubt, the late will still answer
    for payment_id, order in zip(ids, given, strict=True):
        settled = chance.choice((True, False, None))
        if order.creditor_account == "TEST-SILENT" and bank.gate(payment_id) == "in_doubt" and settled is not None:
            bank.settle(payment_id, executed=settled)
    bank.pass_time(60)


def orders(bank: Bank, chance: Random) -> list[SubmitPayment]:
    """Orders whose end does not depend on which of them comes first."""
    made = []
    for _ in range(ORDERS):
        account, name = chance.choice((*ACCOUNTS, *ACCOUNTS, "A-9")), chance.choice(NAMES)
        currency = ACCOUNTS.get(account, "EUR") if chance.random() < 0.95 else "CHF"
        amount = chance.randint(1, 5_000) if chance.random() < 0.95 else MORE_THAN_ALL
        if currency != ACCOUNTS.get(account) or amount == MORE_THAN_ALL:
            name = GOOD  # whether a person decides on a payment that can't be made does depend on the order of steps
        made.append(bank.order(chance.choice(CREDITORS), name, amount, debtor_account=account, currency=currency))
    return made
