"""When what ends is restarted, in the words of OTP; pure: no process, no actor, no clock, no chance of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

Strategy = Literal["one_for_one", "rest_for_one", "one_for_all"]
RestartKind = Literal["permanent", "transient", "temporary"]
Exceeded = Literal["give_up", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionSpec:
    """Who is restarted with whom, how soon, and how often before it is no use.

    More than `intensity` failures within `period` and restarting is `exceeded`: with `give_up` the child stays down
    and the others serve on; with `stop` everything ends, so that the supervisor's own parent starts it anew. What is
    counted is what would be given up: one child's failures, or with `stop` those of all children together.

    The first failure in a period is answered at once, the second after `initial_backoff`, each later one
    `backoff_factor` times as late as the one before, up to `maximum_backoff`; chance takes up to `jitter` (a share of
    1) off a pause, so that what fell together doesn't rise together.
    """

    strategy: Strategy = "one_for_one"
    intensity: int = 5
    period: timedelta = timedelta(seconds=60)
    initial_backoff: timedelta = timedelta(milliseconds=100)
    maximum_backoff: timedelta = timedelta(seconds=5)
    backoff_factor: float = 2.0
    jitter: float = 0.25
    exceeded: Exceeded = "give_up"

    def __post_init__(self) -> None:
        """Refuse what could never work, where it is written rather than when something fails."""
        if self.intensity < 0 or self.period <= timedelta(0):
            raise ValueError("supervision needs an intensity of at least 0 and a period above 0")
        if self.backoff_factor < 1 or not timedelta(0) <= self.initial_backoff <= self.maximum_backoff:
            raise ValueError("supervision needs a backoff factor of at least 1 and 0 <= initial <= maximum")
        if not 0 <= self.jitter <= 1:
            raise ValueError("supervision needs a jitter from 0 to 1")


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child: `permanent` is always restarted, `transient` after an abnormal end only, `temporary` never."""

    name: str
    restart: RestartKind = "permanent"


def child_specs(
    names: Sequence[str], restart: RestartKind, exceptions: Mapping[str, RestartKind]
) -> tuple[ChildSpec, ...]:
    """The children in the order of their start; `exceptions` are those with another restart than `restart`.

    Raises:
        ValueError: an exception is none of the children; a sentence.
    """
    for name in exceptions:
        if name not in names:
            raise ValueError(f"supervision.restart_of names {name}, but the processes are {', '.join(names)}")
    return tuple(ChildSpec(name, exceptions.get(name, restart)) for name in names)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure; `cause` names the message that is to blame, where that is known."""

    at: datetime
    cause: str = ""


@dataclass(frozen=True, slots=True)
class RestartHistory:
    """When each child has failed; no more of it than the period needs."""

    failures: Mapping[str, tuple[Failure, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def within(self, period: timedelta, name: str, now: datetime) -> tuple[Failure, ...]:
        """The failures of `name` that still count at `now`."""
        return tuple(failure for failure in self.failures.get(name, ()) if now - failure.at < period)

    def blaming(self, name: str, cause: str) -> RestartHistory:
        """The same, knowing that the last failure of `name` was caused by the message `cause`.

        A cause that is new also explains the failure right before, if nobody has: that one took many messages with
        it, and made the child run them one by one until the guilty one was alone.
        """
        failures = list(self.failures.get(name, ()))
        if not failures:
            return self
        known = any(failure.cause == cause for failure in failures)
        failures[-1] = replace(failures[-1], cause=cause)
        if not known and len(failures) > 1 and not failures[-2].cause:
            failures[-2] = replace(failures[-2], cause=cause)
        return RestartHistory(MappingProxyType({**self.failures, name: tuple(failures)}))


@dataclass(frozen=True, slots=True)
class Restart:
    """End those of `names` that still run, then start all of them again once `delay` is over.

    Those of `ended` are ended along and stay down.
    """

    names: tuple[str, ...]
    delay: timedelta
    ended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeaveDown:
    """It isn't one that is restarted after such an end, and nobody else is concerned."""

    name: str
    restart: RestartKind


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave `name` down and say so: it has failed `failures` times within `period`."""

    name: str
    failures: int
    period: timedelta


@dataclass(frozen=True, slots=True)
class Escalate:
    """End everything, so that the parent decides: there were `failures` within `period`, the last one of `name`."""

    name: str
    failures: int
    period: timedelta


Decision = Restart | LeaveDown | GiveUp | Escalate


def after_exit(
    spec: SupervisionSpec,
    history: RestartHistory,
    children: Sequence[ChildSpec],
    name: str,
    *,
    normal: bool,
    now: datetime,
    chance: float,
) -> tuple[RestartHistory, Decision]:
    """Decide what becomes of the child `name`, which has ended without being told to, and of its siblings.

    `children` are all that are supervised together, in the order in which they are started; `normal` says that it
    ended in good order; `chance` is from 0 to 1. A permanent child that ended in good order counts as failed.

    Source: the supervisor behaviour of Erlang/OTP; docs/design/0011-supervision.md says where this differs.
    """
    kind = next(child.restart for child in children if child.name == name)
    if kind == "temporary" or (kind == "transient" and normal):
        return history, LeaveDown(name, kind)
    later, decision = after_failure(spec, history, [child.name for child in children], name, now, chance)
    if isinstance(decision, Restart):
        temporary = {child.name for child in children if child.restart == "temporary"}
        decision = replace(
            decision,
            names=tuple(each for each in decision.names if each not in temporary),
            ended=tuple(each for each in decision.names if each in temporary),
        )
    return later, decision


def after_failure(
    spec: SupervisionSpec,
    history: RestartHistory,
    children: Sequence[str],
    name: str,
    now: datetime,
    chance: float = 0.0,
) -> tuple[RestartHistory, Restart | GiveUp | Escalate]:
    """Decide what becomes of `name`, which has failed at `now`, and of its siblings.

    Each call counts as one failure, so a failure is to be reported once.
    """
    failures = (*history.within(spec.period, name, now), Failure(now))
    later = RestartHistory(MappingProxyType({**history.failures, name: failures}))
    if spec.exceeded == "stop":
        number = sum(_counted(later.within(spec.period, each, now)) for each in children)
    else:
        number = _counted(failures)
    if number > spec.intensity:
        decision = Escalate if spec.exceeded == "stop" else GiveUp
        return later, decision(name, number, spec.period)
    return later, Restart(_affected(spec.strategy, children, name), _delay(spec, len(failures), chance))


def _counted(failures: Iterable[Failure]) -> int:
    """How often a child has failed by itself: all that one message has caused counts once.

    Such a message is put away after a few attempts, so the child makes progress; only the backoff takes every one.
    """
    causes = [failure.cause for failure in failures]
    return causes.count("") + len({cause for cause in causes if cause})


def _affected(strategy: Strategy, children: Sequence[str], name: str) -> tuple[str, ...]:
    match strategy:
        case "one_for_one":
            return (name,)
        case "rest_for_one":
            return tuple(children[list(children).index(name) :])
        case "one_for_all":
            return tuple(children)


def _delay(spec: SupervisionSpec, failures: int, chance: float) -> timedelta:
    if failures == 1 or not spec.initial_backoff:
        return timedelta(0)
    # The exponent is bounded so that no number of failures overflows a float.
    grown = spec.initial_backoff.total_seconds() * spec.backoff_factor ** min(failures - 2, 64)
    pause = min(grown, spec.maximum_backoff.total_seconds())
    return timedelta(seconds=pause * (1 - spec.jitter * chance))
