"""What a workflow may decide on: facts of the order, which never change while the payment lives. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

from actors.payment.faults import BadWorkflow
from actors.vocabulary.money import BadAmount, parse_money
from actors.vocabulary.order import PaymentOrder

YES_OR_NO: Final = (True, False)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is so or not so with an order, by name; two facts of one name are the same fact.

    `values` are all that `read` can give, or None where they can't be told beforehand: a decision on such a
    fact needs an `otherwise`.
    """

    name: str
    read: Callable[[PaymentOrder], Hashable] = field(compare=False)
    values: tuple[Hashable, ...] | None = YES_OR_NO


def amount_over(*, others: bool, **limits: str) -> Fact:
    """Whether the amount is more than the limit of its currency; `others`: what holds for a currency not named.

    >>> amount_over(EUR="10000", JPY="1500000", others=True).name
    'amount over 10000 EUR, 1500000 JPY, any in others'
    """
    try:
        most = {currency: parse_money(limit, currency, zero_allowed=True).amount for currency, limit in limits.items()}
    except BadAmount as error:
        raise BadWorkflow(f"a decision on the amount: {error}") from error
    named = ", ".join(f"{limit} {currency}" for currency, limit in limits.items())
    other = "any in others" if others else "none in others"

    def over(order: PaymentOrder) -> bool:
        limit = most.get(order.amount.currency)
        return others if limit is None else order.amount.amount > limit

    return Fact(f"amount over {named}, {other}" if named else f"amount over: {other}", over)


def creditor_country_in(*countries: str, unknown: bool) -> Fact:
    """Whether the creditor's country (ISO 3166-1 alpha-2) is one of these; `unknown`: what holds for one not told."""
    for country in countries:
        if not (len(country) == 2 and country.isalpha() and country.isupper()):
            raise BadWorkflow(f"a country is written like NL, not {country}")
    among = frozenset(countries)

    def within(order: PaymentOrder) -> bool:
        country = order.creditor.country
        return unknown if country is None else country in among

    return Fact(f"creditor in {' '.join(sorted(among))}, {'or' if unknown else 'not'} unknown", within)


def currency() -> Fact:
    """The currency paid in: any, so a decision on it needs an `otherwise`."""
    return Fact("currency", lambda order: order.amount.currency, None)
