"""Who knows what of whom, in either flow: read from the reactions and the workflows, by their imports."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from actors.admin.compare.source import AFTER, BEFORE, CHOREOGRAPHED, FLOWS, ORCHESTRATED, Source, sources


def knowledge(root: Path, services: Iterable[str]) -> dict[str, Any]:
    """Per flow: who imports whose messages, how many of each, and which actors know the order of steps."""
    services = tuple(services)
    modules = sources(root, services)
    orchestrators = {module.service for module in modules if module.workflows}
    return {flow: _in_flow(modules, services, orchestrators, flow) for flow in FLOWS}


def _in_flow(modules: list[Source], services: tuple[str, ...], orchestrators: set[str], flow: str) -> dict[str, Any]:
    known: dict[str, set[str]] = {}
    apart: dict[str, set[str]] = {}
    for module in modules:
        names = {name for name in module.imported if module.of_service(name, services)}
        driving = module.service in orchestrators
        whatever = _whatever_the_flow(module, names, driving)
        known[module.name] = (names if driving and flow == ORCHESTRATED else _reacting(module, flow) & names) - whatever
        apart[module.name] = whatever
    edges = _matrix(modules, services, known)
    order, neighbour = _knowing(modules, services, orchestrators, flow)
    return {
        "imports": edges,
        "apart": _matrix(modules, services, apart),
        "files": {name: len(names) for name, names in known.items() if names},
        "imported_names": sum(len(names) for of in edges.values() for names in of.values()),
        "edges": sum(len(of) for of in edges.values()),
        "importing_services": sorted(edges),
        "actors_that_know_the_order": order,
        "actors_that_know_a_neighbour": neighbour,
    }


def _whatever_the_flow(module: Source, names: set[str], driving: bool) -> set[str]:
    """What a module needs of others however the payment is driven: mails, copies, operators' work."""
    if driving:
        return set()
    in_one_flow = {name for flow in FLOWS for name in _reacting(module, flow, alone=True)}
    return names - in_one_flow


def _reacting(module: Source, flow: str, *, alone: bool = False) -> set[str]:
    """What the module's reactions in this flow use; `alone`: in this flow and not in the other."""
    nodes = [each.node for each in module.entries if flow in each.flows and (not alone or len(each.flows) == 1)]
    return module.reach(nodes)


def _matrix(
    modules: list[Source], services: tuple[str, ...], names: dict[str, set[str]]
) -> dict[str, dict[str, list[str]]]:
    """Service, whose messages it imports, and which."""
    found: dict[str, dict[str, list[str]]] = {}
    for module in modules:
        for name in sorted(names[module.name]):
            of = found.setdefault(module.service, {}).setdefault(str(module.of_service(name, services)), [])
            if name not in of:
                of.append(name)
    return found


def _knowing(
    modules: list[Source], services: tuple[str, ...], orchestrators: set[str], flow: str
) -> tuple[list[str], list[str]]:
    """Whose code says what comes after what; and who knows at least what comes before its own step."""
    if flow == ORCHESTRATED:
        return sorted(orchestrators), sorted(orchestrators)
    order, neighbour = set(), set()
    for module in modules:
        chained = [
            each for each in module.entries
            if each.flows == (CHOREOGRAPHED,) and module.of_service(each.event, services)
        ]  # fmt: skip
        before, after = ({each.text for each in chained if each.order == name} for name in (BEFORE, AFTER))
        if before != after:  # what it does depends on which of the two orders it is
            order.add(module.service)
        if chained:
            neighbour.add(module.service)
    return sorted(order), sorted(neighbour)
