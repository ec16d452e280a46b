"""Money: whole minor units of an ISO 4217 currency. Pure; no floats anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LARGEST_AMOUNT_MINOR: Final = 10**15  # ten trillion euro: far above any payment, far below 64 bits even summed

# ISO 4217 active currencies by number of decimals (list one, maintained by SIX). Two is the rule. Left out are
# codes nobody is paid in: funds (CLF, UYI, CHE, …), metals, testing. To add or retire one, edit these lines.
_TWO = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP"
    " CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS"
    " INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN"
    " MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE"
    " SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR"
    " ZMW ZWG"
)
DECIMALS: Final[dict[str, int]] = (
    dict.fromkeys(_TWO.split(), 2)
    | dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    )
    | dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)
)


class BadAmount(ValueError):
    """Text that is no amount of money; the message is one sentence that says what to write instead."""


class MixedCurrencies(ValueError):
    """Two amounts of different currencies were put together."""


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` whole minor units of `currency` (EUR: cents, JPY: yen)."""

    amount: int
    currency: str

    def __add__(self, other: Money) -> Money:
        """The sum; raises `MixedCurrencies` for two currencies."""
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        """The difference, which may be negative; raises `MixedCurrencies` for two currencies."""
        return Money(self.amount - self._same(other), self.currency)

    def __str__(self) -> str:
        """`12.50 EUR`."""
        return f"{self.decimal} {self.currency}"

    @property
    def decimal(self) -> str:
        """The amount as people write it, with the currency's decimals: `12.50`, `-3`, `0.001`."""
        return decimal_text(self.amount, self.currency)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise MixedCurrencies(f"{self.currency} and {other.currency} don't add up")
        return other.amount


def decimal_text(amount_minor: int, currency: str) -> str:
    """`amount_minor` as a decimal string with the currency's decimals.

    >>> decimal_text(1250, "EUR"), decimal_text(-5, "EUR"), decimal_text(700, "JPY")
    ('12.50', '-0.05', '700')
    """
    decimals = DECIMALS[currency]
    if not decimals:
        return str(amount_minor)
    sign = "-" if amount_minor < 0 else ""
    digits = str(abs(amount_minor)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def parse_money(amount: str, currency: str, *, zero_allowed: bool = False) -> Money:
    """Money from what a person or a file wrote: plain decimal digits with a point, ISO 4217 code.

    Raises:
        BadAmount: with a sentence, for an unknown currency, a negative, zero, over-precise, huge or
            malformed amount.

    >>> parse_money("12.5", "EUR")
    Money(amount=1250, currency='EUR')
    >>> parse_money("0.001", "KWD"), parse_money("700", "JPY")
    (Money(amount=1, currency='KWD'), Money(amount=700, currency='JPY'))
    """
    decimals = DECIMALS.get(currency)
    if decimals is None:
        raise BadAmount(f"currency {_shown(currency)} is not an active ISO 4217 code such as EUR")
    match = _AMOUNT(amount)
    if match is None:
        raise BadAmount(_not_an_amount(amount))
    whole, fraction = match.groups("")
    if len(fraction) > decimals:
        fraction, beyond = fraction[:decimals], fraction[decimals:]
        if beyond.strip("0"):
            most = f"more than the {decimals} decimals of {currency}" if decimals else f"decimals, {currency} has none"
            raise BadAmount(f"amount {_shown(amount)} has {most}")
    whole = whole.lstrip("0")
    if len(whole) > 18:  # no need to make a number of a book
        raise BadAmount(_too_much(amount, currency))
    minor = int(whole + fraction.ljust(decimals, "0") or "0")
    if minor == 0 and not zero_allowed:
        raise BadAmount(f"amount {_shown(amount)} must be more than zero")
    if minor > LARGEST_AMOUNT_MINOR:
        raise BadAmount(_too_much(amount, currency))
    return Money(minor, currency)


# 12, 12.5, 12.50, .50 and 12. with spaces around; no sign, no thousands separators, no exponent
_AMOUNT: Final = re.compile(r"\s*(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?\s*", re.ASCII).fullmatch


def _not_an_amount(amount: str) -> str:
    text = amount.strip()
    if text.startswith("-") and _AMOUNT(text[1:]):
        return f"amount {_shown(amount)} must be more than zero"
    if "," in text and _AMOUNT(text.replace(",", "")):
        return f"amount {_shown(amount)} is written with a comma; write a point before the decimals, as in 12.50"
    return f"amount {_shown(amount)} is not a number such as 12.50"


def _too_much(amount: str, currency: str) -> str:
    limit = decimal_text(LARGEST_AMOUNT_MINOR, currency)
    return f"amount {_shown(amount)} is above the limit of {limit} {currency}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 24 else text[:24] + "…")
