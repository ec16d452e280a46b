"""People pause payments, services and the rail in worlds where services live apart, and everything ends."""

from __future__ import annotations

from collections import Counter

from actors.simulation.run import simulate
from actors.simulation.world import Plan


def test_whatever_people_pause_goes_on_and_ends() -> None:
    """Every cell hears of a paused payment over its links, and nothing of what was put aside is lost or done twice."""
    done: Counter[str] = Counter()
    for seed in range(41, 49):
        outcome = simulate(seed, Plan(payments=100, topology="isolated"))
        assert outcome.violations == []
        done += outcome.faults
    wanted = {f"operator: {what}" for what in ("pause", "retry", "restart", "service paused", "rail paused")}
    assert wanted <= set(done)
