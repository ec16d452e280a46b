"""What both flows must agree about in a refund: the amounts above which people have to approve it. Pure.

Orchestrated it stands in one decision of the workflow; choreographed each service that hears of a reserved credit
makes the same decision by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actors.vocabulary.money import Money, parse_money

# By currency; a refund in any other currency is approved, whatever it is of. No setting: what is asked at several
# moments of a refund's life, and in several cells, must be answered the same.
APPROVAL_OVER: Final[Mapping[str, str]] = {"EUR": "500", "USD": "500", "GBP": "500", "CHF": "500", "JPY": "75000"}
_OVER_MINOR: Final = {currency: parse_money(limit, currency).amount for currency, limit in APPROVAL_OVER.items()}


def needs_approval(amount: Money) -> bool:
    """Whether people must approve a refund of `amount`.

    >>> needs_approval(Money(50_000, "EUR")), needs_approval(Money(50_001, "EUR")), needs_approval(Money(1, "KWD"))
    (False, True, True)
    """
    limit = _OVER_MINOR.get(amount.currency)
    return limit is None or amount.amount > limit
