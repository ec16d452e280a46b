"""The orders that a measurement submits: distinct creditors, 2 in 100 blocked. Made up, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Final

from actors.disbursement.messages import SubmitPayment
from actors.vocabulary.money import Money

ACCOUNTS: Final = 1_000
BLOCKED_OF_100: Final = 2
BLOCKED_NAME: Final = "Viktor Blockov"  # on the sample list

_SYLLABLES: Final = [
    "ka",
    "lo",
    "mi",
    "ren",
    "tas",
    "vel",
    "dor",
    "bin",
    "sha",
    "nu",
    "pel",
    "gri",
    "mon",
    "tek",
    "fal",
    "zor",
    "hin",
    "bel",
    "cas",
    "dru",
]


class OrderMix:
    """Orders over so many accounts; `creditor_account` decides what the simulated rail does."""

    def __init__(
        self, flow: str, creditor_account: str = "BENCH-CREDITOR", seed: int = 1, accounts: int = ACCOUNTS
    ) -> None:
        self._flow = flow
        self._creditor_account = creditor_account
        self._chance = Random(seed)
        self._numbers = count(1)
        self._prefix = f"bench-{seed}-{flow[:3]}-{creditor_account}"
        self.accounts = [f"BENCH-{number:04d}" for number in range(accounts)]

    def orders(self, number: int, *, blocked: bool = True) -> Iterator[SubmitPayment]:
        """The next `number` orders."""
        for _ in range(number):
            yield self.order(blocked=blocked)

    def order(self, *, blocked: bool = True) -> SubmitPayment:
        """The next order."""
        number, chance = next(self._numbers), self._chance
        is_blocked = blocked and number % 100 < BLOCKED_OF_100
        return SubmitPayment(
            idempotency_key=f"{self._prefix}-{number}",
            debtor_account=self.accounts[chance.randrange(len(self.accounts))],
            creditor_name=BLOCKED_NAME if is_blocked else self._name(),
            creditor_account=self._creditor_account,
            amount=Money(chance.randrange(100, 100_000), "EUR"),
            flow=self._flow,
        )

    def _name(self) -> str:
        chance = self._chance
        words = ["".join(chance.choice(_SYLLABLES) for _ in range(chance.choice((2, 3)))) for _ in range(2)]
        return " ".join(words).title()
