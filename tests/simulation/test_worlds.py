"""Simulated worlds: fixed seeds and fresh ones break no promise, and a seed is the same run every time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors import assembly
from actors.simulation import ending, report
from actors.simulation.faults import CHANCES, EVENTS
from actors.simulation.orders import CERTAIN, KINDS
from actors.simulation.run import fresh_seed, is_crash, simulate, simulate_all
from actors.simulation.world import Plan, SimulatedWorld

ROOT = Path(__file__).parents[2]
ROUGH = Plan(payments=120, intensity=2.0)
FRESH = 3


def check(seed: int, plan: Plan) -> None:
    """Run a world and show what is broken in it."""
    outcome = simulate(seed, plan)
    assert not outcome.violations, "\n".join(report.failure(outcome, plan))
    assert outcome.payments >= plan.payments * 0.9


@pytest.mark.parametrize("seed", range(1, 9))
def test_no_promise_is_broken_in_a_world_of_faults(seed: int) -> None:
    """The same worlds on every machine: a change that breaks one of them is seen at once."""
    check(seed, ROUGH)


@pytest.mark.parametrize("number", range(FRESH))
def test_no_promise_is_broken_in_a_fresh_world(number: int) -> None:
    """Each run of the tests looks where none has looked before; the seed stands in the failure."""
    check(fresh_seed(), ROUGH)


EXPECTED = {
    "ordinary": ("completed", None), "TEST-REJECT-AC04": ("rejected", "AC04"), "TEST-TWICE": ("completed", None),
    "TEST-RETURN-MD07": ("returned", "MD07"), "blocked": ("rejected", "RR04"), "closed": ("rejected", "AC05"),
    "unknown": ("rejected", "AC02"), "wrong currency": ("rejected", "AM03"),
}  # fmt: skip


def test_where_nothing_goes_wrong_every_payment_ends_as_its_kind_says() -> None:
    """The orders are of every outcome, and a world without faults shows which."""
    assembly.load_messages()
    world = SimulatedWorld(6, Plan(payments=300, intensity=0.0))
    world.live()
    ended = ending.statuses(world.cells)
    orders = [(world.accepted[key], order) for key, order in world.orders.items()]
    world.close()
    assert world.outcome.violations == []
    assert set(EXPECTED) == CERTAIN
    stopped = ("cancelled", "CUST")  # an operator was quicker
    for payment_id, order in orders:
        if order.kind in EXPECTED:
            assert ended[payment_id] in (EXPECTED[order.kind], stopped), (order.kind, payment_id)
    assert {order.kind for _, order in orders} >= {kind for kind, weight in KINDS if weight >= 2}


@pytest.mark.parametrize("flow", ["orchestrated", "choreographed"])
def test_each_flow_alone_keeps_every_promise(flow: str) -> None:
    """Neither leans on the other."""
    check(21, Plan(payments=100, flow=flow, intensity=2.0))


@pytest.mark.parametrize("cells", [1, 2, 5])
def test_any_number_of_cells_keeps_every_promise(cells: int) -> None:
    """One has no links, five have many."""
    check(31, Plan(payments=100, cells=cells, intensity=2.0))


def test_every_kind_of_fault_comes_in_some_world() -> None:
    """A fault that never strikes tests nothing."""
    total = simulate_all(range(100, 114), Plan(payments=100, intensity=4.0))
    assert not total.violations, total.violations
    missing = {kind for kind in (*CHANCES, *EVENTS) if not total.faults[kind]}
    assert not missing
    assert sum(number for kind, number in total.faults.items() if is_crash(kind)) >= 30


def digest_in_a_process_of_its_own(hash_seed: str) -> str:
    """The digest of a small world, as the command prints it."""
    command = [sys.executable, "system.py", "simulate", "--seed", "7", "--seeds", "2", "--payments", "60",
               "--intensity", "3", "--json"]  # fmt: skip
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["digests"])


def test_a_seed_is_the_same_run_in_every_process() -> None:
    """Byte for byte: every frame, every line of the logs, every crash, whatever the order of Python's sets."""
    assert digest_in_a_process_of_its_own("1") == digest_in_a_process_of_its_own("2")


def test_a_seed_is_the_same_run_whatever_ran_before() -> None:
    """A failure is seen again without the worlds that came before it."""
    alone = simulate(7, Plan(payments=60, intensity=3.0)).digest
    total = simulate_all((5, 7), Plan(payments=60, intensity=3.0))
    assert total.digests[7] == alone
    assert total.digests[5] != alone


def test_a_failure_says_how_to_see_it_again() -> None:
    """Seed, step, the sentence, the last messages, and the command."""
    plan = Plan(payments=60, flow="orchestrated", intensity=3.0)
    outcome = simulate(7, plan)
    outcome.violations.append({"seed": 7, "step": 12, "payment_id": "P1-00", "promise": "it is gone",
                               "messages": ["08:00 event PaymentRequested"]})  # fmt: skip
    lines = report.failure(outcome, plan)
    assert lines[0] == "seed 7, step 12, payment P1-00: it is gone"
    assert lines[1].strip() == "08:00 event PaymentRequested"
    assert lines[-1] == (
        "run it again: python system.py simulate --seed 7 --seeds 1 --payments 60 --flow orchestrated --intensity 3"
    )
