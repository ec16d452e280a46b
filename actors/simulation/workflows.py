"""The workflows of a world: the shipped ones, a second version of one, and one whose waits are as short as a world."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from actors.messaging.envelope import ORCHESTRATED
from actors.payment.definition import Choice, Part, Step, Together, TryLater, WaitUntil, Workflow
from actors.payment.facts import amount_over
from actors.payment.stanzas import SCREEN
from actors.payment.workflow import (
    APPROVE,
    DEBIT,
    EXECUTE,
    LIMITS,
    POST,
    WORKFLOWS,
    debit_again,
    execute_again,
    payment,
)
from actors.simulation.clock import START
from actors.vocabulary.offers import Offer, Offers
from actors.vocabulary.order import PaymentOrder

LATER: Final = TryLater(timedelta(seconds=2), tries=2, backoff=2)
DATED_AFTER: Final = timedelta(seconds=12)


def _when_dated(order: PaymentOrder) -> datetime | None:
    """A world has no midnight: an order with a date waits for a moment in its middle."""
    return None if order.execution_date is None else START + DATED_AFTER


def _guarded(version: int, checks: tuple[Step, ...]) -> Workflow:
    steps: tuple[Part, ...] = (
        replace(DEBIT, again=debit_again, on_reason={"AM04": LATER}),
        Together("checks", checks),
        Choice(
            "large-payment",
            on=amount_over(EUR="10000", USD="10000", others=True),
            cases={True: (APPROVE,), False: ()},
        ),
        WaitUntil("execution-date", _when_dated),
        replace(EXECUTE, again=execute_again, on_reason={"AM04": LATER}),
        POST,
    )
    return payment("guarded", version=version, steps=steps)


LIMITED: Final = payment("debit-first", version=2, steps=(DEBIT, SCREEN, LIMITS, EXECUTE, POST))
MADE_HERE: Final = (_guarded(1, (SCREEN, LIMITS)), LIMITED)
VERSIONS: Final = dict(WORKFLOWS) | {(made.name, made.version): made for made in MADE_HERE}


def offers(shipped: Offers) -> Offers:
    """What a new payment may run on in a world."""
    return Offers((*shipped.all, Offer(ORCHESTRATED, LIMITED.name, LIMITED.version)))
