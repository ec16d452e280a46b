"""Runs worlds, one seed after the other or several at a time, and adds up what they have been through."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import secrets
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from multiprocessing.pool import AsyncResult
from typing import Any, Final

import structlog

from actors import assembly
from actors.simulation.world import Outcome, Plan, SimulatedWorld

COLLECT_EVERY: Final = 10  # worlds
_worlds = count(1)


@dataclass(slots=True)
class Total:
    """What all worlds have been through together; `seconds` are those of the machine."""

    plan: Plan
    seeds: int = 0
    failed: list[int] = field(default_factory=list)
    payments: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    turns: int = 0
    commits: int = 0
    frames: int = 0
    checks: int = 0
    simulated_seconds: float = 0.0
    seconds: float = 0.0
    digests: dict[int, str] = field(default_factory=dict)
    violations: list[dict[str, Any]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One more world."""
        self.seeds += 1
        self.statuses += outcome.statuses
        self.faults += outcome.faults
        for name in ("payments", "messages", "turns", "commits", "frames", "checks", "simulated_seconds"):
            setattr(self, name, getattr(self, name) + getattr(outcome, name))
        self.digests[outcome.seed] = outcome.digest
        self.violations += outcome.violations
        if outcome.violations:
            self.failed.append(outcome.seed)

    @property
    def crashes(self) -> dict[str, int]:
        """The faults that ended a cell's process."""
        return {kind: number for kind, number in sorted(self.faults.items()) if is_crash(kind)}


def is_crash(kind: str) -> bool:
    """Whether this fault ends a cell's process."""
    return kind.startswith(("crash", "cell silent"))


def simulate(seed: int, plan: Plan) -> Outcome:
    """One world, from its first account to its last check."""
    assembly.load_messages()
    world = SimulatedWorld(seed, plan)
    try:
        with _logs_into(world.record):
            return world.run()
    finally:
        if next(_worlds) % COLLECT_EVERY == 0:
            gc.collect()  # what worlds leave behind holds on to itself, and is looked for seldom (see `_settle`)


def simulate_all(
    seeds: Iterable[int], plan: Plan, *, jobs: int = 1, told: Callable[[Outcome], None] = lambda outcome: None,
    total: Total | None = None,
) -> Total:  # fmt: skip
    """A world for each seed, `jobs` at a time; `told` hears of each as it ends, `total` adds them up."""
    total = Total(plan) if total is None else total
    began = time.perf_counter()
    for outcome in _outcomes(seeds, plan, jobs):
        total.add(outcome)
        total.seconds = time.perf_counter() - began
        told(outcome)
    total.seconds = time.perf_counter() - began
    return total


def fresh_seed() -> int:
    """A seed that nobody has seen; the one thing here that is not the same twice."""
    return secrets.randbelow(2**32)


def seeds_from(first: int, number: int | None) -> Iterator[int]:
    """So many seeds, or endless ones."""
    return islice(count(first), number)


def _outcomes(seeds: Iterable[int], plan: Plan, jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        _settle()
        for seed in seeds:
            yield simulate(seed, plan)
        return
    # Fresh processes: nothing that one world leaves in memory reaches another by fork.
    under_way: deque[AsyncResult[Outcome]] = deque()
    with multiprocessing.get_context("spawn").Pool(jobs, _begin_job) as pool:
        for seed in seeds:
            under_way.append(pool.apply_async(simulate, (seed, plan)))
            if len(under_way) >= 2 * jobs:  # seeds may be endless
                yield under_way.popleft().get()
        while under_way:
            yield under_way.popleft().get()


def _begin_job() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who was interrupted is the command, and it ends its jobs
    _settle()


def _settle() -> None:
    """A payment makes hundreds of objects and almost no cycles: look for them less often, as cells do."""
    gc.set_threshold(100_000, 50, 1_000)


@contextmanager
def _logs_into(record: Callable[[str, bytes], None]) -> Iterator[None]:
    """What the system logs goes into the digest, and nowhere else."""

    def take(logger: Any, name: str, event: Any) -> Any:
        plain = {key: value for key, value in event.items() if isinstance(value, str | int)}
        record("log", repr(sorted(plain.items())).encode())
        raise structlog.DropEvent

    before = structlog.get_config()
    standard = logging.getLogger("actors")
    disabled, standard.disabled = standard.disabled, True
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    structlog.configure(
        processors=[take], wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )  # fmt: skip
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.disable(level)
        standard.disabled = disabled
