"""What a workflow is: parts in the order the money moves, as data. Knows no service and no message of one."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from actors.messaging.message import Message
from actors.payment import policies
from actors.payment.facts import Fact
from actors.payment.faults import BadWorkflow
from actors.payment.parts import (
    LONGEST_WAIT,
    OTHERWISE,
    Choice,
    Endings,
    Gate,
    Part,
    Return,
    Stage,
    Step,
    Timer,
    Together,
    WaitUntil,
    wait,
)
from actors.payment.policies import CallPerson, NextWindow, Policy, StopAndUndo, TryLater
from actors.payment.route import Outcomes, Route, ways
from actors.payment.windows import Window
from actors.vocabulary.offers import CHAIN
from actors.vocabulary.order import PaymentOrder

__all__ = [
    "LONGEST_WAIT", "OTHERWISE", "BadWorkflow", "CallPerson", "Choice", "Endings", "Fact", "Gate", "NextWindow",
    "Outcomes", "Part", "Policy", "Return", "Route", "Stage", "Step", "StopAndUndo", "Timer", "Together", "TryLater",
    "WaitUntil", "Window", "Workflow", "all_parts", "wait",
]  # fmt: skip

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MOST_ROUTES: Final = 256  # what nobody can look through is no workflow any more


@dataclass(frozen=True, slots=True)
class Workflow:
    """Steps in order, one of them the pivot, and what is the same whatever their order.

    `steps` may hold `Together`, `Choice` and `WaitUntil` beside plain steps; a payment runs on its `route`, in which
    the choices are made. `patience` is the number of tries after which what is retried for ever also needs a
    person's attention.

    Raises:
        BadWorkflow: on some route there is no pivot or two, evidence that no earlier step gives, a message with two
            roles, and what else `Route` and the parts refuse.
    """

    name: str
    version: int
    steps: tuple[Part, ...]
    gate: Gate
    returns: Return | type[Message]  # the message alone: money that comes back calls a person
    alarm: type[Message]
    endings: Endings
    patience: int = 5
    _routes: dict[Outcomes, Route] = field(init=False, compare=False, repr=False)
    _only: Route | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name.startswith(CHAIN):
            raise BadWorkflow(
                f"a workflow can't be called {self.name[:60]!r}: use small letters, digits and hyphens, and nothing"
                f" that begins with {CHAIN}, as chains do"
            )
        if type(self.version) is not int or self.version < 1:
            raise BadWorkflow(f"{self.name} has no version {self.version}: versions are whole numbers from 1")
        if not isinstance(self.steps, tuple):
            raise BadWorkflow(f"{self.name}: its steps are a tuple, like (DEBIT, SCREEN) or (DEBIT,)")
        for part in self.steps:
            if not isinstance(part, Step | WaitUntil | Together | Choice):
                raise BadWorkflow(f"{self.name}: {str(part)[:40]!r} is no step, `Together`, `Choice` or `WaitUntil`")
        names = [part.name for part in all_parts(self.steps) if isinstance(part, Together | Choice)]
        names += {part.name for part in all_parts(self.steps) if isinstance(part, Step | WaitUntil)}
        for name in names:
            if names.count(name) > 1:
                raise BadWorkflow(f"{self.name} has two parts called {name}")
        found = list(islice(ways(self.steps), _MOST_ROUTES + 1))
        if len(found) > _MOST_ROUTES:
            raise BadWorkflow(f"{self.name} has more than {_MOST_ROUTES} routes, more than anybody can look through")
        routes = {
            outcomes: Route(
                self.name, self.version, outcomes, line,
                self.gate, self.returns, self.alarm, self.endings, self.patience,
            )
            for outcomes, line, _ in found
        }  # fmt: skip
        object.__setattr__(self, "_routes", routes)
        object.__setattr__(self, "_only", routes.get(()))

    def route(self, order: PaymentOrder) -> Route:
        """The way that this order takes: the same for the payment's whole life, since its facts don't change."""
        return self._only or self._routes[tuple(_outcomes(self.steps, order))]

    def routes(self) -> tuple[Route, ...]:
        """Every way that some order takes, each with the outcomes of the choices that lead to it."""
        return tuple(self._routes.values())

    def scaled(self, factor: float) -> Workflow:
        """The same workflow with every timeout and every wait before a further try multiplied by `factor`."""
        return replace(
            self,
            steps=_scaled(self.steps, factor),
            gate=replace(self.gate, timeout=self.gate.timeout * factor),
            returns=self.returns
            if isinstance(self.returns, type)
            else replace(self.returns, timeout=self.returns.timeout * factor),
        )


def all_parts(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Every part, and those inside of others, as often as it is written."""
    for part in parts:
        yield part
        if isinstance(part, Together):
            yield from part.steps
        elif isinstance(part, Choice):
            for steps in (*part.cases.values(), part.otherwise or ()):
                yield from all_parts(steps)


def _outcomes(parts: tuple[Part, ...], order: PaymentOrder) -> Iterator[tuple[str, Hashable]]:
    for part in parts:
        if isinstance(part, Choice):
            case = part.decide(order)
            yield part.name, case
            yield from _outcomes(part.steps_of(case), order)


def _scaled(parts: tuple[Part, ...], factor: float) -> tuple[Part, ...]:
    return tuple(_scaled_part(part, factor) for part in parts)


def _scaled_part(part: Part, factor: float) -> Part:
    if isinstance(part, Step):
        return _scaled_step(part, factor)
    if isinstance(part, Together):
        return replace(part, steps=tuple(_scaled_step(step, factor) for step in part.steps))
    if isinstance(part, Choice):
        cases = {case: _scaled(steps, factor) for case, steps in part.cases.items()}
        otherwise = None if part.otherwise is None else _scaled(part.otherwise, factor)
        return replace(part, cases=cases, otherwise=otherwise)
    return part  # a moment is a moment


def _scaled_step(step: Step, factor: float) -> Step:
    return replace(
        step,
        timeout=step.timeout * factor,
        on_reason={code: policies.scaled(policy, factor) for code, policy in step.on_reason.items()},
        on_failure=policies.scaled(step.on_failure, factor),
    )
