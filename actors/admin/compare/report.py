"""The comparison as one HTML file that needs nothing else: no network, no script; light, dark, and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

from actors.admin.compare import table
from actors.admin.compare.charts import bars, graph
from actors.admin.compare.source import FLOWS

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2430; --faint: #6b7686; --paper: #fdfdfb; --line: #d5dae1;
  --one: #2f6fb7; --other: #c2701c; --good: #1e7f43; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --faint: #98a3b3; --paper: #14181e; --line: #343c48;
  --one: #6aa7ea; --other: #e9a04f; --good: #62c486; --bad: #f2857d; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
p.note, .faint { color: var(--faint); } p.note { margin: .2rem 0 .8rem; max-width: 46rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.4rem 2.4rem; }
svg { width: 100%; max-width: 30rem; height: auto; overflow: visible; }
svg text { font: 13px system-ui, sans-serif; fill: var(--ink); }
svg text.title { font-weight: 600; } svg text.faint { fill: var(--faint); }
svg rect.one { fill: var(--one); } svg rect.other { fill: var(--other); }
svg .edge { fill: none; opacity: .75; } svg .edge.one { stroke: var(--one); } svg .edge.other { stroke: var(--other); }
svg .node { fill: var(--paper); stroke: var(--ink); } svg .node.faint { stroke: var(--line); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .92em; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.verdict { border-left: 5px solid var(--good); padding: .5rem .9rem; margin: 1.2rem 0; font-weight: 600; }
.verdict.bad { border-color: var(--bad); }
code { font-size: .93em; }
@media print { :root { --ink: #000; --faint: #444; --paper: #fff; --line: #bbb; --one: #2f6fb7; --other: #c2701c; }
  body { font-size: 10pt; margin: 0; max-width: none; } section { break-inside: avoid; } svg rect, svg path {
  print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""


def html(document: dict[str, Any]) -> str:
    """The page."""
    machine, same = document["machine"], document["ledger"]
    said = (
        f"{document['at']} · {machine['cores']} cores ({machine['processor']}), {machine['memory_mb']:,} MB, "
        f"{machine['system']}, Python {machine['python']} · {machine['topology']}, {machine['durability']} · "
        f"load {machine['load_before']} when it began · {document['payments']:,} payments a run"
    )
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Orchestrated and choreographed, compared</title><style>{_STYLE}</style></head><body>",
        "<h1>Orchestrated and choreographed, compared</h1>",
        f'<p class="note">{escape(said)}</p>',
        f'<p class="verdict{"" if same["ok"] else " bad"}">{escape(table.verdict(document))}</p>',
        _list(same["examples"]),
        _list(f"{flow}: {each}" for flow, found in same["violations"].items() for each in found),
        _section("What became of the payments", "The same orders, and the same decisions of persons, in both flows.",
                 _table(("status", *(f">{flow}" for flow in FLOWS)), _statuses(same["by_status"]))),
        _measured(document),
        _known(document),
        _changes(document),
        _stuck(document),
        "</body></html>",
    ]  # fmt: skip
    return "\n".join(part for part in parts if part) + "\n"


def _measured(document: dict[str, Any]) -> str:
    of = document["measured"]
    shown = [
        ("payments a second (median)", [of[flow]["payments_per_s"] for flow in FLOWS], ",.0f"),
        ("latency of one payment, p50, ms", [of[flow]["latency_ms"]["p50"] for flow in FLOWS], ".2f"),
        ("latency of one payment, p99, ms", [of[flow]["latency_ms"]["p99"] for flow in FLOWS], ".2f"),
        ("messages a payment", [of[flow]["per_payment"]["messages"] for flow in FLOWS], ".1f"),
        ("bytes stored a payment", [of[flow]["per_payment"]["bytes"] for flow in FLOWS], ",.0f"),
        ("serving again after kill -9, s", [of[flow]["recovery"]["serving_s"] for flow in FLOWS], ".2f"),
    ]
    charts = [
        bars(title, [(flow, value, format(value, form)) for flow, value in zip(FLOWS, values, strict=True)])
        for title, values, form in shown
    ]
    each = "; ".join(
        f"{flow} {', '.join(f'{rate:,}' for rate in of[flow]['payments_per_s_of_each_run'])}" for flow in FLOWS
    )
    note = (
        "Each flow on fresh stores, in turns. Messages, deliveries and commits are counted in the cells' logs after"
        f" the run: a commit is a turn that wrote. Payments/s of each run: {each}."
    )
    return _section(
        "Measured", note,
        f'<div class="charts">{"".join(f"<div>{chart}</div>" for chart in charts)}</div>',
        _table(("", *(f">{flow}" for flow in FLOWS)), table.figures(document)),
    )  # fmt: skip


def _known(document: dict[str, Any]) -> str:
    of = document["knowledge"]
    services = sorted({name for flow in FLOWS for service, imported in of[flow]["imports"].items()
                       for name in (service, *imported)})  # fmt: skip
    graphs = [graph(f"{flow}: who imports whose messages", flow, of[flow]["imports"], services) for flow in FLOWS]
    note = (
        "From the imports in the code. The left column imports from the right; the thicker the line, the more messages."
        " What services need of others in either flow (mails, copies, operators' tools) is in the table alone."
    )
    return _section(
        "Who knows what", note,
        f'<div class="charts">{"".join(f"<div>{each}</div>" for each in graphs)}</div>',
        _table(("", *FLOWS), table.known(document)),
        _table(("service", *FLOWS), table.imports(document)),
    )  # fmt: skip


def _changes(document: dict[str, Any]) -> str:
    note = (
        "Counted from the variants that are shipped side by side: what one of them has alone. Lines of code, without"
        " blank ones, comments and docstrings. What every variant uses is no price of either flow and is not counted."
    )
    charts = [
        bars(f"{change['change']}: lines", [(flow, *_lines(change[flow])) for flow in FLOWS])
        for change in document["changes"]
    ]
    files = [(change["change"], flow, ", ".join(change[flow]["files"])) for change in document["changes"]
             for flow in FLOWS]  # fmt: skip
    columns = ("change", "flow", ">services", ">files", ">lines", ">functions", ">imports")
    return _section(
        "What a change touches", note,
        f'<div class="charts">{"".join(f"<div>{chart}</div>" for chart in charts)}</div>',
        _table(columns, table.touched(document)),
        _table(("change", "flow", "files"), files),
    )  # fmt: skip


def _lines(of: dict[str, Any]) -> tuple[int, str]:
    lines, files = of["lines_added"] + of["lines_removed"], len(of["files"])
    return lines, f"{lines} in {files} file{'' if files == 1 else 's'}"


def _stuck(document: dict[str, Any]) -> str:
    note = (
        "Run, not described: the same fault in both flows, and what the payment's status and reason say. Every deadline"
        f" is multiplied by {document['stuck']['deadlines_factor']:g} here; shipped ones are as many times longer."
    )  # fmt: skip
    columns = ("what goes wrong", "flow", "status", "what the system says", ">after s", "money", "dead letter")
    return _section("How a stuck payment is found", note, _table(columns, table.stuck(document)))


def _statuses(by_status: dict[str, dict[str, int]]) -> list[tuple[Any, ...]]:
    names = sorted({name for of in by_status.values() for name in of})
    return [(name, *(by_status[flow].get(name, 0) for flow in FLOWS)) for name in names]


def _section(title: str, note: str, *parts: str) -> str:
    return f'<section><h2>{escape(title)}</h2><p class="note">{escape(note)}</p>{"".join(parts)}</section>'


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; a column whose name starts with `>` is aligned to the right."""
    right = [' class="number"' if column.startswith(">") else "" for column in columns]
    head = "".join(
        f'<th scope="col"{side}>{escape(name.lstrip(">"))}</th>' for name, side in zip(columns, right, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{side}>{escape('' if cell is None else str(cell))}</td>" for cell, side in zip(row, right, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _list(sentences: Iterable[Any]) -> str:
    items = "".join(f"<li>{escape(str(each))}</li>" for each in sentences)
    return f"<ul>{items}</ul>" if items else ""
