"""The way that one payment has taken: the picture of its workflow or chain, with what it met marked and timed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from actors.pictures import scene as s
from actors.pictures.outline import Process, Task
from actors.pictures.scene import Line, Scene, Shape
from actors.pictures.sequence import Told

DONE, UNDONE, REFUSED, HERE, LEFT = "done", "undone", "refused", "here", "not reached"
_ENDED: Final = ("completed", "rejected", "cancelled", "returned")
_SIGNS: Final = {DONE: "✓", UNDONE: "↩", REFUSED: "✕", HERE: "▶", LEFT: "·"}


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a payment came with one step: `said` are the answers, each with its time, `undone` what undid it."""

    name: str
    call: str
    state: str
    sent: str
    took: str
    said: tuple[tuple[str, str], ...]
    undone: tuple[tuple[str, str], ...]

    @property
    def in_short(self) -> str:
        """Its state and times on one line."""
        if self.state == LEFT:
            return self.state
        return f"{_SIGNS[self.state]} {self.sent}, {self.took}" if self.took else f"{_SIGNS[self.state]} {self.sent}"


def stages(process: Process, messages: Sequence[Told], status: str) -> list[Stage]:
    """Every step of an orchestrated payment's workflow, in the order of the definition."""
    return [_stage(task, messages, status) for task in process.tasks()]


def chain_stages(messages: Sequence[Told], commands: Mapping[tuple[str, str], str]) -> list[Stage]:
    """What each service did in a choreographed payment; `commands` says what it does about an event."""
    found = []
    for at, each in enumerate(messages):
        command = commands.get((each.receiver, each.type))
        if command is None or each.kind != "event":
            continue
        told = [later for later in messages[at + 1 :] if later.sender == each.receiver and later.kind == "event"]
        answers = tuple(dict.fromkeys((later.type, later.time) for later in told[:1]))
        took = _between(each, told[0]) if told else ""
        state = UNDONE if told and told[0].undoes else DONE
        found.append(Stage(f"on {each.type}", f"{each.receiver} does {command}", state, each.time, took, answers, ()))
    return found


def as_text(title: str, found: Sequence[Stage], end: str) -> str:
    """A line a step, its answers under it, and where the payment stands."""
    width = max((len(stage.name) for stage in found), default=0)
    calls = max((len(stage.call) for stage in found), default=0)
    lines = [title, ""]
    for stage in found:
        times = stage.state if stage.state == LEFT else f"{stage.sent}  {stage.took}"
        lines.append(f"{_SIGNS[stage.state]} {stage.name:<{width}}  {stage.call:<{calls}}  {times}")
        lines += [f"  {'':<{width}}  {'→ ' + said:<{calls}}  {time}" for said, time in stage.said]
        lines += [f"  {'':<{width}}  {'↩ ' + said:<{calls}}  {time}" for said, time in stage.undone]
    signs = "   ".join(f"{sign} {state}" for state, sign in _SIGNS.items())
    return "\n".join([*(line.rstrip() for line in lines), "", f"now: {end}", "", signs])


def as_mermaid(found: Sequence[Stage], end: str) -> str:
    """A flowchart of the steps taken, coloured by what became of them."""
    lines = ["flowchart TD"]
    for at, stage in enumerate(found):
        words = "<br/>".join([stage.name, stage.call, stage.in_short, *(f"{said} {time}" for said, time in stage.said)])
        lines.append(f'    s{at}["{words}"]:::{_class(stage.state)}')
        if stage.undone:
            undone = "<br/>".join(f"↩ {said} {time}" for said, time in stage.undone)
            lines += [f'    u{at}["{undone}"]:::undone', f"    s{at} -.-> u{at}"]
    lines.append(f'    now(["{end}"])')
    for at in range(len(found)):
        left = at + 1 < len(found) and found[at + 1].state == LEFT
        following = f"s{at + 1}" if at + 1 < len(found) else "now"
        lines.append(f"    s{at} {'-.->' if left else '-->'} {following}")
    styles = {"done": "#e3f4ea", "undone": "#fdf1e7", "refused": "#fbe3e0", "here": "#fff6d6", "left": "#ffffff"}
    lines += [f"    classDef {name} fill:{colour}" for name, colour in styles.items()]
    return "\n".join(lines)


def marked(scene: Scene, found: Sequence[Stage], messages: Sequence[Told], title: str) -> Scene:
    """The same picture with what the payment did not meet drawn faintly, and times in the steps that it took."""
    return _Marker(scene, found, messages).mark(title)


class _Marker:
    def __init__(self, scene: Scene, found: Sequence[Stage], messages: Sequence[Told]) -> None:
        self._scene = scene
        self._stages = {stage.name: stage for stage in found}
        self._said = {each.type for each in messages}
        self._heard = {(each.receiver, each.type): each.time for each in messages}
        self._pools = {pool.id: pool.lines[0] for pool in scene.pools}
        self._taken: set[str] = set()

    def mark(self, title: str) -> Scene:
        """Follow the lines from where it starts, for as long as they lead to something new."""
        before = -1
        while len(self._taken) != before:
            before = len(self._taken)
            self._taken |= {shape.id for shape in self._scene.shapes if self._is_taken(shape)}
        shapes = [self._marked(shape) for shape in self._scene.shapes]
        lines = [line if self._is_way(line) else replace(line, faint=True) for line in self._scene.lines]
        return replace(self._scene, title=title, shapes=shapes, lines=lines)

    def _is_taken(self, shape: Shape) -> bool:
        if shape.kind in s.EVENTS or shape.kind in s.BOUNDARY:
            return self._is_met(shape)
        if shape.kind in (s.TASK, s.PIVOT, s.UNDO):
            return self._is_done(shape)
        if shape.kind == s.BLOCK:
            return any(each.inside == shape.id and each.id in self._taken for each in self._scene.shapes)
        return shape.kind == s.NOTE or self._is_led_to(shape)

    def _is_met(self, event: Shape) -> bool:
        pool = self._pools.get(event.inside)
        if event.kind == s.MESSAGE_START and pool:
            return (pool, event.message) in self._heard
        if event.kind in (s.MESSAGE_START, s.ON_UNDO):
            return self._begins_taken(event)
        if event.kind in s.BOUNDARY:
            return event.label in self._said
        if event.kind == s.START:
            return not event.inside or self._leads(event)
        return self._is_led_to(event) and (event.kind != s.MESSAGE_END or event.label in self._said)

    def _begins_taken(self, shape: Shape) -> bool:
        return any(line.source == shape.id and line.target in self._taken for line in self._scene.lines)

    def _is_done(self, shape: Shape) -> bool:
        if shape.inside in self._pools:
            return self._is_led_to(shape)
        if shape.lines[0] in self._stages:
            return self._stages[shape.lines[0]].state != LEFT
        return shape.lines[0].split(" ")[0] in self._said

    def _is_led_to(self, shape: Shape) -> bool:
        return any(line.target == shape.id and self._is_way(line, to_new=True) for line in self._scene.lines)

    def _leads(self, shape: Shape) -> bool:
        """A start within a pool: taken when what it begins with was said."""
        return shape.kind == s.START and any(
            line.source == shape.id and self._by_id(line.target).label in self._said for line in self._scene.lines
        )

    def _is_way(self, line: Line, *, to_new: bool = False) -> bool:
        if line.source not in self._taken or (line.target not in self._taken and not to_new):
            return False
        source = self._by_id(line.source)
        if source.kind == s.CHOICE and line.label and line.label not in self._said:
            others = [each for each in self._scene.lines if each.source == source.id and each is not line]
            fork = self._by_id(line.target)
            return line.target in self._taken if fork.kind in (s.TASK, s.PIVOT) else not any(
                each.target in self._taken and self._by_id(each.target).kind in (s.TASK, s.PIVOT) for each in others
            )  # fmt: skip
        return not line.label or line.label in self._said or source.kind not in (s.TASK, s.PIVOT, s.CHOICE)

    def _marked(self, shape: Shape) -> Shape:
        if shape.id not in self._taken:
            return replace(shape, faint=True)
        stage = self._stages.get(shape.lines[0]) if shape.lines else None
        if stage and shape.kind in (s.TASK, s.PIVOT):
            return replace(shape, lines=(*shape.lines[:2], stage.in_short), state=stage.state)
        if shape.kind == s.TASK and shape.inside in self._pools:
            times = [
                self._heard[(self._pools[shape.inside], catch.message)]
                for line in self._scene.lines
                for catch in self._scene.shapes
                if line.target == shape.id and catch.id == line.source and catch.id in self._taken
            ]
            return replace(shape, lines=(*shape.lines, ", ".join(sorted(times)[:2])), state=DONE)
        return replace(shape, state=DONE) if shape.kind == s.TASK else shape

    def _by_id(self, identifier: str) -> Shape:
        return next(shape for shape in self._scene.shapes if shape.id == identifier)


def _stage(task: Task, messages: Sequence[Told], status: str) -> Stage:
    sent = [each for each in messages if each.type == task.command and each.receiver == task.service]
    call = f"{task.command} → {task.service}"
    if not sent:
        return Stage(task.name, call, LEFT, "", "", (), ())
    answers = [name for name in (task.done, task.refused, task.held, task.overdue, task.doubt) if name]
    said = [each for each in messages if each.type in answers]
    undone = [each for each in messages if each.type in (task.undo, task.undone)]
    types = {each.type for each in said}
    state = HERE
    if task.done in types:
        state = UNDONE if any(each.type == task.undone for each in undone) else DONE
    elif undone:
        state = UNDONE
    elif task.refused in types or status in _ENDED:
        state = REFUSED
    return Stage(
        task.name, call, state, sent[0].time, _between(sent[0], said[-1]) if said else "",
        tuple((each.type, each.time) for each in said), tuple((each.type, each.time) for each in undone),
    )  # fmt: skip


def _between(first: Told, last: Told) -> str:
    milliseconds = (last.at - first.at).total_seconds() * 1000
    if milliseconds < 10_000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 120_000 else f"{milliseconds / 60_000:.0f} min"


def _class(state: str) -> str:
    return "left" if state == LEFT else state


def undoing(processes: Iterator[Process]) -> frozenset[str]:
    """Every message that undoes something or says that it is undone, in any workflow."""
    return frozenset(
        name for process in processes for task in process.tasks() for name in (task.undo, task.undone) if name
    )
