"""A scene as SVG: for pages and browsers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from actors.pictures import scene as s
from actors.pictures.scene import Line, Scene, Shape, text_width

INK, FAINT, PAPER, BACK, PERSON, GOOD, DOUBT = (
    "#1f2933", "#7b8794", "#ffffff", "#b44d12", "#6b3fa0", "#1b7f4b", "#a66a00",
)  # fmt: skip
_FILL: Final = {
    s.TASK: "#eef4fb", s.PIVOT: "#dbe9fa", s.UNDO: "#fdf1e7", s.PERSON: "#f3ecfb", s.NOTE: "none", s.BLOCK: "none",
}  # fmt: skip
_STATES: Final = {
    "done": "#e3f4ea", "undone": "#fdf1e7", "refused": "#fbe3e0", "here": "#fff6d6",
    "added": "#e3f4ea", "removed": "#fbe3e0", "changed": "#fff6d6", "moved": "#e6ecfb",
}  # fmt: skip
_EDGE: Final = {
    s.UNDO: BACK, s.ON_UNDO: BACK, s.UNDO_THROW: BACK, s.FAILED_END: BACK, s.ON_REFUSAL: BACK, s.ON_TIMEOUT: BACK,
    s.PERSON: PERSON, s.ON_HOLD: PERSON, s.ATTENTION_END: DOUBT, s.ON_DOUBT: DOUBT, s.ON_OVERDUE: DOUBT,
    s.END: GOOD, s.NOTE: FAINT, s.BLOCK: FAINT, s.MESSAGE_END: INK,
}  # fmt: skip
_SIGN: Final = {
    s.ON_REFUSAL: "✕", s.ON_TIMEOUT: "◷", s.ON_UNDO: "◀◀", s.ON_HOLD: "?", s.ON_OVERDUE: "◷", s.ON_DOUBT: "?",
    s.UNDO_THROW: "◀◀", s.TIMER: "◷", s.MESSAGE_START: "✉", s.MESSAGE_END: "✉", s.FAILED_END: "✕",
    s.ATTENTION_END: "!",
}  # fmt: skip
_DASHES: Final = {s.FLOW: "", s.MESSAGE: ' stroke-dasharray="6 4"', s.ASSOCIATION: ' stroke-dasharray="2 3"'}
LINE: Final = 20  # between two lines of words under a picture
FONT: Final = 'font-family="system-ui, \'DejaVu Sans\', sans-serif" font-size="12"'


def svg(scene: Scene) -> str:
    """The whole picture, with its title above and a legend below."""
    width = max(scene.width, 360, *(text_width(line) + 48 for line in scene.words))
    under = [text(24, scene.height + LINE * at, words, INK) for at, words in enumerate(scene.words)]
    legend, height = _legend(scene, width, scene.height + LINE * len(under))
    colours = {edge_of(shape) for shape in scene.shapes} | {INK, FAINT}
    parts = [*opening(scene.title, width, height), *(tip(colour) for colour in sorted(colours))]
    by_id = {shape.id: shape for shape in scene.shapes}
    for pool in scene.pools:
        parts += _pool(pool)
    by_id |= {pool.id: pool for pool in scene.pools}
    order = sorted(scene.shapes, key=lambda shape: (shape.kind in s.BOUNDARY, shape.kind != s.BLOCK))
    parts += [part for shape in order if shape.kind not in s.BOUNDARY for part in _faded(shape, _shape(shape))]
    lines = sorted(scene.lines, key=lambda line: not line.faint)
    parts += [part for line in lines for part in _faded(line, _line(line, by_id))]
    parts += [part for shape in order if shape.kind in s.BOUNDARY for part in _faded(shape, _shape(shape))]
    return "\n".join([*parts, *under, *legend, "</svg>"])


def opening(title: str, width: int, height: int) -> list[str]:
    """How every SVG begins: its size, what it shows, a white sheet."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' {FONT} role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        text(24, 34, title, INK, bold=True, size=16),
    ]


def tip(colour: str) -> str:
    """An arrow's tip of one colour, to be named by a line."""
    return (
        f'<defs><marker id="tip{colour[1:]}" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto"'
        f' markerUnits="userSpaceOnUse"><path d="M0,0 L9,4 L0,8 z" fill="{colour}"/></marker></defs>'
    )


def text(x: int, y: int, words: str, colour: str, *, bold: bool = False, size: int = 12, middle: bool = False) -> str:
    """One line of text; `x` is its left end, or its middle."""
    more = ' font-weight="bold"' if bold else ""
    more += f' font-size="{size}"' if size != 12 else ""
    more += ' text-anchor="middle"' if middle else ""
    return f'<text x="{x}" y="{y}" fill="{colour}"{more}>{escape(words)}</text>'


def edge_of(shape: Shape) -> str:
    """The colour of a shape's edge."""
    return _EDGE.get(shape.kind, INK)


def _faded(of: Shape | Line, parts: Iterator[str]) -> Iterator[str]:
    """What a payment did not meet stays readable, and no more."""
    if of.faint:
        yield '<g opacity="0.25">'
    yield from parts
    if of.faint:
        yield "</g>"


def _shape(shape: Shape) -> Iterator[str]:
    colour, (x, y) = edge_of(shape), shape.middle
    if shape.kind in s.EVENTS or shape.kind in s.BOUNDARY:
        yield from _event(shape, colour)
    elif shape.kind in (s.CHOICE, s.TOGETHER):
        half = shape.width // 2
        path = f"M{x},{y - half} l{half},{half} l-{half},{half} l-{half},-{half} z"
        yield f'<path d="{path}" fill="{PAPER}" stroke="{INK}"/>'
        yield text(x, y + 6, "+" if shape.kind == s.TOGETHER else "✕", INK, bold=True, size=17, middle=True)
    elif shape.kind == s.NOTE:
        path = f"M{shape.x + 10},{shape.y} H{shape.x} V{shape.y + shape.height} h10"
        yield f'<path d="{path}" fill="none" stroke="{FAINT}"/>'
        yield text(shape.x + 8, y + 4, shape.lines[0], INK)
    else:
        yield from _box(shape, colour)
    if shape.label and shape.label_at:
        yield text(*shape.label_at, shape.label, colour if colour != GOOD else INK)


def _box(shape: Shape, colour: str) -> Iterator[str]:
    dashed = ' stroke-dasharray="5 4"' if shape.kind == s.BLOCK else ""
    wide = ' stroke-width="3"' if shape.kind == s.PIVOT else ""
    yield (
        f'<rect x="{shape.x}" y="{shape.y}" width="{shape.width}" height="{shape.height}" rx="8"'
        f' fill="{_STATES.get(shape.state) or _FILL.get(shape.kind, PAPER)}" stroke="{colour}"{wide}{dashed}/>'
    )
    top = shape.y + 24
    if shape.kind not in (s.BLOCK, s.TASK, s.PIVOT) or (len(shape.lines) == 1 and shape.kind != s.BLOCK):
        top = shape.y + shape.height // 2 + 5 - 9 * (len(shape.lines) - 1)
    for number, words in enumerate(shape.lines):
        first = number == 0
        size = 13 if first and len(shape.lines) > 1 else 12
        yield text(shape.x + 12, top + 19 * number, words, colour if first else INK, bold=first, size=size)


def _event(shape: Shape, colour: str) -> Iterator[str]:
    (x, y), radius = shape.middle, shape.width // 2
    ends = shape.kind in (s.END, s.FAILED_END, s.ATTENTION_END, s.MESSAGE_END)
    wide = 3 if ends else 1.2
    yield f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{PAPER}" stroke="{colour}" stroke-width="{wide}"/>'
    if shape.kind in s.BOUNDARY or shape.kind in (s.TIMER, s.UNDO_THROW):
        yield f'<circle cx="{x}" cy="{y}" r="{radius - 3}" fill="none" stroke="{colour}"/>'
    if shape.kind in _SIGN:
        yield text(x, y + 5, _SIGN[shape.kind], colour, middle=True, size=14 if len(_SIGN[shape.kind]) == 1 else 11)


def _line(line: Line, by_id: dict[str, Shape]) -> Iterator[str]:
    source, target = by_id[line.source], by_id[line.target]
    colour = edge_of(source) if source.kind in s.BOUNDARY else INK
    if target.kind == s.UNDO:
        colour = BACK
    path = " L".join(f"{x},{y}" for x, y in line.points)
    end = "" if target.kind == s.NOTE else f' marker-end="url(#tip{colour[1:]})"'
    yield f'<path d="M{path}" fill="none" stroke="{colour}"{_DASHES[line.kind]}{end}/>'
    if line.label and line.label_at:
        yield text(*line.label_at, line.label, colour)


def _pool(pool: Shape) -> Iterator[str]:
    yield (
        f'<rect x="{pool.x}" y="{pool.y}" width="{pool.width}" height="{pool.height}" fill="none" stroke="{FAINT}"/>'
    )
    yield f'<rect x="{pool.x}" y="{pool.y}" width="{pool.width}" height="30" fill="#f2f5f8" stroke="{FAINT}"/>'
    yield text(pool.x + pool.width // 2, pool.y + 20, pool.lines[0], INK, bold=True, size=13, middle=True)


def _legend(scene: Scene, width: int, top: int) -> tuple[list[str], int]:
    """What the signs mean, in as many lines as it takes; and how far down it reaches."""
    parts: list[str] = []
    x, y = 30, top + 10
    for kind, words in scene.explained:
        wide = 28 + text_width(words) + 22
        if x + wide > width and x > 30:
            x, y = 30, y + 26
        parts += _sign(kind, x, y)
        parts.append(text(x + 28, y, words, INK))
        x += wide
    return parts, y + 20 if scene.explained else top


def _sign(kind: str, x: int, y: int) -> Iterator[str]:
    if kind in (s.TASK, s.PIVOT, s.UNDO, s.PERSON):
        yield from _box(Shape(id="", kind=kind, x=x, y=y - 12, width=22, height=16), _EDGE.get(kind, INK))
    elif kind in (s.FLOW, s.MESSAGE, s.ASSOCIATION):
        yield f'<path d="M{x},{y - 4} h22" stroke="{INK}"{_DASHES[kind]} marker-end="url(#tip{INK[1:]})"/>'
    else:
        yield from _event(Shape(id="", kind=kind, x=x + 2, y=y - 13, width=18, height=18), _EDGE.get(kind, INK))
