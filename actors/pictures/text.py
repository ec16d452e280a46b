"""Pictures in words: a workflow as numbered steps, a chain as a tree. For terminals and for reading aloud."""

from __future__ import annotations

from collections.abc import Iterator

from actors.pictures.consequences import refusal
from actors.pictures.outline import CHOICE, Part, Process, Split, Task, Wait


def text(process: Process) -> str:
    """A workflow's steps in order, what each answer leads to, what undoes them, and the pivot."""
    width = max((len(task.name) for task in process.tasks()), default=0)
    lines = [process.title, *_sequence(process, process.parts, "", "", width)]
    stop, back = process.stop, process.back
    lines += [
        "",
        f"to stop it    {stop.command} → {stop.service}: {stop.stopped}, everything is undone;"
        f" {stop.refused}, it goes on",
    ]
    booked = f"{back.command} → {back.service}, then returned" if back.command else "needs attention"
    lines.append(f"a return      {back.on}: {booked}")
    return "\n".join(lines)


def _sequence(process: Process, parts: tuple[Part, ...], number: str, indent: str, width: int) -> Iterator[str]:
    for at, part in enumerate(parts, 1):
        own = f"{number}{at}."
        yield ""
        match part:
            case Task():
                yield from (f"{indent}{line}" for line in _task(process, part, own, width))
            case Wait():
                yield f"{indent}{own} {part.name:<{width}}  waits until {part.until}"
            case Split():
                yield from _split(process, part, own, indent, width)


def _task(process: Process, task: Task, number: str, width: int) -> Iterator[str]:
    pivot = ", the pivot" if task.pivot else ""
    yield f"{number} {task.name:<{width}}  {task.command} → {task.service}  ({task.patience}{pivot})"
    told = [(task.done, _after(process, task))]
    if task.refused:
        told.append((task.refused, refusal(process, task)))
    told += [(f"  for {on}" if task.refused and on.isupper() else on, words) for on, _, words in task.policies]
    if task.held:
        told.append((task.held, "waits for a person"))
    if task.doubt:
        told.append((task.doubt, "waits for proof, or a person's"))
    for outcome, then in told:
        yield f"   {outcome:<20} {then}"
    if task.undo:
        only = "" if task.undo_when_done else ", only while it is unanswered"
        yield f"   undone by            {task.undo}, confirmed by {task.undone}{only}"
    if task.pivot:
        yield ""
        yield "   ── the pivot: what follows is repeated until it is done, never undone ──"


def _split(process: Process, split: Split, number: str, indent: str, width: int) -> Iterator[str]:
    if split.kind == CHOICE:
        yield f"{indent}{number} {split.name}: {split.question}?"
        for label, inside in split.branches:
            nothing = "" if inside else ": nothing"
            yield ""
            yield f"{indent}   {label}{nothing}"
            yield from _sequence(process, inside, number, indent + "      ", width)
        return
    yield f"{indent}{number} {split.name}: all of these at once"
    for letter, (_, inside) in zip("abcdefghijklmnopqrstuvwxyz", split.branches, strict=False):
        for part in inside:
            if isinstance(part, Task):
                yield ""
                yield from (f"{indent}   {line}" for line in _task(process, part, f"{number}{letter}.", width))


def _after(process: Process, task: Task) -> str:
    """What comes next where the steps are a plain list; inside of choices the picture says it by its order."""
    parts = process.parts
    if task not in parts:
        return "goes on"
    at = parts.index(task) + 1
    return f"on to {at + 1}. {parts[at].name}" if at < len(parts) else "completed"
