"""A workflow as the rows of a table, for whoever knows payments and no code: a line for each thing that may happen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from actors.pictures.consequences import PROOF, following, policy, refusal, silence
from actors.pictures.outline import CHOICE, Part, Process, Split, Task, Wait

COLUMNS: Final = ("step", "who does it", "what it asks", "how long", "on", "what happens", "undone by")
NARROW: Final = ("step, and what it may be answered", "who does what, and what happens")
NO_ANSWER: Final = "no answer"


class Row(NamedTuple):
    """One line; what stands in the line above, of the same step, is not said again."""

    step: str
    who: str = ""
    asks: str = ""
    how_long: str = ""
    on: str = ""
    then: str = ""
    undone_by: str = ""


def rows(process: Process) -> list[Row]:
    """The steps in their order, those inside of a choice or done together indented; then what may come in between."""
    stop, back = process.stop, process.back
    return [
        *_parts(process, process.parts, ""),
        Row("to stop it", stop.service, stop.command, "", stop.stopped, "everything is undone"),
        Row("", on=stop.refused, then="it goes on"),
        *_return(back.on, back.service, back.command, back.booked, back.suspended),
    ]


def narrow(found: list[Row]) -> list[tuple[str, str]]:
    """The same rows in two columns, for a screen on which the words of seven would be cut to pieces."""
    lines: list[tuple[str, str]] = []
    indent = ""
    for row in found:
        if row.step:
            indent = " " * (len(row.step) - len(row.step.lstrip()))
            what = f"{row.who} does {row.asks}" if row.who else row.asks
            undone = f"undone by {row.undone_by}" if row.undone_by else ""
            lines.append((row.step, "; ".join(each for each in (what, row.how_long, undone) if each)))
        if row.on:
            lines.append((f"{indent}  {row.on}", row.then))
    return lines


def width(found: list[Row]) -> int:
    """How many characters wide the table is, with the gaps between its columns."""
    return sum(max(len(cell) for cell in column) + 3 for column in zip(COLUMNS, *found, strict=True))


def _parts(process: Process, parts: tuple[Part, ...], indent: str) -> Iterator[Row]:
    for part in parts:
        match part:
            case Task():
                yield from _task(process, part, indent)
            case Wait():
                yield Row(f"{indent}{part.name}", asks="nothing of anybody", how_long=f"until {part.until}")
            case Split():
                yield from _split(process, part, indent)


def _task(process: Process, task: Task, indent: str) -> Iterator[Row]:
    undone_by = task.undo or ""
    if undone_by and not task.undo_when_done:
        undone_by += ", while unanswered"
    (on, then), *others = outcomes(process, task)
    name = f"{indent}{task.name}" + (" (the pivot)" if task.pivot else "")
    yield Row(name, task.service, task.command, task.patience, on, then, undone_by)
    for on, then in others:
        yield Row("", on=on, then=then)


def outcomes(process: Process, task: Task) -> Iterator[tuple[str, str]]:
    """What a step may be answered, silence included, and what that leads to."""
    yield task.done, following(process, task)
    if task.refused:
        yield task.refused, refusal(process, task)
    for on, kind, words in task.policies:
        yield f"{task.refused} for {on}" if on.isupper() else on, policy(process, task, kind, words)
    if task.held:
        yield task.held, "waits for a person"
    if task.overdue:
        yield task.overdue, "needs attention, and still waits for a person"
    if task.doubt:
        yield task.doubt, PROOF
    yield NO_ANSWER, silence(process, task)


def _split(process: Process, split: Split, indent: str) -> Iterator[Row]:
    if split.kind != CHOICE:
        yield Row(f"{indent}{split.name}", asks="all of these at once")
        for _, inside in split.branches:
            yield from _parts(process, inside, f"{indent}  ")
        return
    yield Row(f"{indent}{split.name}", asks=f"{split.question}?")
    for label, inside in split.branches:
        yield Row(f"{indent}  {label}", asks="" if inside else "nothing")
        yield from _parts(process, inside, f"{indent}    ")


def _return(on: str, service: str, command: str | None, booked: str, suspended: str) -> Iterator[Row]:
    if command is None:
        yield Row("a return", on=on, then="needs attention")
        return
    yield Row("a return", service, command, "", booked, f"after {on}: returned")
    yield Row("", on=suspended, then="needs attention")
