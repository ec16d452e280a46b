"""The comparison for a terminal."""

from __future__ import annotations

from typing import Any, Final

from actors.admin.compare.source import CHOREOGRAPHED, FLOWS, ORCHESTRATED
from actors.admin.screen import Screen

_COLUMNS: Final = ("", *(f">{flow}" for flow in FLOWS))
_COSTS: Final = ("messages", "commands", "replies", "events", "timers", "deliveries", "commits", "bytes")


def show(screen: Screen, document: dict[str, Any]) -> None:
    """Every part as a table of its own."""
    machine = document["machine"]
    screen.say(
        f"{document['at']}, {machine['cores']} cores ({machine['processor']}), {machine['memory_mb']:,} MB, "
        f"Python {machine['python']}, {machine['durability']}, load {machine['load_before']} before"
    )
    screen.say("")
    screen.table(_COLUMNS, figures(document), title=f"measured, {document['payments']:,} payments a run")
    screen.table(_COLUMNS, known(document), title="who knows what, from the code")
    screen.table(("importing", "orchestrated", "choreographed"), imports(document), title="whose messages it imports")
    screen.table(
        ("change", "flow", ">services", ">files", ">lines", ">functions", ">imports"),
        touched(document),
        title="what a change touches, from the shipped variants",
    )
    factor = document["stuck"]["deadlines_factor"]
    screen.table(
        ("what goes wrong", "flow", "status", "what the system says", ">after s", "money", "dead letter"),
        stuck(document),
        title=f"a payment stuck halfway, every deadline multiplied by {factor:g}",
    )
    screen.say("")
    screen.say(verdict(document))
    for sentence in document["ledger"]["examples"]:
        screen.say(f"  {sentence}")
    for flow, violations in document["ledger"]["violations"].items():
        for each in violations:
            screen.say(f"  violated, {flow}: {each['check']}: {each['payment_id'] or ''} {each['text']}")


def verdict(document: dict[str, Any]) -> str:
    """The check of the ledgers in a sentence."""
    same = document["ledger"]
    size = f"{same['payments']:,} payments, {same['accounts']:,} accounts, {same['postings']:,} postings"
    if same["ok"]:
        return f"both flows left the same ledger: {size}; verify found nothing in either"
    broken = sum(len(found) for found in same["violations"].values())
    return f"the flows did NOT leave the same ledger: {size}, {same['differences']:,} differences, {broken} violations"


def figures(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What was measured: name and one value for each flow."""
    of = document["measured"]
    rows = [
        ("payments/s, median", *(f"{of[flow]['payments_per_s']:,}" for flow in FLOWS)),
        ("latency p50, ms", *(f"{of[flow]['latency_ms']['p50']:.2f}" for flow in FLOWS)),
        ("latency p99, ms", *(f"{of[flow]['latency_ms']['p99']:.2f}" for flow in FLOWS)),
    ]
    for name in _COSTS:
        each = [of[flow]["per_payment"][name] for flow in FLOWS]
        form = {"bytes": ",.0f", "commits": ".4f"}.get(name, ".2f")
        said = [format(value, form) for value in each]
        rows.append((f"{'bytes stored' if name == 'bytes' else name} a payment", *said))
    rows += [
        ("commits a payment, one at a time", *(f"{of[flow]['commits_singly']:g}" for flow in FLOWS)),
        ("in flight when killed", *(f"{of[flow]['recovery']['in_flight']:,}" for flow in FLOWS)),
        ("serving again after kill -9, s", *(f"{of[flow]['recovery']['serving_s']:.2f}" for flow in FLOWS)),
        ("all ended after kill -9, s", *(f"{of[flow]['recovery']['all_ended_s']:.2f}" for flow in FLOWS)),
    ]
    return [(name, one, other) for name, one, other in rows]


def known(document: dict[str, Any]) -> list[tuple[str, ...]]:
    """Numbers about who knows whom."""
    of = document["knowledge"]
    return [
        (title, *(_number(of[flow][name]) for flow in FLOWS))
        for title, name in (
            ("actors that know the order of steps", "actors_that_know_the_order"),
            ("actors that know what comes before their step", "actors_that_know_a_neighbour"),
            ("services that import another's messages", "importing_services"),
            ("imports between services (edges)", "edges"),
            ("messages known across services", "imported_names"),
        )
    ]


def imports(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Who imports whose messages, and how many, in either flow."""
    of = {flow: document["knowledge"][flow]["imports"] for flow in FLOWS}
    rows = [
        (service, *(_of_whom(of[flow].get(service, {})) for flow in FLOWS))
        for service in sorted({service for each in of.values() for service in each})
    ]
    apart = document["knowledge"][ORCHESTRATED]["apart"]
    rows += [(f"{service} (whatever the flow)", *(_of_whom(of),) * 2) for service, of in apart.items()]
    return [(name, one, other) for name, one, other in rows]


def touched(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """A row for each change and flow."""
    rows = []
    for change in document["changes"]:
        for flow in (ORCHESTRATED, CHOREOGRAPHED):
            of = change[flow]
            lines = f"+{of['lines_added']} -{of['lines_removed']}"
            rows.append((change["change"], flow, of["services"], len(of["files"]), lines, len(of["functions"]),
                         of["imports"]))  # fmt: skip
    return rows


def stuck(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """A row for each fault and flow."""
    return [
        (
            each["fault"],
            each["flow"],
            each["status"],
            f"{each['reason'] or ''} {each['reason_text'] or ''}".strip(),
            each["after_s"],
            {"voided": "given back", "pending": "held"}.get(each["debit"], each["debit"]),
            "yes" if each["dead_letter"] else "",
        )
        for each in document["stuck"]["found"]
    ]


def _number(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{len(value)}: {', '.join(value)}"


def _of_whom(of: dict[str, list[str]]) -> str:
    return ", ".join(f"{service} {len(names)}" for service, names in of.items())
