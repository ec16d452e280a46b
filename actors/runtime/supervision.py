"""When what fails is restarted, in the words of OTP; pure: no process, no actor, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

Strategy = Literal["one_for_one", "rest_for_one", "one_for_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionSpec:
    """Who is restarted with whom, how soon, and how often before it is no use.

    More than `intensity` failures of one child within `period` and it is given up. The first failure in a
    period is answered at once, the second after `initial_backoff`, each later one `backoff_factor` times
    as late as the one before, up to `maximum_backoff`.
    """

    strategy: Strategy = "one_for_one"
    intensity: int = 5
    period: timedelta = timedelta(seconds=60)
    initial_backoff: timedelta = timedelta(milliseconds=100)
    maximum_backoff: timedelta = timedelta(seconds=5)
    backoff_factor: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what could never work, where it is written rather than when something fails."""
        if self.intensity < 0 or self.period <= timedelta(0):
            raise ValueError("supervision needs an intensity of at least 0 and a period above 0")
        if self.backoff_factor < 1 or not timedelta(0) <= self.initial_backoff <= self.maximum_backoff:
            raise ValueError("supervision needs a backoff factor of at least 1 and 0 <= initial <= maximum")


@dataclass(frozen=True, slots=True)
class RestartHistory:
    """When each child has failed; no more of it than the period needs."""

    failures: Mapping[str, tuple[datetime, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def within(self, period: timedelta, name: str, now: datetime) -> tuple[datetime, ...]:
        """The failures of `name` that still count at `now`."""
        return tuple(at for at in self.failures.get(name, ()) if now - at < period)


@dataclass(frozen=True, slots=True)
class Restart:
    """End those of `names` that still run, then start all of them again once `delay` is over."""

    names: tuple[str, ...]
    delay: timedelta


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave `name` down and say so: it has failed `failures` times within `period`."""

    name: str
    failures: int
    period: timedelta


def after_failure(
    spec: SupervisionSpec, history: RestartHistory, children: Sequence[str], name: str, now: datetime
) -> tuple[RestartHistory, Restart | GiveUp]:
    """Decide what becomes of `name`, which has failed at `now`, and of its siblings.

    `children` are all that are supervised together, in the order in which they are started. Each call
    counts as one failure, so a failure is to be reported once.

    Source: the supervisor behaviour of Erlang/OTP; unlike there, failures count per child.
    """
    failures = (*history.within(spec.period, name, now), now)
    later = RestartHistory(MappingProxyType({**history.failures, name: failures}))
    if len(failures) > spec.intensity:
        return later, GiveUp(name, len(failures), spec.period)
    return later, Restart(_affected(spec.strategy, children, name), _delay(spec, len(failures)))


def _affected(strategy: Strategy, children: Sequence[str], name: str) -> tuple[str, ...]:
    match strategy:
        case "one_for_one":
            return (name,)
        case "rest_for_one":
            return tuple(children[list(children).index(name) :])
        case "one_for_all":
            return tuple(children)


def _delay(spec: SupervisionSpec, failures: int) -> timedelta:
    if failures == 1 or not spec.initial_backoff:
        return timedelta(0)
    # The exponent is bounded so that no number of failures overflows a float.
    grown = spec.initial_backoff.total_seconds() * spec.backoff_factor ** min(failures - 2, 64)
    return timedelta(seconds=min(grown, spec.maximum_backoff.total_seconds()))
