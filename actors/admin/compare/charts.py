"""Charts as SVG, to stand in an HTML page, whose style gives the colours: so they follow light, dark and print."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

_WIDTH: Final = 420
_BAR, _GAP, _TOP = 18, 6, 26
_LEFT: Final = 110
_NODE_X, _NODE_Y = 150, 22
CLASSES: Final = {"orchestrated": "one", "choreographed": "other"}


def bars(title: str, values: Sequence[tuple[str, float, str]]) -> str:
    """Horizontal bars from zero: label, value, and the value as it is to be read."""
    most = max((value for _, value, _ in values), default=0) or 1
    height = _TOP + (_BAR + _GAP) * len(values)
    parts = [_open(title, _WIDTH, height), f'<text class="title" x="0" y="14">{escape(title)}</text>']
    for at, (label, value, said) in enumerate(values):
        y = _TOP + (_BAR + _GAP) * at
        long = max(1.0, (_WIDTH - _LEFT - 90) * value / most)
        parts.append(f'<text x="0" y="{y + 13}">{escape(label)}</text>')
        parts.append(
            f'<rect class="{CLASSES.get(label, "one")}" x="{_LEFT}" y="{y}" width="{long:.1f}" height="{_BAR}" rx="2"/>'
        )
        parts.append(f'<text x="{_LEFT + long + 6:.1f}" y="{y + 13}">{escape(said)}</text>')
    return "".join([*parts, "</svg>"])


def graph(title: str, flow: str, edges: dict[str, dict[str, list[str]]], services: Sequence[str]) -> str:
    """Who imports whose messages: services on the left import from those on the right; thickness is how many."""
    height = _TOP + 34 * len(services) + 6
    parts = [_open(title, _WIDTH, height), f'<text class="title" x="0" y="14">{escape(title)}</text>']
    at = {name: _TOP + 34 * number for number, name in enumerate(services)}
    right = _WIDTH - _NODE_X
    for importing, of in edges.items():
        for imported, names in of.items():
            x, y, to_x, to_y = _NODE_X, at[importing] + 11, right, at[imported] + 11
            said = f"{importing} imports {len(names)} of {imported}: {', '.join(names)}"
            parts.append(
                f'<path class="edge {CLASSES[flow]}" d="M{x},{y} C{x + 50},{y} {to_x - 50},{to_y} {to_x},{to_y}" '
                f'stroke-width="{min(7.0, 1 + len(names) / 2):.1f}"><title>{escape(said)}</title></path>'
            )
    for name in services:
        for x, active in ((0, name in edges), (right, any(name in of for of in edges.values()))):
            faint = "" if active else " faint"
            parts.append(
                f'<rect class="node{faint}" x="{x}" y="{at[name]}" width="{_NODE_X}" height="{_NODE_Y}" rx="4"/>'
            )
            parts.append(f'<text class="{faint.strip()}" x="{x + 8}" y="{at[name] + 15}">{escape(name)}</text>')
    return "".join([*parts, "</svg>"])


def _open(title: str, width: int, height: int) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>'
    )
