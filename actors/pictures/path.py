"""The way that one payment has taken, in words and as Mermaid: each step with what became of it, and times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from actors.pictures.stages import DONE, HERE, LEFT, OUT, REFUSED, UNDONE, Stage

_SIGNS: Final = {DONE: "✓", UNDONE: "↩", REFUSED: "✕", HERE: "▶", OUT: "○", LEFT: "·"}
_COLOURS: Final = {
    DONE: "#e3f4ea",
    UNDONE: "#fdf1e7",
    REFUSED: "#fbe3e0",
    HERE: "#fff6d6",
    OUT: "#ffffff",
    LEFT: "#ffffff",
}


def in_short(stage: Stage) -> str:
    """Its state and times on one line."""
    if not stage.sent:
        return stage.state
    return f"{_SIGNS[stage.state]} {stage.sent}, {stage.took}" if stage.took else f"{_SIGNS[stage.state]} {stage.sent}"


def as_text(title: str, found: Sequence[Stage], acts: Sequence[tuple[str, str]], end: Sequence[str]) -> str:
    """A line a step, its answers under it, what people did, and where the payment stands."""
    width = max((len(stage.name) for stage in found), default=0)
    said = [len(words) + 2 for stage in found for words, _ in (*stage.said, *stage.undone)]
    calls = max([*(len(stage.call) for stage in found), *said], default=0)
    lines = [title, ""]
    for stage in found:
        times = f"{stage.sent}  {stage.took}" if stage.sent else stage.state
        lines.append(f"{_SIGNS[stage.state]} {stage.name:<{width}}  {stage.call:<{calls}}  {times}")
        lines += [f"  {'':<{width}}  {'→ ' + words:<{calls}}  {time}" for words, time in stage.said]
        lines += [f"  {'':<{width}}  {'↩ ' + words:<{calls}}  {time}" for words, time in stage.undone]
    if acts:
        lines += ["", "by people, and told to them", *(f"  {time}  {words}" for time, words in acts)]
    signs = "   ".join(f"{sign} {state}" for state, sign in _SIGNS.items())
    now, *why = end
    return "\n".join([*(line.rstrip() for line in lines), "", f"now: {now}", *why, "", signs])


def as_mermaid(found: Sequence[Stage], acts: Sequence[tuple[str, str]], end: Sequence[str]) -> str:
    """A flowchart of the steps taken, coloured by what became of them."""
    lines = ["flowchart TD"]
    for at, stage in enumerate(found):
        words = [stage.name, stage.call, in_short(stage), *(f"{said} {time}" for said, time in stage.said)]
        lines.append(f"    s{at}[{_box(words)}]:::{_class(stage.state)}")
        if stage.undone:
            undone = _box([f"↩ {said} {time}" for said, time in stage.undone])
            lines += [f"    u{at}[{undone}]:::undone", f"    s{at} -.-> u{at}"]
    lines.append(f"    now([{_box(end)}])")
    for at in range(len(found)):
        faint = at + 1 < len(found) and found[at + 1].state in (LEFT, OUT)
        following = f"s{at + 1}" if at + 1 < len(found) else "now"
        lines.append(f"    s{at} {'-.->' if faint else '-->'} {following}")
    if acts:
        lines.append(f"    acts[{_box([f'{time} {words}' for time, words in acts])}]:::here")
    lines += [f"    classDef {_class(state)} fill:{colour}" for state, colour in _COLOURS.items()]
    return "\n".join(lines)


def _box(words: Sequence[str]) -> str:
    return '"' + "<br/>".join(each.replace('"', "#quot;").replace("<", "#lt;") for each in words) + '"'


def _class(state: str) -> str:
    return state.replace(" ", "-")
