"""What a simulation has been through, as one document, and a failure as lines that say how to see it again."""

from __future__ import annotations

from typing import Any

from actors.simulation.run import Total, is_crash
from actors.simulation.world import Outcome, Plan


def document(total: Total) -> dict[str, Any]:
    """What `simulate --json` answers."""
    seconds = max(total.seconds, 1e-9)
    return {
        "seeds": total.seeds,
        "failed_seeds": total.failed,
        "payments": total.payments,
        "payments_per_s": round(total.payments / seconds, 1),
        "by_status": dict(sorted(total.statuses.items())),
        "messages": total.messages,
        "turns": total.turns,
        "commits": total.commits,
        "frames": total.frames,
        "checks": total.checks,
        "crashes": sum(total.crashes.values()),
        "crashes_by_kind": total.crashes,
        "faults": sum(number for kind, number in total.faults.items() if not is_crash(kind)),
        "faults_by_kind": {kind: number for kind, number in sorted(total.faults.items()) if not is_crash(kind)},
        "simulated_seconds": round(total.simulated_seconds, 1),
        "seconds": round(total.seconds, 2),
        "digests": {str(seed): digest for seed, digest in total.digests.items()},
        "violations": total.violations,
    }


def again(seed: int, plan: Plan, number: int = 1) -> str:
    """The command that runs a seed again, or `number` of them from there on."""
    standard = Plan()
    parts = [f"python system.py simulate --seed {seed} --seeds {number}"]
    if plan.payments != standard.payments:
        parts.append(f"--payments {plan.payments}")
    if plan.flow:
        parts.append(f"--flow {plan.flow}")
    if plan.topology != standard.topology:
        parts.append(f"--topology {plan.topology}")
    if plan.cells != standard.cells:
        parts.append(f"--cells {plan.cells}")
    if plan.intensity != standard.intensity:
        parts.append(f"--intensity {plan.intensity:g}")
    return " ".join(parts)


def failure(outcome: Outcome, plan: Plan, most: int = 5) -> list[str]:
    """A world's broken promises, in words: where, which payment, and what was last said about it."""
    lines = []
    for violation in outcome.violations[:most]:
        payment = f", payment {violation['payment_id']}" if violation["payment_id"] else ""
        lines.append(f"seed {outcome.seed}, step {violation['step']}{payment}: {violation['promise']}")
        lines += [f"    {line}" for line in violation["messages"]]
    if len(outcome.violations) > most:
        lines.append(f"and {len(outcome.violations) - most} more in this world")
    lines.append(f"run it again: {again(outcome.seed, plan)}")
    return lines
