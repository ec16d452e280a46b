"""A workflow as pictures see it: its parts in plain words, made from the definition. Holds no fact of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from actors.payment.definition import Workflow
from actors.payment.description import describe

TOGETHER: Final = "together"
CHOICE: Final = "choice"
TRY_LATER, NEXT_WINDOW, CALL_PERSON, STOP_AND_UNDO = "try-later", "next-window", "call-person", "stop-and-undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One command to one service, with what each answer leads to. `policies` are (what happens, what then)."""

    name: str
    service: str
    command: str
    done: str
    refused: str | None
    held: str | None
    overdue: str | None
    doubt: str | None
    timeout: str
    tries: int
    backoff: float
    policies: tuple[tuple[str, str, str], ...]  # on what, which policy, in words
    undo: str | None
    undone: str | None
    undo_when_done: bool
    pivot: bool
    after_pivot: bool
    needs: tuple[str, ...]

    @property
    def patience(self) -> str:
        """How long it waits for an answer, and how often it asks."""
        tries = "repeated until done" if self.after_pivot else f"{self.tries} tries"
        return f"{self.timeout}, {tries}"


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing but time: until a moment that the order tells."""

    name: str
    until: str


@dataclass(frozen=True, slots=True)
class Split:
    """Branches, each with its label: one of them (`choice`) or all of them (`together`)."""

    name: str
    kind: str
    question: str
    branches: tuple[tuple[str, tuple[Part, ...]], ...]


Part = Task | Wait | Split


@dataclass(frozen=True, slots=True)
class Stop:
    """How a payment can be stopped before the hand-over."""

    service: str
    command: str
    on: str
    stopped: str
    refused: str


@dataclass(frozen=True, slots=True)
class Back:
    """What is done with money that comes back afterwards; without a command a person is called."""

    on: str
    command: str | None
    service: str
    booked: str
    suspended: str


@dataclass(frozen=True, slots=True)
class Process:
    """A whole workflow."""

    name: str
    version: int
    parts: tuple[Part, ...]
    stop: Stop
    back: Back

    @property
    def title(self) -> str:
        """What stands above the picture."""
        return f"{self.name}, version {self.version}"

    def tasks(self) -> Iterator[Task]:
        """Every step, in the order of the definition."""
        return (part for part in everything(self.parts) if isinstance(part, Task))


def everything(parts: tuple[Part, ...]) -> Iterator[Part]:
    """All parts, each before those inside of it."""
    for part in parts:
        yield part
        if isinstance(part, Split):
            for _, inside in part.branches:
                yield from everything(inside)


def outline(workflow: Workflow) -> Process:
    """The workflow in plain words."""
    described = describe(workflow)
    stop, back = described["stop"], described["return"]
    pivoted = [False]  # what comes after the pivot is repeated, never undone
    return Process(
        workflow.name,
        workflow.version,
        _parts(described["steps"], pivoted),
        Stop(stop["service"], stop["command"], stop["on"], stop["stopped"], stop["refused"]),
        Back(back["on"], back["command"], *(back.get(name, "") for name in ("service", "booked", "suspended"))),
    )


def duration(seconds: float) -> str:
    """A time as people say it: `30 s`, `2 min`, `3 h`, `2 d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def policy_in_words(policy: Mapping[str, Any]) -> str:
    """What a policy does."""
    if policy["policy"] == TRY_LATER:
        grows = f", each wait {policy['backoff']:g} times as long" if policy["backoff"] != 1 else ""
        return f"again after {duration(policy['after_seconds'])}, {policy['tries']} times{grows}"
    if policy["policy"] == NEXT_WINDOW:
        return f"again when open ({policy['window']}), {policy['tries']} times"
    return "a person is called" if policy["policy"] == CALL_PERSON else "stop and undo"


def _parts(described: Sequence[Mapping[str, Any]], pivoted: list[bool]) -> tuple[Part, ...]:
    return tuple(_part(each, pivoted) for each in described)


def _part(part: Mapping[str, Any], pivoted: list[bool]) -> Part:
    match part["kind"]:
        case "wait":
            return Wait(part["name"], part["until"])
        case "together":
            return Split(part["name"], TOGETHER, "", tuple(("", _parts([each], pivoted)) for each in part["steps"]))
        case "choice":
            return _choice(part, pivoted)
    task = _task(part, pivoted[0])
    pivoted[0] = pivoted[0] or task.pivot
    return task


def _choice(choice: Mapping[str, Any], pivoted: list[bool]) -> Split:
    branches, before, anywhere = [], pivoted[0], pivoted[0]
    for case in choice["cases"]:
        pivoted[0] = before
        branches.append((_CASES.get(str(case["value"]), str(case["value"])), _parts(case["steps"], pivoted)))
        anywhere = anywhere or pivoted[0]
    pivoted[0] = anywhere
    return Split(choice["name"], CHOICE, choice["on"], tuple(branches))


def _task(step: Mapping[str, Any], after_pivot: bool) -> Task:
    policies = [(code, each["policy"], policy_in_words(each)) for code, each in step["on_reason"].items()]
    failure = step["on_failure"]
    if failure["policy"] != STOP_AND_UNDO:
        policies.append(("a failure", failure["policy"], policy_in_words(failure)))
    return Task(
        name=step["name"],
        service=step["service"],
        command=step["command"],
        done=step["done"],
        refused=step["refused"],
        held=step["waits_for_person"],
        overdue=step["overdue"],
        doubt=step["in_doubt"],
        timeout=duration(step["timeout_seconds"]),
        tries=step["tries"],
        backoff=step["backoff"],
        policies=tuple(policies),
        undo=step["compensation"],
        undone=step["undone"],
        undo_when_done=bool(step["undo_when_done"]),
        pivot=step["pivot"],
        after_pivot=after_pivot,
        needs=tuple(step["needs"]),
    )


_CASES: Final = {"True": "yes", "False": "no"}
