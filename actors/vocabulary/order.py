"""The payment order as accepted: immutable facts, carried by messages; no rule about what to do with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Creditor:
    """Who is paid. `country` is ISO 3166-1 alpha-2, `date_of_birth` is ISO 8601 or None."""

    name: str
    account: str
    country: str | None = None
    email: str | None = None
    date_of_birth: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOf:
    """What a refund gives back: of payment `payment_id`, which was of `amount`, accepted at `created_at`.

    `until` is the last moment at which a refund of it may be asked for.
    """

    payment_id: str
    amount: Money
    created_at: datetime
    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOrder:
    """One accepted order to move `amount` from `debtor_account` to `creditor`.

    `flow` (`orchestrated` or `choreographed`) and `workflow` (the order of steps, with its version) are
    those of the moment of acceptance, for the payment's whole life.

    `execution_date` (ISO 8601) is the day, in UTC, before which the payment is not handed over; None: at once.

    With `refund` the money goes the other way: `amount` of an earlier payment from its creditor back to its debtor.
    The parties are called as in that payment.
    """

    payment_id: str
    idempotency_key: str
    debtor_account: str
    creditor: Creditor
    amount: Money
    end_to_end_id: str
    uetr: str
    remittance: str
    flow: str
    workflow: str
    workflow_version: int
    batch_id: str | None
    created_at: datetime
    refund: RefundOf | None = None
    execution_date: str | None = None


def turned_round(order: PaymentOrder) -> tuple[str, Creditor]:
    """Who pays and who is paid when the order's money goes back: the creditor's account, and the debtor as creditor."""
    account = order.debtor_account
    return order.creditor.account, Creditor(name=account, account=account)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """What a choreographed event carries along: the order, and the evidence gathered so far.

    `debit_id` stands once the ledger holds the money, `screening_id` once the beneficiary was cleared: an
    instruction needs both. For a refund `debit_id` is the credit that the ledger has reserved.
    """

    order: PaymentOrder
    debit_id: str | None = None
    screening_id: str | None = None
