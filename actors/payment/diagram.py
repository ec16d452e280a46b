"""Pictures of the payment process, drawn from its data: as text, Mermaid or SVG. Holds no fact of its own."""

from __future__ import annotations

from typing import Any, Final
from xml.sax.saxutils import escape

from actors.payment import queries
from actors.payment.definition import Workflow

FORMATS: Final = ("text", "mermaid", "svg")
FONT: Final = 'font-family="system-ui, sans-serif" font-size="13"'
INK, FAINT, PAPER, BACK = "#1f2933", "#7b8794", "#ffffff", "#b44d12"


def draw(name: str, format: str) -> str:
    """The newest version of the workflow `name`, as `format`.

    Raises:
        KeyError: there is no such workflow.
        ValueError: there is no such format.
    """
    workflow = queries.newest(name)
    if workflow is None:
        raise KeyError(f"there is no workflow {name}")
    return diagram(workflow, format)


def diagram(workflow: Workflow, format: str) -> str:
    """The steps in order, what undoes them, and the pivot."""
    if format not in FORMATS:
        raise ValueError(f"a diagram is {', '.join(FORMATS)}, not {format}")
    described = queries.describe(workflow)
    return {"text": _text, "mermaid": _mermaid, "svg": _svg}[format](described)


def _text(workflow: dict[str, Any]) -> str:
    width = max(len(step["name"]) for step in workflow["steps"])
    lines = [f"{workflow['name']}, version {workflow['version']}"]
    for number, step in enumerate(workflow["steps"], 1):
        call = f"{step['command']} → {step['service']}"
        lines += ["", f"{number}. {step['name']:<{width}}  {call}  ({_patience(step, _after_pivot(workflow, number))})"]
        told = [(step["done"], _after_done(workflow, number))]
        if step["refused"]:
            told.append((step["refused"], _after_refusal(workflow, number)))
        if step["waits_for_person"]:
            told.append((step["waits_for_person"], "waits for a person"))
        if step["in_doubt"]:
            told.append((step["in_doubt"], "waits for proof, or a person's"))
        lines += [f"   {outcome:<20} {then}" for outcome, then in told]
        if step["compensation"]:
            only = "" if step["undo_when_done"] else ", only while it is unanswered"
            lines.append(f"   undone by            {step['compensation']}, confirmed by {step['undone']}{only}")
        if step["pivot"]:
            lines += ["", "   ── the pivot: what follows is repeated until it is done, never undone ──"]
    stop, back = workflow["stop"], workflow["return"]
    booked = f"{back['command']} → {back['service']}, then returned" if back["command"] else "needs attention"
    lines += [
        "",
        f"to stop it    {stop['command']} → {stop['service']}: {stop['stopped']}, everything is undone;"
        f" {stop['refused']}, it goes on",
        f"a return      {back['on']}: {booked}",
    ]
    return "\n".join(lines)


def _patience(step: dict[str, Any], after_pivot: bool) -> str:
    tries = "repeated until done" if after_pivot else f"{step['tries']} tries"
    return f"{step['timeout_seconds']:g} s, {tries}" + (", the pivot" if step["pivot"] else "")


def _after_done(workflow: dict[str, Any], number: int) -> str:
    steps = workflow["steps"]
    return f"on to {number + 1}. {steps[number]['name']}" if number < len(steps) else "completed"


def _after_refusal(workflow: dict[str, Any], number: int) -> str:
    if _after_pivot(workflow, number):
        return "needs attention"
    below = _undone_below(workflow["steps"], number - 1)
    return "rejected" if below is None else f"{workflow['steps'][below]['compensation']}, then rejected"


def _after_pivot(workflow: dict[str, Any], number: int) -> bool:
    return any(step["pivot"] for step in workflow["steps"][: number - 1])


def _undone_below(steps: list[dict[str, Any]], at: int) -> int | None:
    """Where undoing goes on below step `at`: at the nearest one that leaves something to undo once it is done."""
    return next((below for below in range(at - 1, -1, -1) if steps[below]["undo_when_done"]), None)


def _mermaid(workflow: dict[str, Any]) -> str:
    lines = ["flowchart TD"]
    steps = workflow["steps"]
    for at, step in enumerate(steps):
        brackets = ("{{", "}}") if step["pivot"] else ("[", "]")
        lines.append(f'    s{at}{brackets[0]}"{step["name"]}<br/>{step["command"]} → {step["service"]}"{brackets[1]}')
        if step["compensation"]:
            lines.append(f'    u{at}["{step["compensation"]} → {step["service"]}"]')
    lines += ['    completed(["completed"])', '    rejected(["rejected"])', '    attention(["needs attention"])']
    for at, step in enumerate(steps):
        following = f"s{at + 1}" if at + 1 < len(steps) else "completed"
        lines.append(f"    s{at} -->|{step['done']}| {following}")
        if step["refused"]:
            lines.append(f"    s{at} -.->|{step['refused']}| {_mermaid_refusal(workflow, at)}")
        if step["waits_for_person"]:
            lines.append(f"    s{at} -.->|{step['waits_for_person']}| s{at}")
        if step["in_doubt"]:
            lines.append(f"    s{at} -.->|{step['in_doubt']}| attention")
        if step["compensation"]:
            lines.append(f"    s{at} -.->|timeout| u{at}")
            lines.append(f"    u{at} -->|{step['undone']}| {_mermaid_undo(steps, at)}")
    return "\n".join(lines)


def _mermaid_refusal(workflow: dict[str, Any], at: int) -> str:
    return "attention" if _after_pivot(workflow, at + 1) else _mermaid_undo(workflow["steps"], at)


def _mermaid_undo(steps: list[dict[str, Any]], at: int) -> str:
    below = _undone_below(steps, at)
    return "rejected" if below is None else f"u{below}"


_BOX_WIDTH, _BOX_HEIGHT, _ROW = 250, 52, 104
_LEFT, _RIGHT = 30, 420


def _svg(workflow: dict[str, Any]) -> str:
    """Steps down the left, each with what undoes it on its right; the pivot is a line across."""
    steps = workflow["steps"]
    height = 60 + _ROW * len(steps) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 710 {height}" {FONT} role="img">',
        f"<title>{escape(workflow['name'])}, version {workflow['version']}</title>",
        f'<rect width="710" height="{height}" fill="{PAPER}"/>',
        tip("go", INK),
        tip("back", BACK),
        f'<text x="{_LEFT}" y="32" font-weight="bold" fill="{INK}">'
        f"{escape(workflow['name'])}, version {workflow['version']}</text>",
    ]
    for at, step in enumerate(steps):
        parts += _svg_step(workflow, at, step, 60 + _ROW * at)
    y = 60 + _ROW * len(steps)
    parts.append(f'<text x="{_LEFT + 125}" y="{y + 14}" text-anchor="middle" fill="{INK}">completed</text>')
    return "\n".join([*parts, "</svg>"])


def _svg_step(workflow: dict[str, Any], at: int, step: dict[str, Any], y: int) -> list[str]:
    middle, bottom = _LEFT + 40, y + _BOX_HEIGHT
    parts = [
        box(_LEFT, y, _BOX_WIDTH, _BOX_HEIGHT, INK, 2.5 if step["pivot"] else 1),
        words(_LEFT + 12, y + 21, f"{at + 1}. {step['name']}", INK, bold=True),
        words(_LEFT + 12, y + 40, f"{step['command']} → {step['service']}", INK),
        line(f"M{middle},{bottom} V{y + _ROW - 2}", INK, "go"),
        words(middle + 10, bottom + 20, step["done"], INK),
    ]
    if step["refused"]:
        parts.append(words(middle + 10, bottom + 38, f"{step['refused']}: {_after_refusal(workflow, at + 1)}", FAINT))
    if step["compensation"]:
        parts += [
            box(_RIGHT, y, _BOX_WIDTH, _BOX_HEIGHT, BACK, 1),
            words(_RIGHT + 12, y + 21, f"{step['compensation']} → {step['service']}", BACK, bold=True),
            words(_RIGHT + 12, y + 40, f"until {step['undone']}", BACK),
            line(f"M{_LEFT + _BOX_WIDTH},{y + 26} H{_RIGHT - 2}", BACK, "back"),
            words(_LEFT + _BOX_WIDTH + 28, y + 20, "undone by", BACK),
        ]
    if step["pivot"]:
        parts += [
            f'<path d="M{_LEFT + _BOX_WIDTH},{y + 26} H{_RIGHT + _BOX_WIDTH}"'
            f' stroke="{FAINT}" stroke-dasharray="6 4"/>',
            words(_LEFT + _BOX_WIDTH + 28, y + 20, "the pivot: nothing below is undone", FAINT),
        ]
    return parts


def tip(name: str, colour: str) -> str:
    """An arrow's tip, to be named by `line`."""
    return (
        f'<defs><marker id="{name}" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
        f'<path d="M0,0 L9,4 L0,8 z" fill="{colour}"/></marker></defs>'
    )


def box(x: int, y: int, width: int, height: int, colour: str, stroke: float) -> str:
    """A rectangle with round corners."""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="none"'
        f' stroke="{colour}" stroke-width="{stroke}"/>'
    )


def words(x: int, y: int, text: str, colour: str, *, bold: bool = False) -> str:
    """One line of text."""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}" fill="{colour}"{weight}>{escape(text)}</text>'


def line(path: str, colour: str, end: str = "") -> str:
    """A line, with a tip at its end where one is named."""
    marker = f' marker-end="url(#{end})"' if end else ""
    return f'<path d="{path}" fill="none" stroke="{colour}"{marker}/>'
