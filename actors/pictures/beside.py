"""Two workflows or two chains drawn beside each other, with what differs marked: as SVG and as Mermaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from actors.pictures import chain_layout, process_layout
from actors.pictures import scene as s
from actors.pictures.chain import Chain
from actors.pictures.comparison import ADDED, CHANGED, MOVED, REMOVED, Row, names, reaction_name
from actors.pictures.outline import Process
from actors.pictures.scene import Scene, Shape

Side = Process | Chain

NO_DIFFERENCE: Final = "no difference"
GAP: Final = 60  # between the two
COLOURS: Final = {ADDED: "#e3f4ea", REMOVED: "#fbe3e0", CHANGED: "#fff6d6", MOVED: "#e6ecfb"}
_BLOCKS: Final = {process_layout.STOPPING: "to stop it", process_layout.COMING_BACK: "a return"}
_LEGEND: Final = "green: added, red: removed, yellow: changed, blue: moved"


def scene(titles: tuple[str, str], sides: tuple[Side, Side], rows: Sequence[Row]) -> Scene:
    """Both pictures in one, what differs in colour and in words below; of chains only the reactions that differ."""
    drawn = [_marked(side, _told(rows, right=at == 1)) for at, side in enumerate(sides)]
    left, right = _prefixed(drawn[0], "a", 0), _prefixed(drawn[1], "b", drawn[0].width + GAP)
    changes = (f"{row.left or row.right}, {row.what}: {'; '.join(row.changes)}" for row in rows if row.changes)
    left_out = ("reactions that are the same in both are left out",) if isinstance(sides[0], Chain) else ()
    return Scene(
        "-".join(titles),
        f"{titles[0]}, beside it {titles[1]}",
        right.width + left.width + GAP,
        max(left.height, right.height),
        left.shapes + right.shapes,
        left.lines + right.lines,
        left.pools + right.pools,
        left.explained,
        (_LEGEND, *left_out, *changes) if any(row.what for row in rows) else (NO_DIFFERENCE,),
    )


def mermaid(titles: tuple[str, str], sides: tuple[Side, Side], rows: Sequence[Row]) -> str:
    """Both as columns of steps, coloured by what differs; dotted lines join what moved or changed."""
    lines = ["flowchart TD"]
    for letter, title, side in zip("ab", titles, sides, strict=True):
        told = _told(rows, right=letter == "b")
        lines += [f'    subgraph {letter}["{title}"]', "        direction TB"]
        listed = _listed(side, told)
        for at, name in enumerate(listed):
            row = told.get(name)
            words = "<br/>".join(_quoted(each) for each in (name, *((row.what, *row.changes) if row else ())))
            lines.append(f'        {letter}{at}["{words}"]' + (f":::{row.what}" if row else ""))
        lines += [f"        {letter}{at} --> {letter}{at + 1}" for at in range(len(listed) - 1)]
        lines.append("    end")
    lines += _joined(sides, rows)
    return "\n".join([*lines, *(f"    classDef {what} fill:{colour}" for what, colour in COLOURS.items())])


def _told(rows: Sequence[Row], *, right: bool) -> dict[str, Row]:
    """What differs, by the names of one side."""
    return {row.right if right else row.left: row for row in rows if row.what and (row.right if right else row.left)}


def _listed(side: Side, told: Mapping[str, Row]) -> list[str]:
    """What is drawn of one side: of a chain what differs, and all of it where nothing does."""
    return [name for name in names(side) if not (isinstance(side, Chain) and told) or name in told]


def _joined(sides: tuple[Side, Side], rows: Sequence[Row]) -> Iterator[str]:
    listed = [_listed(side, _told(rows, right=at == 1)) for at, side in enumerate(sides)]
    for row in rows:
        if row.what and row.left and row.right:
            yield f"    a{listed[0].index(row.left)} -.- b{listed[1].index(row.right)}"


def _marked(side: Side, told: Mapping[str, Row]) -> Scene:
    if isinstance(side, Chain):
        listed = _listed(side, told)
        kept = replace(side, reactions=tuple(on for on in side.reactions if reaction_name(on) in listed))
        heard = kept.heard()
        kept = replace(kept, sources=tuple(each for each in side.sources if each[1] in heard))
        drawn = chain_layout.draw(kept)
        tasks = [each.id for each in drawn.shapes if each.kind == s.TASK]
        what = {task: told[name].what for task, name in zip(tasks, listed, strict=True) if name in told}
        drawn.shapes = [replace(each, state=what.get(each.id, "")) for each in drawn.shapes]
        return drawn
    drawn = process_layout.draw(side)
    drawn.shapes = [_step(each, told) for each in drawn.shapes]
    return drawn


def _step(shape: Shape, told: Mapping[str, Row]) -> Shape:
    if shape.kind in (s.TASK, s.PIVOT) and not shape.inside and shape.lines[0] in told:
        row = told[shape.lines[0]]
        return replace(shape, lines=(*shape.lines[:2], row.what), state=row.what)
    if shape.kind in (s.TIMER, s.CHOICE, s.TOGETHER):
        marked = told.get(shape.label.partition(":")[0])
        return replace(shape, label=f"{shape.label} ({marked.what})") if marked else shape
    named = _BLOCKS.get(shape.lines[0], "") if shape.kind == s.BLOCK else ""
    if named in told:
        return replace(shape, lines=(f"{shape.lines[0]} ({told[named].what})",))
    return shape


def _prefixed(drawn: Scene, letter: str, by: int) -> Scene:
    """The same picture further to the right, its ids told apart from those of the other."""

    def named(identifier: str) -> str:
        return letter + identifier if identifier else ""

    def shape(each: Shape) -> Shape:
        label_at = (each.label_at[0] + by, each.label_at[1]) if each.label_at else None
        return replace(each, id=named(each.id), host=named(each.host), inside=named(each.inside), x=each.x + by,
                       label_at=label_at)  # fmt: skip

    drawn.shapes = [shape(each) for each in drawn.shapes]
    drawn.pools = [shape(each) for each in drawn.pools]
    drawn.lines = [
        replace(
            line,
            id=named(line.id),
            source=named(line.source),
            target=named(line.target),
            inside=named(line.inside),
            points=tuple((x + by, y) for x, y in line.points),
            label_at=(line.label_at[0] + by, line.label_at[1]) if line.label_at else None,
        )
        for line in drawn.lines
    ]
    return drawn


def _quoted(words: str) -> str:
    return words.replace('"', "#quot;")
