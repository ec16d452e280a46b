"""The rules of limits: what one payment, and all of an account's day, may come to; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from actors.vocabulary.money import Money, decimal_text
from actors.vocabulary.reason import AMOUNT_EXCEEDS_AGREED_LIMIT, NARRATIVE, NOT_ALLOWED_AMOUNT, Reason

WITHIN, EXCEEDED, RELEASED = "within", "exceeded", "released"


class LimitRefusal(Exception):
    """The amount can't be counted; `reason` says why, with its ISO code."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


class Limits(NamedTuple):
    """The configured limits by currency, in whole minor units; a currency that is missing has none."""

    per_payment: Mapping[str, int] = {}
    per_day: Mapping[str, int] = {}


def count(limits: Limits, account_id: str, amount: Money, counted: int) -> int:
    """What the account's day comes to with `amount`, after `counted` minor units before it.

    Raises:
        LimitRefusal: the payment alone (AM02), or the day with it (AM14), would be above its limit.

    >>> count(Limits(per_day={"EUR": 1_000}), "ACC-1", Money(400, "EUR"), 600)
    1000
    """
    currency = amount.currency
    largest = limits.per_payment.get(currency)
    if largest is not None and amount.amount > largest:
        text = f"{amount} is more than one payment may be: {decimal_text(largest, currency)} {currency}"
        raise LimitRefusal(Reason(NOT_ALLOWED_AMOUNT, text))
    most, total = limits.per_day.get(currency), counted + amount.amount
    if most is not None and total > most:
        text = (
            f"{amount} and the {decimal_text(counted, currency)} {currency} that {account_id} pays today already are"
            f" more than its limit of {decimal_text(most, currency)} {currency} a day"
        )
        raise LimitRefusal(Reason(AMOUNT_EXCEEDS_AGREED_LIMIT, text))
    return total


def other_content(check_id: str) -> Reason:
    """Why a known id is refused for another account or amount."""
    return Reason(NARRATIVE, f"limit check {check_id} stands for another account or amount")


def day_of(now: datetime) -> str:
    """The day that a payment made at `now` counts for: the date in UTC.

    >>> day_of(datetime(2030, 1, 31, 23, 59, tzinfo=UTC))
    '2030-01-31'
    """
    return now.astimezone(UTC).date().isoformat()
