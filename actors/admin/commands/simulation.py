"""The simulator: real cells in one process, simulated time, everything that can go wrong, by seed."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, Final

from actors.admin import arguments as kinds
from actors.admin.command import DONE, VIOLATED, WRONG_USAGE, Command, CommandFailed, Interrupted, Invocation

if TYPE_CHECKING:
    from actors.simulation.run import Total
    from actors.simulation.world import Outcome

FEW: Final = 6  # worlds that are run in this process alone


def simulate(invocation: Invocation) -> int:
    """Run worlds, and say what they have been through."""
    from actors.simulation import report
    from actors.simulation.run import Total, fresh_seed, seeds_from, simulate_all
    from actors.simulation.world import Plan

    given, screen = invocation.arguments, invocation.screen
    if given.cells is not None and given.topology != "partitioned":
        raise CommandFailed("--cells goes with --topology partitioned; leave one of them out", WRONG_USAGE)
    plan = Plan(given.payments, given.flow, given.cells or Plan().cells, given.topology, given.intensity)
    first = fresh_seed() if given.seed is None else given.seed
    number = None if given.forever else given.seeds
    # One world needs one process; importing the system in others takes them as long as a world or two.
    jobs = given.jobs or (1 if given.seeds < FEW and not given.forever else os.cpu_count() or 1)
    total = Total(plan)
    with screen.progress("worlds", number or 0) as advance:

        def told(outcome: Outcome) -> None:
            advance(1)
            if outcome.violations:
                for line in report.failure(outcome, plan):
                    screen.note(line)

        try:
            simulate_all(seeds_from(first, number), plan, jobs=jobs, told=told, total=total)
        except KeyboardInterrupt:
            if not given.forever:
                done = "1 world" if total.seeds == 1 else f"{total.seeds} worlds"
                command = report.again(first + total.seeds, plan, given.seeds - total.seeds)
                raise Interrupted(f"interrupted after {done}; go on with: {command}") from None
    document = report.document(total)
    screen.show(document, lambda _: _table(invocation, total, document))
    return VIOLATED if total.violations else DONE


def _table(invocation: Invocation, total: Total, document: dict[str, Any]) -> None:
    screen = invocation.screen
    seeds = sorted(total.digests)
    few = f" ({seeds[0]} to {seeds[-1]})" if len(seeds) > 1 else f" ({seeds[0]})" if seeds else ""
    screen.facts([
        ("worlds", f"{total.seeds:,}{few}"),
        ("payments", f"{total.payments:,}, {document['payments_per_s']:,.0f} a second, faults and checks included"),
        ("messages", f"{total.messages:,} in {total.turns:,} turns, {total.commits:,} commits"),
        ("frames", f"{total.frames:,} between processes"),
        ("checks", f"{total.checks:,} of payments, after {total.commits:,} commits"),
        ("simulated time", f"{_span(total.simulated_seconds)} in {total.seconds:,.1f} s"),
        ("digest", next(iter(total.digests.values())) if len(seeds) == 1 else None),
    ])  # fmt: skip
    screen.table(("payments", ">number"), sorted(total.statuses.items()))
    screen.table(("crashes", ">number"), sorted(total.crashes.items()), empty="none")
    screen.table(("other faults", ">number"), list(document["faults_by_kind"].items()), empty="none")
    if total.violations:
        screen.say(f"broken promises: {len(total.violations)}, in the worlds {', '.join(map(str, total.failed))}")
    else:
        screen.say("no promise was broken")


def _span(seconds: float) -> str:
    """A span of time in the unit that shows it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=kinds.seed, metavar="N", help="the first world's seed; default: a fresh one")
    number = parser.add_mutually_exclusive_group()
    number.add_argument(
        "--seeds", type=kinds.count, metavar="N", default=10, help="worlds, one seed after the other; default: 10"
    )
    number.add_argument("--forever", action="store_true", help="worlds until it is interrupted")
    parser.add_argument(
        "--payments", type=kinds.count, metavar="N", default=500, help="payments in a world; default: 500"
    )
    parser.add_argument("--flow", choices=kinds.FLOWS, help="default: both, in the same world")
    parser.add_argument("--topology", choices=kinds.TOPOLOGIES, default="partitioned", help="default: partitioned")
    parser.add_argument("--cells", type=kinds.few, metavar="N", help="cells, if partitioned; default: 3")
    parser.add_argument(
        "--intensity", type=kinds.factor, metavar="X", default=1.0, help="multiplies every fault; 0: none; default: 1"
    )
    parser.add_argument(
        "--jobs", type=kinds.few, metavar="N", help="worlds at a time; default: one for each core, if there are many"
    )


COMMANDS = (
    Command(
        name="simulate",
        help="run the system under simulated time, crashes and faults, by seed; exit 5 when a promise is broken",
        arguments=_arguments,
        run=simulate,
        details="Starts nothing and touches no data directory. The same seed with the same options is the same run.",
    ),
)
