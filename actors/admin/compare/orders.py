"""The orders that both flows are given: every outcome, none of which depends on what comes first. The same by seed."""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from actors.admin.bench.orders import BLOCKED_NAME
from actors.disbursement.messages import SubmitPayment
from actors.vocabulary.money import Money

ACCOUNTS: Final = tuple(f"COMPARE-{number:02d}" for number in range(20))
NOBODY: Final = "COMPARE-NOBODY"
DOUBTFUL_NAME: Final = "V. Blockov"  # resembles an entry of the sample list: a person must decide
MORE_THAN_ALL: Final = 10**15
SETTLED: Final = ("executed", "not executed", "left")  # what a person does about a payment in doubt
DECIDED: Final = ("clear", "block", "cancel")  # and about a held one


class Kind(NamedTuple):
    """One kind of order; of every hundred so many are of it."""

    name: str
    of_100: int
    creditor_account: str = "COMPARE-CREDITOR"
    creditor: str = "Annelore Beispiel"
    debtor: str = ""
    amount: int = 0


KINDS: Final = (
    Kind("paid", 60),
    Kind("answered late", 4, "TEST-LATE-1"),
    Kind("answered twice", 3, "TEST-TWICE"),
    Kind("answer lost", 3, "TEST-LOST"),
    Kind("instruction lost", 2, "TEST-NOTRECEIVED"),
    Kind("rejected by the bank", 6, "TEST-REJECT-AC04"),
    Kind("too little money", 4, amount=MORE_THAN_ALL),
    Kind("unknown account", 3, debtor=NOBODY),
    Kind("on a watchlist", 4, creditor=BLOCKED_NAME),
    Kind("held for a person", 5, creditor=DOUBTFUL_NAME),
    Kind("sent back", 3, "TEST-RETURN-MD07"),
    Kind("never answered", 2, "TEST-SILENT"),
    Kind("bank contradicts itself", 1, "TEST-CONTRADICT"),
)


def mixed(number: int, flow: str, seed: int = 1) -> list[SubmitPayment]:
    """`number` orders; every kind is among them from 50 on, in proportion from a few hundred."""
    chance = Random(seed)
    hundred = [kind for kind in KINDS for _ in range(kind.of_100)]
    # Each kind once first, so that a small comparison has every outcome, too.
    kinds = [*KINDS, *(chance.choice(hundred) for _ in range(max(0, number - len(KINDS))))][:number]
    return [_order(at, kind, flow, chance) for at, kind in enumerate(kinds)]


def decision(key: str) -> str:
    """What a person decides on the held payment of this key: the same in every flow."""
    return DECIDED[int(key.rpartition("-")[2]) % len(DECIDED)]


def settlement(key: str) -> str:
    """What a person knows about the payment in doubt of this key: the same in every flow."""
    return SETTLED[int(key.rpartition("-")[2]) % len(SETTLED)]


def _order(at: int, kind: Kind, flow: str, chance: Random) -> SubmitPayment:
    return SubmitPayment(
        idempotency_key=f"compare-{at}",
        debtor_account=kind.debtor or chance.choice(ACCOUNTS),
        creditor_name=kind.creditor,
        creditor_account=kind.creditor_account,
        amount=Money(kind.amount or chance.randint(100, 100_000), "EUR"),
        remittance=kind.name,
        flow=flow,
    )
