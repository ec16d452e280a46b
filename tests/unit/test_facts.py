"""The facts that a workflow may decide on: at the limit, over it, in a currency or a country that nobody named."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from actors.payment.facts import Fact, amount_over, creditor_country_in, currency
from actors.vocabulary.money import Money
from actors.vocabulary.order import Creditor, PaymentOrder
from tests.fakes.workflow_script import an_order

LIMITS = {"EUR": "100.00", "JPY": "15000"}


def paying(minor: int, code: str = "EUR") -> PaymentOrder:
    """An order for so many minor units."""
    return an_order(amount=Money(minor, code))


def to(country: str | None) -> PaymentOrder:
    """An order to somebody there."""
    return an_order(creditor=Creditor(name="Jane Roe", account="CRED-1", country=country))


@pytest.mark.parametrize(
    ("minor", "code", "over"),
    [
        (9_999, "EUR", False),
        (10_000, "EUR", False),  # the limit itself is not over it
        (10_001, "EUR", True),
        (15_000, "JPY", False),  # which has no minor units
        (15_001, "JPY", True),
    ],
)
def test_an_amount_is_over_the_limit_of_its_own_currency(minor: int, code: str, over: bool) -> None:
    """One unit decides, and each currency has decimals of its own."""
    assert amount_over(others=True, **LIMITS).read(paying(minor, code)) is over


@pytest.mark.parametrize("others", [True, False])
def test_what_holds_for_a_currency_that_nobody_named_is_said(others: bool) -> None:
    """No limit can be guessed from another currency's."""
    assert amount_over(others=others, **LIMITS).read(paying(1, "USD")) is others


def test_a_limit_of_zero_is_over_with_the_first_unit() -> None:
    """For a currency in which everything wants people."""
    assert amount_over(others=False, EUR="0").read(paying(1)) is True


@pytest.mark.parametrize(("country", "among"), [("IR", True), ("NL", False), (None, True)])
def test_a_creditors_country_is_among_these_or_not_told(country: str | None, among: bool) -> None:
    """What is not told is what the workflow says it is: here the careful way."""
    assert creditor_country_in("IR", "KP", unknown=True).read(to(country)) is among


def test_an_untold_country_may_be_taken_for_a_harmless_one() -> None:
    """Only where the workflow says so."""
    assert creditor_country_in("IR", unknown=False).read(to(None)) is False


def test_a_currency_is_a_fact_of_any_value() -> None:
    """So that a decision on it needs an `otherwise`."""
    assert (currency().values, currency().read(paying(1, "JPY"))) == (None, "JPY")


@pytest.mark.parametrize(
    ("fact", "name"),
    [
        (amount_over(others=True, **LIMITS), "amount over 100.00 EUR, 15000 JPY, any in others"),
        (amount_over(others=False), "amount over: none in others"),
        (creditor_country_in("KP", "IR", unknown=True), "creditor in IR KP, or unknown"),
        (creditor_country_in("NL", unknown=False), "creditor in NL, not unknown"),
        (currency(), "currency"),
    ],
)
def test_a_fact_is_named_by_what_it_decides(fact: Fact, name: str) -> None:
    """The name is what pictures show, and two facts of one name are the same fact."""
    assert fact.name == name
    assert fact == Fact(name, lambda order: "", fact.values)
    known: tuple[Hashable, ...] | None = fact.values
    assert known in ((True, False), None)
