"""The engine by itself: what a decision costs, of a linear workflow of five steps and of what else the language has.

Prints, asserts nothing. The bar is 20 µs a decision.

python -m tests.benchmarks.engine [--payments 20000] [--rounds 7] [--profile FILE]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import time
from typing import Final

from actors.aml.messages import BeneficiaryCleared
from actors.execution.messages import PaymentExecuted, PaymentSubmitted
from actors.ledger.messages import AccountDebited, DebitPosted
from actors.limits.messages import WithinLimits
from actors.messaging.message import Message
from actors.payment.definition import Together, Workflow
from actors.payment.engine import advance, start
from actors.payment.model import COMPLETED
from actors.payment.workflow import DEBIT, EXECUTE, LIMITS, POST, SCREEN, payment
from tests.fakes.workflow_script import NOW, an_order

FIVE_STEPS: Final = payment("five-steps", version=1, steps=(DEBIT, SCREEN, LIMITS, EXECUTE, POST))
TOGETHER: Final = payment("together", version=1, steps=(DEBIT, Together("checks", (SCREEN, LIMITS)), EXECUTE, POST))

ID: Final = "P1-00"
ANSWERS: Final[tuple[Message, ...]] = (
    AccountDebited(debit_id=ID),
    BeneficiaryCleared(screening_id=ID),
    WithinLimits(check_id=ID),
    PaymentSubmitted(instruction_id=ID),
    PaymentExecuted(instruction_id=ID),
    DebitPosted(debit_id=ID),
)


def main() -> None:
    """Print the median and the best round of each workflow, in µs a decision."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--payments", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--profile")
    given = parser.parse_args()
    for workflow in (FIVE_STEPS, TOGETHER):
        _drive(workflow, 1_000)  # the interpreter has specialized its code by then
        took = [_microseconds(workflow, given.payments) for _ in range(given.rounds)]
        print(f"{workflow.name}: {statistics.median(took):.2f} µs a decision, best {min(took):.2f}")
    if given.profile:
        profile = cProfile.Profile()
        profile.runcall(_drive, FIVE_STEPS, given.payments)
        pstats.Stats(profile).dump_stats(given.profile)


def _microseconds(workflow: Workflow, payments: int) -> float:
    began = time.process_time()
    _drive(workflow, payments)
    return (time.process_time() - began) / (payments * (1 + len(ANSWERS))) * 1e6


def _drive(workflow: Workflow, payments: int) -> None:
    """Take so many payments from their first step to their end; each decision is made anew."""
    order, now = an_order(ID, workflow.name), NOW
    for _ in range(payments):
        route = workflow.route(order)
        state = start(route, order, now).state
        for answer in ANSWERS:
            state = advance(route, state, answer, now).state
    if state.phase != COMPLETED:
        raise RuntimeError(f"{workflow.name} ended {state.phase}: what was measured is not what is meant")


if __name__ == "__main__":
    main()
