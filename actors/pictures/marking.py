"""The picture of a workflow or chain with the way of one payment marked in it: what it did not meet is faint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from actors.pictures import scene as s
from actors.pictures.path import in_short
from actors.pictures.scene import Line, Scene, Shape
from actors.pictures.sequence import Told
from actors.pictures.stages import DONE, LEFT, OUT, Stage


def marked(
    scene: Scene,
    found: Sequence[Stage],
    messages: Sequence[Told],
    idle: frozenset[tuple[str, str]],
    title: Sequence[str],
    acts: Sequence[tuple[str, str]],
) -> Scene:
    """The same picture with what the payment did not meet drawn faintly, and times in the steps that it took.

    `idle` are services with events that they heard and did nothing about. Under it stand further lines of the title,
    and what people did.
    """
    name, now, *why = title
    drawn = _Marker(scene, found, messages, idle).mark(f"{name}: {now}")
    drawn.words = (*why, *(f"{time}  {said}" for time, said in acts))
    return drawn


class _Marker:
    def __init__(
        self, scene: Scene, found: Sequence[Stage], messages: Sequence[Told], idle: frozenset[tuple[str, str]]
    ) -> None:
        self._scene = scene
        self._all = found
        self._stages = {stage.name: stage for stage in found}
        self._said = {each.type for each in messages}
        self._heard = {
            (each.receiver, each.type): each.time for each in messages if (each.receiver, each.type) not in idle
        }
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
            return self._stages[shape.lines[0]].state not in (LEFT, OUT)
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
            return replace(shape, lines=(*shape.lines[:2], in_short(stage)), state=stage.state)
        if shape.kind == s.TASK and shape.inside in self._pools:
            return self._reaction(shape)
        waited = self._stages.get(shape.label.partition(":")[0]) if shape.kind == s.TIMER else None
        if waited:
            return replace(shape, label=f"{shape.label}: {in_short(waited)}")
        return replace(shape, state=DONE) if shape.kind == s.TASK else shape

    def _reaction(self, task: Shape) -> Shape:
        """What a service did, on whichever of its events; what came of it the last time."""
        call = f"{self._pools[task.inside]} does {task.lines[0]}"
        into = {line.source for line in self._scene.lines if line.target == task.id}
        events = {f"on {shape.message}" for shape in self._scene.shapes if shape.id in into}
        done = [stage for stage in self._all if stage.call == call and stage.name in events]
        if not done:
            return task
        more = ", …" if len(done) > 1 else ""
        return replace(task, lines=(*task.lines, f"{done[0].sent}{more}"), state=done[-1].state)

    def _by_id(self, identifier: str) -> Shape:
        return next(shape for shape in self._scene.shapes if shape.id == identifier)
