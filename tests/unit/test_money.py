"""Money as people write it and as the system keeps it; and the words that every service shares."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.vocabulary import money, reason, slots
from actors.vocabulary.money import (
    DECIMALS,
    LARGEST_AMOUNT_MINOR,
    BadAmount,
    MixedCurrencies,
    Money,
    decimal_text,
    parse_money,
)
from actors.vocabulary.slots import SLOTS, BadId, id_with_slot, slot_in, slot_of

currencies = st.sampled_from(sorted(DECIMALS))
minor_units = st.integers(1, LARGEST_AMOUNT_MINOR)


@pytest.mark.parametrize("module", [money, reason, slots])
def test_the_examples_in_the_vocabulary_hold(module: object) -> None:
    """What the pages show is what the words do."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@given(minor_units, currencies)
def test_what_is_written_reads_back_as_the_same_money(amount: int, currency: str) -> None:
    """Every amount of every currency survives being shown to a person."""
    assert parse_money(decimal_text(amount, currency), currency) == Money(amount, currency)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.50", "EUR", 1250),
        ("12.5", "EUR", 1250),
        ("12.", "EUR", 1200),
        (".5", "EUR", 50),
        (" 007 ", "JPY", 7),
        ("7.00", "JPY", 7),
        ("1.2500", "EUR", 125),
        ("0.001", "BHD", 1),
        ("10000000000000.00", "EUR", LARGEST_AMOUNT_MINOR),
    ],
)
def test_plain_decimal_amounts_are_read_to_the_minor_unit(text: str, currency: str, minor: int) -> None:
    """Each currency has its own decimals."""
    assert parse_money(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency", "words"),
    [
        ("", "EUR", "is not a number such as 12.50"),
        (".", "EUR", "is not a number such as 12.50"),
        ("twelve", "EUR", "is not a number such as 12.50"),
        ("1e3", "EUR", "is not a number such as 12.50"),
        ("+5", "EUR", "is not a number such as 12.50"),
        ("1_000", "EUR", "is not a number such as 12.50"),
        ("NaN", "EUR", "is not a number such as 12.50"),
        ("Infinity", "EUR", "is not a number such as 12.50"),
        ("1.2.3", "EUR", "is not a number such as 12.50"),
        ("١٢", "EUR", "is not a number such as 12.50"),
        ("12\x00", "EUR", "is not a number such as 12.50"),
        ("12,50", "EUR", "write a point before the decimals"),
        ("-1", "EUR", "must be more than zero"),
        ("0", "EUR", "must be more than zero"),
        ("0.00", "EUR", "must be more than zero"),
        ("1.005", "EUR", "has more than the 2 decimals of EUR"),
        ("1." + "0" * 40 + "1", "EUR", "has more than the 2 decimals of EUR"),
        ("5.5", "JPY", "has decimals, JPY has none"),
        ("10000000000000.01", "EUR", "is above the limit of 10000000000000.00 EUR"),
        ("9" * 100_000, "EUR", "is above the limit"),
        ("1", "eur", "is not an active ISO 4217 code"),
        ("1", "", "is not an active ISO 4217 code"),
        ("1", "DEM", "is not an active ISO 4217 code"),
    ],
)
def test_what_is_no_amount_is_refused_in_one_sentence(text: str, currency: str, words: str) -> None:
    """The sentence says what to write instead, and stays short whatever was written."""
    with pytest.raises(BadAmount) as refusal:
        parse_money(text, currency)
    assert words in str(refusal.value)
    assert len(str(refusal.value)) < 140


def test_zero_is_money_only_where_it_is_allowed() -> None:
    """An account may open without a deposit; a payment of nothing is none."""
    assert parse_money("0.00", "EUR", zero_allowed=True) == Money(0, "EUR")


@given(st.text(max_size=20), currencies)
def test_any_text_is_either_money_or_refused(text: str, currency: str) -> None:
    """Nothing that a file may hold ends in another error, and what is taken is within the limits."""
    try:
        read = parse_money(text, currency)
    except BadAmount:
        return
    assert 0 < read.amount <= LARGEST_AMOUNT_MINOR


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), currencies)
def test_sums_and_differences_undo_each_other(first: int, second: int, currency: str) -> None:
    """Whole numbers: nothing is rounded, ever."""
    a, b = Money(first, currency), Money(second, currency)
    assert a + b - b == a


def test_two_currencies_dont_add_up() -> None:
    """Nobody converts money by accident."""
    with pytest.raises(MixedCurrencies):
        Money(1, "EUR") + Money(1, "USD")


def test_every_currency_has_zero_to_three_decimals() -> None:
    """And the table knows the ones that are easily forgotten."""
    assert set(DECIMALS.values()) == {0, 2, 3}
    assert (DECIMALS["JPY"], DECIMALS["EUR"], DECIMALS["KWD"], DECIMALS["ISK"]) == (0, 2, 3, 0)


@given(st.text())
def test_any_text_has_a_slot(key: str) -> None:
    """Keys and accounts come from outside; wherever they hash to, it is one of ours."""
    assert 0 <= slot_of(key) < SLOTS


def test_slots_are_the_same_for_ever() -> None:
    """Data lies where these numbers say; another hash would lose it."""
    assert [slot_of(key) for key in ("ACC-1001", "ACC-2001", "見本")] == [20, 58, 7]


@given(st.integers(0, SLOTS - 1))
def test_an_id_tells_its_slot(slot: int) -> None:
    """Whoever has the id knows where to ask."""
    assert slot_in(id_with_slot("P01JD8XK2M300004", slot)) == slot


@pytest.mark.parametrize(
    "text", ["", "-2f", "P1", "P1-", "P1-4", "P1-40", "P1-+f", "P1- f", "P1-2F", "P1-2f ", "P1-\uff12f"]
)
def test_other_texts_are_no_ids(text: str) -> None:
    """A sentence instead of a search in the wrong place."""
    with pytest.raises(BadId, match="is not an id this system gives out"):
        slot_in(text)
