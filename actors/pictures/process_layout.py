"""Where everything in the picture of a workflow stands: steps down the left, what they lead to on their right.

No two steps share a height, so a line to the right crosses no box; lines down run in lanes of their own: between a
gateway and its branches, and right of everything (to `undo`, to `needs attention`). So nothing overlaps, however a
workflow is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from actors.pictures import scene as s
from actors.pictures.outline import (
    CALL_PERSON,
    CHOICE,
    NEXT_WINDOW,
    TRY_LATER,
    Back,
    Part,
    Process,
    Split,
    Stop,
    Task,
    Wait,
)
from actors.pictures.scene import EVENT, GATEWAY, Point, Scene, Shape, text_width

STOPPING, COMING_BACK = "before the hand-over: to stop it", "afterwards: money comes back"
LEFT: Final = 40
INDENT: Final = 96
GAP: Final = 46  # between two steps, with the answer that leads from one to the other
SPINE: Final = 25  # lines down leave a step here, right of its left edge
SIDE_WIDTH: Final = 190
_LOW, _LOOP, _HANDLER, _HOLD = 42, 76, 76, 84  # heights of what a step leads to

LEGEND: Final = (
    (s.TASK, "a command to a service"),
    (s.PIVOT, "the pivot: after it nothing is undone"),
    (s.UNDO, "what undoes a step"),
    (s.PERSON, "a person decides"),
    (s.ON_REFUSAL, "refused"),
    (s.ON_TIMEOUT, "no answer"),
    (s.ON_DOUBT, "in doubt"),
)


class Exit(NamedTuple):
    """A line that has begun and goes on to whatever comes next."""

    source: Shape
    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class _Slot:
    """One thing that a step may lead to."""

    kind: str
    label: str
    height: int
    to: str = ""  # "undo", "attention", or what stands beside the step


def draw(process: Process) -> Scene:
    """The picture of a workflow, without a format."""
    return _Painter(process).paint()


class _Painter:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._scene = Scene(f"{process.name}-{process.version}", process.title, explained=LEGEND)
        tasks = list(process.tasks())
        depth = _depth(process.parts)
        self._task_width = max((_needed(task) for task in tasks), default=200)
        self._side = LEFT + INDENT * depth + self._task_width + 40 + max(
            (text_width(slot.label) for task in tasks for slot in _slots(task) if slot.to not in _FAR), default=100
        )  # fmt: skip
        labels = [text_width(task.overdue or "") for task in tasks]
        far = [LEFT + INDENT * depth + self._task_width + 50 + text_width(slot.label)
               for task in tasks for slot in _slots(task) if slot.to in _FAR]  # fmt: skip
        refusals = [slot for task in tasks for slot in _slots(task) if slot.kind == s.ON_REFUSAL]
        loops = [self._side + EVENT + 30 + text_width(slot.to) for slot in refusals if slot.to not in _FAR]
        self._undo_at = max([self._side + SIDE_WIDTH + 70 + max(labels, default=0), *far, *loops])
        self._attention_at = self._undo_at + 70
        self._far: dict[str, list[tuple[Shape, int, str]]] = {"undo": [], "attention": []}

    def paint(self) -> Scene:
        scene = self._scene
        x, y = LEFT, 70
        start = scene.add(s.START, x + SPINE - EVENT // 2, y, EVENT, EVENT)
        exits = [Exit(start, "", ((x + SPINE, y + EVENT),))]
        y, exits = self._sequence(self._process.parts, x, y + EVENT + 24, exits)
        done = scene.add(s.END, x + SPINE - EVENT // 2, y, EVENT, EVENT, label="completed",
                         label_at=(x + SPINE + 26, y + 22))  # fmt: skip
        self._join(exits, done, (x + SPINE, y))
        bottom = self._ends(y)
        scene.width = self._attention_at + 60 + text_width("needs attention")
        bottom = self._blocks(bottom + 40)
        scene.height = bottom + 30
        return scene

    def _sequence(self, parts: tuple[Part, ...], x: int, y: int, exits: list[Exit]) -> tuple[int, list[Exit]]:
        for part in parts:
            match part:
                case Task():
                    y, exits = self._task(part, x, y, exits)
                case Wait():
                    y, exits = self._wait(part, x, y, exits)
                case Split():
                    y, exits = self._split(part, x, y, exits)
        return y, exits

    # -- one part each

    def _task(self, task: Task, x: int, y: int, exits: list[Exit]) -> tuple[int, list[Exit]]:
        slots = _slots(task)
        height = max(76, sum(slot.height for slot in slots) + 8)
        lines = (task.name, f"{task.command} → {task.service}", task.patience)
        kind = s.PIVOT if task.pivot else s.TASK
        shape = self._scene.add(kind, x, y, self._task_width, height, lines=lines)
        self._join(exits, shape, (x + SPINE, y))
        at = y + 4
        for slot in slots:
            self._slot(task, shape, slot, at)
            at += slot.height
        return y + height + GAP, [Exit(shape, task.done, ((x + SPINE, y + height),))]

    def _wait(self, wait: Wait, x: int, y: int, exits: list[Exit]) -> tuple[int, list[Exit]]:
        label = f"{wait.name}: until {wait.until}"
        shape = self._scene.add(s.TIMER, x + SPINE - EVENT // 2, y, EVENT, EVENT, label=label,
                                label_at=(x + SPINE + 26, y + 22))  # fmt: skip
        self._join(exits, shape, (x + SPINE, y))
        return y + EVENT + 28, [Exit(shape, "", ((x + SPINE, y + EVENT),))]

    def _split(self, split: Split, x: int, y: int, exits: list[Exit]) -> tuple[int, list[Exit]]:
        kind = s.CHOICE if split.kind == CHOICE else s.TOGETHER
        label = f"{split.name}: {split.question}" if split.question else split.name
        fork = self._scene.add(kind, x, y, GATEWAY, GATEWAY, label=label, label_at=(x + GATEWAY + 10, y + 29))
        self._join(exits, fork, (x + SPINE, y))
        inner, down = x + INDENT, x + SPINE
        y += GATEWAY + 8
        leaving: list[Exit] = []
        for label, parts in split.branches:
            first = Exit(fork, label, ((down, fork.y + GATEWAY), (down, y), (inner + SPINE, y)))
            y, out = self._sequence(parts, inner, y + 34, [first])
            y -= GAP - 30 if parts else 0
            leaving += [each._replace(points=(*each.points, (inner + SPINE, y), (x + 64, y))) for each in out]
            y += 20
        join = self._scene.add(kind, x, y, GATEWAY, GATEWAY)
        for each in leaving:
            points = [*each.points, (x + 64, y + SPINE), (x + GATEWAY, y + SPINE)]
            self._line(each, join, points)
        return y + GATEWAY + 28, [Exit(join, "", ((x + SPINE, y + GATEWAY),))]

    def _join(self, exits: list[Exit], target: Shape, at: Point) -> None:
        for each in exits:
            self._line(each, target, [*each.points, at])

    def _line(self, out: Exit, target: Shape, points: list[Point]) -> None:
        label_at = None
        if out.label:
            # Beside the first way down that is long enough, after the way to the right if there is one.
            corner = out.points[2] if len(out.points) > 2 and out.points[2][0] > out.points[0][0] else out.points[0]
            label_at = (corner[0] + 8, corner[1] + 20)
        self._scene.connect(s.FLOW, out.source, target, points, label=out.label, label_at=label_at)

    # -- what a step leads to

    def _slot(self, task: Task, host: Shape, slot: _Slot, y: int) -> None:
        scene, middle = self._scene, y + slot.height // 2
        if slot.kind == s.NOTE:
            note = scene.add(s.NOTE, self._side, y + 6, SIDE_WIDTH + 30, slot.height - 12, lines=(slot.label,))
            scene.connect(s.ASSOCIATION, host, note, [(host.x + host.width, middle), (note.x, middle)])
            return
        right = host.x + host.width
        middle = y + 21 if slot.to not in ("handler", "person") else middle
        event = scene.add(slot.kind, right - EVENT // 2, middle - EVENT // 2, EVENT, EVENT, host=host.id,
                          label=slot.label, label_at=(right + EVENT // 2 + 6, middle - 5))  # fmt: skip
        out = (right + EVENT // 2, middle)
        if slot.to in _FAR:
            self._far[slot.to].append((event, middle, ""))
        elif slot.to == "handler":
            undone = f"until {task.undone}" if task.undo_when_done else f"while unanswered, until {task.undone}"
            handler = scene.add(s.UNDO, self._side, middle - 30, max(SIDE_WIDTH, _handler_width(task)), 60,
                                lines=(f"{task.undo} → {task.service}", undone))  # fmt: skip
            scene.connect(s.ASSOCIATION, event, handler, [out, (self._side, middle)])
        elif slot.to == "person":
            self._person(task, event, out)
        else:
            self._again(host, event, out, slot.to)

    def _person(self, task: Task, event: Shape, out: Point) -> None:
        scene, middle = self._scene, out[1]
        person = scene.add(s.PERSON, self._side, middle - 36, SIDE_WIDTH, 72,
                           lines=("a person decides", f"then {task.service} answers"))  # fmt: skip
        scene.connect(s.FLOW, event, person, [out, (self._side, middle)])
        right = self._side + SIDE_WIDTH
        if task.overdue:
            late = scene.add(s.ON_OVERDUE, right - EVENT // 2, middle - 34, EVENT, EVENT, host=person.id,
                             label=task.overdue, label_at=(right + EVENT // 2 + 6, middle - 21))  # fmt: skip
            self._far["attention"].append((late, middle - 16, ""))
        said = scene.add(s.END, right + 44, middle + 8, 24, 24)
        scene.connect(s.FLOW, person, said, [(right, middle + 20), (said.x, middle + 20)])

    def _again(self, host: Shape, event: Shape, out: Point, words: str) -> None:
        scene, middle = self._scene, out[1]
        timer = scene.add(s.TIMER, self._side, middle - EVENT // 2, EVENT, EVENT, label=words,
                          label_at=(self._side + EVENT + 8, middle + 4))  # fmt: skip
        scene.connect(s.FLOW, event, timer, [out, (self._side, middle)])
        back, under = self._side + EVENT // 2, middle + EVENT // 2 + 16
        points = [(back, middle + EVENT // 2), (back, under), (host.x + host.width, under)]
        scene.connect(s.FLOW, timer, host, points, label="again", label_at=(host.x + host.width + 24, under - 5))

    # -- where it all ends

    def _ends(self, y: int) -> int:
        """`undo` and `needs attention`, under the lines that lead to them; how far down they reach."""
        scene, bottom = self._scene, y + EVENT
        if self._far["undo"]:
            x, top = self._undo_at, y - 60
            undo = scene.add(s.UNDO_THROW, x - EVENT // 2, top, EVENT, EVENT, label="undo",
                             label_at=(x - EVENT // 2 - 8 - text_width("undo"), top + 22))  # fmt: skip
            self._lead("undo", x, undo)
            end = scene.add(s.FAILED_END, x - EVENT // 2, top + EVENT + 26, EVENT, EVENT, label="rejected",
                            label_at=(x - EVENT // 2 - 8 - text_width("rejected"), top + EVENT + 48))  # fmt: skip
            scene.connect(s.FLOW, undo, end, [(x, top + EVENT), (x, end.y)])
            bottom = max(bottom, end.y + EVENT)
        if self._far["attention"]:
            x = self._attention_at
            end = scene.add(s.ATTENTION_END, x - EVENT // 2, y, EVENT, EVENT, label="needs attention",
                            label_at=(x + EVENT // 2 + 6, y + 22))  # fmt: skip
            self._lead("attention", x, end)
        return bottom

    def _lead(self, where: str, x: int, end: Shape) -> None:
        for event, y, label in self._far[where]:
            points = [(event.x + EVENT, y), (x, y), (x, end.y)]
            self._scene.connect(s.FLOW, event, end, points, label=label)

    def _blocks(self, y: int) -> int:
        """What may come in between, and afterwards: a box of its own for each."""
        stop, back = self._process.stop, self._process.back
        y = self._stop(stop, y) + 24
        return self._back(back, y) if back.command else self._called(back, y)

    def _stop(self, stop: Stop, y: int) -> int:
        on = "a person cancels" + (f", or {stop.on}" if stop.on else "")
        block, task = self._block(STOPPING, on, f"{stop.command} → {stop.service}", y)
        fork, x = self._fork(block, task)
        undo = self._scene.add(s.UNDO_THROW, x, block.y + 44, EVENT, EVENT, inside=block.id)
        self._turn(block, fork, undo, stop.stopped)
        end = self._scene.add(s.FAILED_END, undo.x + EVENT + 60, undo.y, EVENT, EVENT, inside=block.id,
                              label="undone, then cancelled or rejected",
                              label_at=(undo.x + 2 * EVENT + 66, undo.y + 22))  # fmt: skip
        self._scene.connect(
            s.FLOW, undo, end, [(undo.x + EVENT, undo.middle[1]), (end.x, end.middle[1])], inside=block.id
        )
        on_ = self._scene.add(s.END, x, block.y + 104, EVENT, EVENT, inside=block.id, label="it goes on",
                              label_at=(x + EVENT + 6, block.y + 126))  # fmt: skip
        self._turn(block, fork, on_, stop.refused)
        return block.y + block.height

    def _back(self, back: Back, y: int) -> int:
        block, task = self._block(COMING_BACK, back.on, f"{back.command} → {back.service}", y)
        fork, x = self._fork(block, task)
        for kind, at, said, label in (
            (s.END, 44, back.booked, "returned"),
            (s.ATTENTION_END, 104, back.suspended, "needs attention"),
        ):
            end = self._scene.add(kind, x, block.y + at, EVENT, EVENT, inside=block.id, label=label,
                                  label_at=(x + EVENT + 6, block.y + at + 22))  # fmt: skip
            self._turn(block, fork, end, said)
        return block.y + block.height

    def _called(self, back: Back, y: int) -> int:
        block, start = self._box(COMING_BACK, back.on, y)
        x, middle = start.x + EVENT + 60, start.middle[1]
        end = self._scene.add(s.ATTENTION_END, x, start.y, EVENT, EVENT, inside=block.id, label="needs attention",
                              label_at=(x + EVENT + 6, middle + 4))  # fmt: skip
        self._scene.connect(s.FLOW, start, end, [(start.x + EVENT, middle), (x, middle)], inside=block.id)
        return block.y + block.height

    def _block(self, title: str, on: str, call: str, y: int) -> tuple[Shape, Shape]:
        block, start = self._box(title, on, y)
        x, middle = start.x + EVENT + 40, start.middle[1]
        width = max(180, text_width(call, 14) + 24)
        task = self._scene.add(s.TASK, x, middle - 26, width, 52, inside=block.id, lines=(call,))
        self._scene.connect(s.FLOW, start, task, [(start.x + EVENT, middle), (x, middle)], inside=block.id)
        return block, task

    def _box(self, title: str, on: str, y: int) -> tuple[Shape, Shape]:
        scene = self._scene
        block = scene.add(s.BLOCK, LEFT - 10, y, scene.width - LEFT - 10, 156, lines=(title,))
        start = scene.add(s.MESSAGE_START, LEFT + 14, y + 92 - EVENT // 2, EVENT, EVENT, inside=block.id, message=on,
                          label=on, label_at=(LEFT + 10, y + 58))  # fmt: skip
        return block, start

    def _fork(self, block: Shape, task: Shape) -> tuple[Shape, int]:
        right, middle = task.x + task.width, task.middle[1]
        fork = self._scene.add(s.CHOICE, right + 34, middle - GATEWAY // 2, GATEWAY, GATEWAY, inside=block.id)
        self._scene.connect(s.FLOW, task, fork, [(right, middle), (fork.x, middle)], inside=block.id)
        stop, back = self._process.stop, self._process.back
        said = (stop.stopped, stop.refused, back.booked, back.suspended)
        return fork, fork.x + GATEWAY + 44 + max(text_width(each) for each in said)

    def _turn(self, block: Shape, fork: Shape, end: Shape, label: str) -> None:
        x, y = fork.middle
        to = end.middle[1]
        points = [(x, y - GATEWAY // 2 if to < y else y + GATEWAY // 2), (x, to), (end.x, to)]
        self._scene.connect(s.FLOW, fork, end, points, label=label, label_at=(x + 30, to - 5), inside=block.id)


_FAR: Final = ("undo", "attention")


def _slots(task: Task) -> list[_Slot]:
    failing = "attention" if task.after_pivot else "undo"
    slots = []
    if task.refused:
        slots.append(_Slot(s.ON_REFUSAL, task.refused, _LOW, failing))
    for on, kind, words in task.policies:
        label = on if on.startswith("a ") else f"{on}"
        if kind in (TRY_LATER, NEXT_WINDOW):
            slots.append(_Slot(s.ON_REFUSAL, label, _LOOP, words))
        else:
            to = "attention" if kind == CALL_PERSON else failing
            slots.append(_Slot(s.ON_REFUSAL, f"{label}: {words}", _LOW, to))
    if not task.after_pivot and not task.pivot:
        slots.append(_Slot(s.ON_TIMEOUT, f"no answer in {task.tries} tries", _LOW, "undo"))
    if task.doubt:
        slots.append(_Slot(s.ON_DOUBT, task.doubt, _LOW, "attention"))
    if task.undo:
        slots.append(_Slot(s.ON_UNDO, "undone by", _HANDLER, "handler"))
    if task.held:
        slots.append(_Slot(s.ON_HOLD, task.held, _HOLD, "person"))
    if task.pivot:
        slots.append(_Slot(s.NOTE, "the pivot: no undoing after it", 48))
    return slots


def _needed(task: Task) -> int:
    return (
        max(text_width(task.name, 14), text_width(f"{task.command} → {task.service}"), text_width(task.patience)) + 46
    )


def _handler_width(task: Task) -> int:
    return max(text_width(f"{task.undo} → {task.service}"), text_width(f"while unanswered, until {task.undone}")) + 20


def _depth(parts: tuple[Part, ...]) -> int:
    return max(
        (
            1 + max((_depth(inside) for _, inside in part.branches), default=0)
            for part in parts
            if isinstance(part, Split)
        ),
        default=0,
    )
