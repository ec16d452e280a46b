"""A payment's way through a workflow, its choices made: steps in a line, and what the engine looks up there."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from actors.messaging.message import Message
from actors.payment.faults import BadWorkflow
from actors.payment.messages import StepTimedOut
from actors.payment.parts import (
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
)
from actors.payment.policies import STOP_AND_UNDO

Outcomes = tuple[tuple[str, Hashable], ...]  # each choice that was met, with the case taken

STEP_ROLES: Final = (
    "done", "refused", "undone", "undo_refused", "waits_for_person", "overdue", "under_way", "in_doubt",
)  # fmt: skip
BRANCH: Final = "branch "  # before the role of a step that is done together with others


class Group(NamedTuple):
    """Steps done together: those from `start` to before `stop`."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Route:
    """The steps of one way, in a line, with everything else that the workflow says.

    The derived fields are for the engine: the pivot's index; each step's first timer, and None after the last (None
    where not just one command and one timer follows: a wait, steps together, the end); the group of each step (None:
    it is alone); the role of each message class.

    Raises:
        BadWorkflow: no pivot or two, evidence that no earlier step gives, a message with two roles, and the like.
    """

    name: str
    version: int
    outcomes: Outcomes
    line: tuple[tuple[Stage, str], ...] = field(repr=False)  # each step with the name of its group, or ""
    gate: Gate = field(repr=False)
    returns: Return | type[Message] = field(repr=False)
    alarm: type[Message] = field(repr=False)
    endings: Endings = field(repr=False)
    patience: int = field(repr=False)
    steps: tuple[Stage, ...] = field(init=False, compare=False)
    groups: tuple[Group | None, ...] = field(init=False, compare=False, repr=False)
    pivot: int = field(init=False, compare=False)
    first_timers: tuple[tuple[Timer] | None, ...] = field(init=False, compare=False, repr=False)
    roles: dict[type[Message], tuple[str, int]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        steps = tuple(step for step, _ in self.line)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "groups", tuple(self._groups()))
        pivots = [at for at, step in enumerate(steps) if step.pivot]
        if not pivots:
            raise BadWorkflow(
                f"{self._called} has no pivot: mark the step after which nothing can be undone with pivot=True, as the"
                " shipped EXECUTE is"
            )
        if len(pivots) > 1:
            named = " and ".join(steps[at].name for at in pivots)
            raise BadWorkflow(
                f"{self._called} has {len(pivots)} pivots, {named}: leave pivot=True to the one after which nothing can"
                " be undone"
            )
        object.__setattr__(self, "pivot", pivots[0])
        for at, step in enumerate(steps):
            self._check(at, step, {earlier.name for earlier in steps[:at]})
        object.__setattr__(self, "first_timers", (*map(self._first_timer, range(len(steps))), None))
        object.__setattr__(self, "roles", self._roles())

    @property
    def _called(self) -> str:
        taken = ", ".join(f"{name} is {case}" for name, case in self.outcomes)
        return f"{self.name}, where {taken}," if taken else self.name

    def _groups(self) -> Iterator[Group | None]:
        names = [name for _, name in self.line]
        for name in names:
            yield Group(name, names.index(name), len(names) - names[::-1].index(name)) if name else None

    def _first_timer(self, at: int) -> tuple[Timer] | None:
        step = self.steps[at]
        if isinstance(step, WaitUntil) or self.groups[at]:
            return None
        return (Timer(step.timeout, StepTimedOut(step=step.name, attempt=1)),)

    def _check(self, at: int, step: Stage, earlier: set[str]) -> None:
        called = self._called
        missing = set(step.needs) - earlier
        if missing:
            raise BadWorkflow(f"{called}: {step.name} needs {', '.join(sorted(missing))} before it")
        if step.name in earlier:
            raise BadWorkflow(f"{called} has two steps called {step.name}")
        if step.name in (self.gate.name, getattr(self.returns, "name", "")):
            raise BadWorkflow(f"{called} has a step called {step.name}, as its gate or its return is")
        if step.compensation and at >= self.pivot:
            raise BadWorkflow(f"{called}: {step.name} can't be undone, it is not before the pivot")
        if isinstance(step, Step):
            if step.on_failure != STOP_AND_UNDO and at >= self.pivot:
                raise BadWorkflow(f"{called}: {step.name} can't decide on a failure, which proves nothing at the pivot")
            if step.on_reason and at > self.pivot:
                raise BadWorkflow(f"{called}: {step.name} can't decide on a reason, after the pivot only a person can")

    def _roles(self) -> dict[type[Message], tuple[str, int]]:
        named: list[tuple[type[Message] | None, str, int]] = [
            (getattr(step, role), BRANCH + role if self.groups[at] else role, at)
            for at, step in enumerate(self.steps)
            for role in STEP_ROLES
            if isinstance(step, Step)
        ]
        gate, returns = self.gate, self.returns
        named += [
            (gate.closed, "gate_closed", 0),
            (gate.refused, "gate_refused", 0),
            (gate.expiry, "expiry", 0),
        ]
        named.append((self.alarm, "alarm", 0))
        if isinstance(returns, type):
            named.append((returns, "alarm", 0))
        else:
            named += [(returns.received, "return_received", 0), (returns.booked, "return_booked", 0)]
            named.append((returns.suspended, "return_suspended", 0))
        roles: dict[type[Message], tuple[str, int]] = {}
        for message, role, at in named:
            if message is None:
                continue
            if message in roles:
                one, other = self._told(*roles[message]), self._told(role, at)
                raise BadWorkflow(f"{self._called}: {message.__name__} is both {one} and {other}")
            roles[message] = role, at
        return roles

    def _told(self, role: str, at: int) -> str:
        """A role as the definition has it."""
        plain = role.removeprefix(BRANCH)
        return f"`{plain}` of {self.steps[at].name}" if plain in STEP_ROLES else f"`{plain}`"


Line = tuple[tuple[Stage, str], ...]
Known = Mapping[str, tuple[bool, frozenset[Hashable]]]  # of a fact: it is this one value, or none of these


def ways(parts: tuple[Part, ...], known: Known | None = None) -> Iterator[tuple[Outcomes, Line, Known]]:
    """Every way through these parts that some order can take: the cases taken, and the steps in a line.

    A fact has one value on one way: a second choice on the same fact is decided by the first.
    """
    known = known or {}
    if not parts:
        yield (), (), known
        return
    first, rest = parts[0], parts[1:]
    if isinstance(first, Choice):
        for case, learned in _cases(first, known):
            for inner, line, after in ways(first.steps_of(case), learned):
                for outer, following, last in ways(rest, after):
                    yield ((first.name, case), *inner, *outer), line + following, last
        return
    line = tuple((step, first.name) for step in first.steps) if isinstance(first, Together) else ((first, ""),)
    for outcomes, following, last in ways(rest, known):
        yield outcomes, line + following, last


def _cases(choice: Choice, known: Known) -> Iterator[tuple[Hashable, Known]]:
    """The cases that can still be, and what is known of the fact in each."""
    fact, written = choice.on, frozenset(choice.cases)
    settled, values = known.get(fact.name, (False, frozenset()))
    if settled:
        (value,) = values
        yield (value if value in written else OTHERWISE), known
        return
    for case in choice.cases:
        if case not in values:
            yield case, {**known, fact.name: (True, frozenset((case,)))}
    if choice.otherwise is not None and (fact.values is None or set(fact.values) - written - values):
        yield OTHERWISE, {**known, fact.name: (False, values | written)}
