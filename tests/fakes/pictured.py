"""A made-up process with everything that a workflow may hold, and what must be so in any picture."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from actors.pictures import scene as s
from actors.pictures.outline import CHOICE, TOGETHER, Back, Process, Split, Stop, Task, Wait
from actors.pictures.scene import Scene, Shape


def task(name: str, **more: object) -> Task:
    """A step with nothing special about it."""
    plain: dict[str, object] = {
        "name": name, "service": "ledger", "command": f"Do{name}", "done": f"{name}Done", "refused": f"{name}Refused",
        "held": None, "overdue": None, "doubt": None, "timeout": "5 s", "tries": 3, "backoff": 2, "policies": (),
        "undo": None, "undone": None, "undo_when_done": False, "pivot": False, "after_pivot": False, "needs": (),
    }  # fmt: skip
    return Task(**(plain | more))  # type: ignore[arg-type]


UNDONE: Final = {"undo": "Undo", "undone": "Undone", "undo_when_done": True}
EVERYTHING: Final = Process(
    "everything", 3,
    (
        task("Debit", **UNDONE, policies=(
            ("AM04", "try-later", "again after 30 min, 3 times"),
            ("AC04", "stop-and-undo", "stop and undo"),
            ("a failure", "call-person", "a person is called"),
        )),
        Split("checks", TOGETHER, "", (
            ("", (task("Screen", held="ScreenHeld", overdue="ScreenOverdue", undo="CloseCase", undone="CaseClosed"),)),
            ("", (task("Limit", **UNDONE),)),
        )),
        Split("approval", CHOICE, "amount over 10000 EUR", (
            ("yes", (task("Approve", held="ApprovalRequested", **UNDONE), Split("country", CHOICE, "creditor in NL", (
                ("yes", ()), ("no", (task("Ask"), Wait("pause", "tomorrow"))),
            )))),
            ("no", ()),
        )),
        Wait("execution-date", "the execution date"),
        task("Execute", pivot=True, doubt="ExecuteInDoubt", policies=(
            ("TM01", "next-window", "again when the window opens"),
        )),
        task("Post", after_pivot=True),
    ),
    Stop("execution", "StopIt", "Expired", "Stopped", "StopRefused"),
    Back("ReturnReceived", "BookReturn", "ledger", "ReturnBooked", "ReturnSuspended"),
)  # fmt: skip


def faults(scene: Scene) -> Iterator[str]:
    """Where shapes overlap, lines run through them, text is clipped, or something is outside of the picture."""
    solid = [shape for shape in scene.shapes if shape.kind != s.BLOCK]
    yield from _heaps(solid)
    yield from _crossings(scene, solid)
    yield from _labels(scene, solid)


def _heaps(solid: list[Shape]) -> Iterator[str]:
    for one, other in combinations(solid, 2):
        if one.id != other.host and other.id != one.host and _overlap(_box(one), _box(other)):
            yield f"{one.id} {one.lines or one.label} and {other.id} {other.lines or other.label} overlap"
    for shape in solid:
        if any(s.text_width(words) > shape.width - 8 for words in shape.lines):
            yield f"{shape.id} is too narrow for {shape.lines}"


def _crossings(scene: Scene, solid: list[Shape]) -> Iterator[str]:
    for line in scene.lines:
        hosts = {shape.host for shape in solid if shape.id in (line.source, line.target)}
        for start, end in zip(line.points, line.points[1:], strict=False):
            if start[0] != end[0] and start[1] != end[1]:
                yield f"{line.id} {line.label} is aslant"
            for shape in solid:
                if shape.id not in (line.source, line.target, *hosts) and _overlap(_way(start, end), _box(shape)):
                    yield f"{line.id} {line.label} runs through {shape.id} {shape.lines or shape.label}"


def _labels(scene: Scene, solid: list[Shape]) -> Iterator[str]:
    labelled = [each for each in (*scene.shapes, *scene.lines) if each.label]
    labels = [(each.label, _label(each.label, *each.label_at)) for each in labelled if each.label_at]
    for text, box in labels:
        if box[0] < 0 or box[1] < 0 or box[2] > scene.width or box[3] > scene.height:
            yield f"the label {text} is outside"
        for shape in solid:
            if _overlap(box, _box(shape)):
                yield f"the label {text} is over {shape.id} {shape.lines or shape.label}"
    for (one, box), (other, another) in combinations(labels, 2):
        if _overlap(box, another):
            yield f"the labels {one} and {other} overlap"


def _box(shape: Shape) -> tuple[int, int, int, int]:
    return shape.x, shape.y, shape.x + shape.width, shape.y + shape.height


def _way(start: s.Point, end: s.Point) -> tuple[int, int, int, int]:
    (ax, ay), (bx, by) = sorted((start, end))
    return ax, min(ay, by), bx + (ax == bx), max(ay, by) + (ay == by)


def _label(text: str, x: int, y: int) -> tuple[int, int, int, int]:
    return x, y - 10, x + s.text_width(text, 11), y + 2


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
