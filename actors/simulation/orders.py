"""The accounts and orders of one world: made up by seed, of every outcome, in both flows, with keys that repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from actors.disbursement.messages import SubmitPayment
from actors.ledger.messages import OpenAccount
from actors.messaging.envelope import CHOREOGRAPHED, ORCHESTRATED
from actors.vocabulary.money import Money

FLOWS: Final = (ORCHESTRATED, CHOREOGRAPHED)
CURRENCIES: Final = ("EUR", "USD", "JPY")
RICH, POOR = 10**12, 5_000
ACCOUNTS: Final = 8  # of each currency
REPEATED: Final = 0.03  # of the orders are sent again, as another message under the same key
OTHER_CONTENT: Final = 0.015  # and so many under the same key with another amount
WAITED_FOR: Final = 0.05  # of the orders' clients want to hear of the end
WITH_ADDRESS: Final = 0.06  # of debtors and creditors: each makes a mail
VERSIONED: Final = 0.3  # of the orchestrated orders name the version of their workflow
VERSIONS: Final = ("debit-first@1", "debit-first@2", "screen-first@1")
GUARDED: Final = ("guarded", "TEST-REJECT-ONCE-AM04")  # kinds that run on it, from accounts of their own
DATE: Final = "2026-01-05"  # the day of every world
TWINS: Final = 0.15  # of the orders are made twice, once in each flow, from accounts that nothing else touches

GIVEN: Final = ("Greta", "Annelore", "Mirko", "Ayana", "Tomas", "Lindiwe", "Ragnhild", "Oskar", "Yuna", "Pilar")
FAMILY: Final = ("Beispiel", "Mustermann", "Sampleton", "Specimenova", "Ejemplo", "Esimerkki", "Przyklad", "Voorbeeld")
BLOCKED: Final = "Viktor Blockov"
HELD: Final = "V. Blockov"

# How often a payment is of each kind; whoever gets it decides what the rail does.
KINDS: Final[tuple[tuple[str, float], ...]] = (
    ("ordinary", 60), ("TEST-REJECT-AC04", 4), ("TEST-LATE", 4), ("TEST-SILENT", 1), ("TEST-LOST", 2),
    ("TEST-TWICE", 4), ("TEST-NOTRECEIVED", 2), ("TEST-CONTRADICT", 1.5), ("TEST-RETURN-MD07", 3),
    ("blocked", 3), ("held", 3), ("insufficient", 3), ("closed", 2), ("unknown", 2), ("wrong currency", 2),
    ("TEST-REFUND-REJECT-AC04", 2), ("TEST-REFUND-LOST", 2), ("TEST-REFUND-SILENT", 1), ("TEST-REFUND-NOTRECEIVED", 1),
    ("guarded", 5), ("TEST-REJECT-ONCE-AM04", 2),
)  # fmt: skip
CERTAIN: Final = frozenset((  # what becomes of these depends on nobody's timing
    "ordinary", "TEST-REJECT-AC04", "TEST-TWICE", "TEST-RETURN-MD07", "blocked", "closed", "unknown", "wrong currency",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """One order of a client. `twin` names its pair where it has one; `repeat` says whose key it uses again."""

    submit: SubmitPayment
    kind: str
    twin: str = ""
    repeat: str = ""  # "", "same" or "other" content


@dataclass(frozen=True, slots=True)
class Account:
    """An account to open, and whether to close it at once."""

    open: OpenAccount
    closed: bool = False


def accounts(chance: Random) -> list[Account]:
    """Every account of the world."""
    found = []
    for currency in CURRENCIES:
        for number in range(ACCOUNTS):
            email = f"owner-{number}@example.com" if chance.random() < WITH_ADDRESS else None
            found.append(_account(f"ACC-{currency}-{number}", currency, RICH, email=email))
        found.append(_account(f"GUARDED-{currency}", currency, RICH))
        for flow in FLOWS:
            found.append(_account(f"TWIN-{currency}-{flow[:1]}", currency, RICH))
        found.append(_account(f"POOR-{currency}", currency, POOR, overdraft=chance.choice((0, 2_000))))
        found.append(Account(OpenAccount(account_id=f"GONE-{currency}", currency=currency), closed=True))
    return found


class OrderBook:
    """Makes the orders of one world, one after the other."""

    def __init__(self, chance: Random, flow: str | None) -> None:
        self._chance = chance
        self._flow = flow
        self._keys = 0
        self._kinds, self._weights = [kind for kind, _ in KINDS], [weight for _, weight in KINDS]
        self._made: list[Order] = []

    def orders(self, number: int) -> Iterator[Order]:
        """So many orders, and a few more where keys are used again or an order has a twin."""
        chance = self._chance
        left = number
        while left > 0:
            kind = chance.choices(self._kinds, self._weights)[0]
            flow = self._flow or chance.choice(FLOWS)
            if kind in CERTAIN and self._flow is None and left > 1 and chance.random() < TWINS:
                made = self._twins(kind)
            else:
                made = [self._order(kind, flow)]
            left -= len(made)
            for order in made:
                self._made.append(order)
                yield order
                yield from self._repeats(order)

    def _repeats(self, order: Order) -> Iterator[Order]:
        chance = self._chance
        if chance.random() < REPEATED:
            yield replace(chance.choice(self._made[-20:]), repeat="same")
        if chance.random() < OTHER_CONTENT and not order.twin:
            amount = replace(order.submit.amount, amount=order.submit.amount.amount + 1)
            yield replace(order, submit=replace(order.submit, amount=amount), repeat="other")

    def _twins(self, kind: str) -> list[Order]:
        first = self._order(kind, FLOWS[0])
        currency = _home_currency(first.submit.debtor_account)
        made = []
        for flow in FLOWS:
            self._keys += 1
            debtor = first.submit.debtor_account
            if debtor.startswith("ACC-"):
                debtor = f"TWIN-{currency}-{flow[:1]}"
            submit = replace(first.submit, workflow=None, idempotency_key=self._key(), debtor_account=debtor, flow=flow)
            made.append(Order(submit, kind, twin=first.submit.idempotency_key))
        return made

    def _order(self, kind: str, flow: str) -> Order:
        chance = self._chance
        self._keys += 1
        currency = chance.choice(CURRENCIES)
        debtor = f"ACC-{currency}-{chance.randrange(ACCOUNTS)}"
        creditor, amount = "CREDITOR-1", chance.randrange(100, 100_000)
        name = f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}"
        workflow = execution_date = None
        if flow == ORCHESTRATED and kind in GUARDED:
            debtor, amount = f"GUARDED-{currency}", chance.choice((50_000, 1_200_000, 1_200_000, 1_600_000))
            workflow, execution_date = "guarded", chance.choice((None, DATE))
            if chance.random() < 0.1:
                debtor = f"POOR-{currency}"
        elif flow == ORCHESTRATED and chance.random() < VERSIONED:
            workflow = chance.choice(VERSIONS)
        if kind == "TEST-LATE":
            creditor = f"TEST-LATE-{chance.choice((1, 3, 7, 15))}"
        elif kind.startswith("TEST-"):
            creditor = kind
        elif kind in ("blocked", "held"):
            name = BLOCKED if kind == "blocked" else HELD
        elif kind == "insufficient":
            debtor, amount = f"POOR-{currency}", chance.choice((1_000, 4_000, 9_000))
        elif kind in ("closed", "unknown"):
            debtor = f"{'GONE' if kind == 'closed' else 'NOBODY'}-{currency}"
        elif kind == "wrong currency":
            currency = CURRENCIES[(CURRENCIES.index(currency) + 1) % len(CURRENCIES)]
        return Order(
            SubmitPayment(
                idempotency_key=self._key(),
                debtor_account=debtor,
                creditor_name=name,
                creditor_account=creditor,
                amount=Money(amount, currency),
                wait_for=("PaymentCompleted", "PaymentRejected") if chance.random() < WAITED_FOR else (),
                creditor_email="creditor@example.com" if chance.random() < WITH_ADDRESS else None,
                flow=flow,
                execution_date=execution_date,
                workflow=workflow,
            ),
            kind,
        )

    def _key(self) -> str:
        return f"key-{self._keys}"


def _home_currency(account_id: str) -> str:
    return account_id.split("-")[1]


def _account(account_id: str, currency: str, deposit: int, overdraft: int = 0, email: str | None = None) -> Account:
    return Account(
        OpenAccount(account_id=account_id, currency=currency, deposit=deposit, overdraft=overdraft, owner="Somebody",
                    email=email)
    )  # fmt: skip
