"""A picture before it has a format: shapes with their place, lines with their corners. SVG and BPMN draw the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

Point = tuple[int, int]

EVENT: Final = 36  # across
GATEWAY: Final = 50

# kinds of shape
TASK, PIVOT, UNDO, PERSON = "task", "pivot", "undo", "person"
START, END, FAILED_END, ATTENTION_END = "start", "end", "failed-end", "attention-end"
MESSAGE_START, MESSAGE_END, UNDO_THROW, TIMER = "message-start", "message-end", "undo-throw", "timer"
CHOICE, TOGETHER = "choice", "together"
ON_REFUSAL, ON_TIMEOUT, ON_UNDO, ON_HOLD, ON_OVERDUE, ON_DOUBT = (
    "on-refusal", "on-timeout", "on-undo", "on-hold", "on-overdue", "on-doubt",
)  # fmt: skip
NOTE, BLOCK = "note", "block"

EVENTS: Final = (START, END, FAILED_END, ATTENTION_END, MESSAGE_START, MESSAGE_END, UNDO_THROW, TIMER)
BOUNDARY: Final = (ON_REFUSAL, ON_TIMEOUT, ON_UNDO, ON_HOLD, ON_OVERDUE, ON_DOUBT)

# kinds of line
FLOW, MESSAGE, ASSOCIATION = "flow", "message", "association"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One thing at its place. `lines` are written inside of it, `label` (at `label_at`, its left end) beside it.

    `host` is the shape on whose border it sits, `inside` the block or the pool that it belongs to. `message` is the
    event that it throws or catches.
    """

    id: str
    kind: str
    x: int
    y: int
    width: int
    height: int
    lines: tuple[str, ...] = ()
    label: str = ""
    label_at: Point | None = None
    host: str = ""
    inside: str = ""
    message: str = ""
    state: str = ""  # in a payment's own picture: what became of it
    faint: bool = False

    @property
    def middle(self) -> Point:
        """Its centre."""
        return self.x + self.width // 2, self.y + self.height // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """From one shape to another; `label` stands at `label_at`, its left end."""

    id: str
    kind: str
    source: str
    target: str
    points: tuple[Point, ...]
    label: str = ""
    label_at: Point | None = None
    inside: str = ""
    faint: bool = False


@dataclass(slots=True)
class Scene:
    """All of it, with its size; `pools` have their members inside, from left to right."""

    name: str
    title: str
    width: int = 0
    height: int = 0
    shapes: list[Shape] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    pools: list[Shape] = field(default_factory=list)
    explained: tuple[tuple[str, str], ...] = ()  # the legend: a kind, and what it means
    words: tuple[str, ...] = ()  # lines of text under the picture

    def add(self, kind: str, x: int, y: int, width: int, height: int, **more: object) -> Shape:
        """One more shape, with an id of its own."""
        shape = Shape(id=f"s{len(self.shapes) + 1}", kind=kind, x=x, y=y, width=width, height=height, **more)  # type: ignore[arg-type]
        self.shapes.append(shape)
        return shape

    def connect(self, kind: str, source: Shape, target: Shape, points: list[Point], **more: object) -> Line:
        """One more line; corners that are none are left out."""
        line = Line(
            id=f"l{len(self.lines) + 1}", kind=kind, source=source.id, target=target.id, points=_straightened(points),
            **more,  # type: ignore[arg-type]
        )  # fmt: skip
        self.lines.append(line)
        return line


def text_width(text: str, size: int = 12) -> int:
    """About how wide a line of text is, on the safe side."""
    return int(len(text) * size * 0.56) + 2


def _straightened(points: list[Point]) -> tuple[Point, ...]:
    kept: list[Point] = []
    for point in points:
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and _in_line(kept[-2], kept[-1], point):
            kept[-1] = point
        else:
            kept.append(point)
    return tuple(kept)


def _in_line(first: Point, second: Point, third: Point) -> bool:
    along_x = first[1] == second[1] == third[1] and (second[0] - first[0]) * (third[0] - second[0]) >= 0
    along_y = first[0] == second[0] == third[0] and (second[1] - first[1]) * (third[1] - second[1]) >= 0
    return along_x or along_y
