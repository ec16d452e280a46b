"""What a change touches in either flow, counted from the variants that are shipped side by side.

Two changes: another order of the same steps, and a second process over the same services. A line counts where it
is there for one variant alone: an entry, a function, an import, a line of a stanza. What every variant uses is not
counted, so a capability that a service gained (a credit in the ledger) is not a price of either flow.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.admin.compare.source import AFTER, ANY_ORDER, BEFORE, CHOREOGRAPHED, Entry, Source, sources


@dataclass(frozen=True, slots=True)
class Touched:
    """What one file has for one variant alone."""

    file: str
    entries: int
    functions: tuple[str, ...]
    imports: tuple[str, ...]
    lines: int


def changes(root: Path, services: Iterable[str]) -> list[dict[str, Any]]:
    """The order of steps changed, then each further process that both flows offer or only one."""
    modules = sources(root, services)
    reactions = [module for module in modules if any(CHOREOGRAPHED in each.flows for each in module.entries)]
    workflows = {name for module in modules for name in module.workflows}
    chains = {each.order for module in reactions for each in module.entries if CHOREOGRAPHED in each.flows}
    more = sorted((workflows & chains) - {BEFORE, AFTER, ANY_ORDER})
    return [_reordered(modules, reactions), *(_added(modules, reactions, name) for name in more)]


def _reordered(modules: list[Source], reactions: list[Source]) -> dict[str, Any]:
    """From debit first to AML first: what goes and what comes, in the files that it touches."""
    removed = [found for module in reactions if (found := _only(module, BEFORE, AFTER))]
    added = [found for module in reactions if (found := _only(module, AFTER, BEFORE))]
    return {
        "change": f"{BEFORE} to {AFTER}",
        "choreographed": _summed(removed, added),
        "orchestrated": _moved(modules),
    }


def _added(modules: list[Source], reactions: list[Source], name: str) -> dict[str, Any]:
    """A further process: what is there for it alone."""
    added = [found for module in reactions if (found := _only(module, name))]
    return {"change": f"a second process, {name}", "choreographed": _summed([], added),
            "orchestrated": _new(modules, name)}  # fmt: skip


def _only(module: Source, order: str, than: str | None = None) -> Touched | None:
    """What this module has for one order of steps and not for the other (or for no other)."""
    chosen = [each for each in module.entries if each.order == order]
    beside = (than, ANY_ORDER) if than else {each.order for each in module.entries} - {order}
    others = [each for each in module.entries if each.order in beside]
    texts = {each.text for each in others}
    own = [each for each in chosen if each.text not in texts]
    # A function that another entry uses was there, and stays: only the entry is the change.
    names = module.reach(each.node for each in own) - module.reach(each.node for each in others)
    return _touched(module, own, names)


def _touched(module: Source, entries: list[Entry], names: set[str]) -> Touched | None:
    if not entries and not names:
        return None
    return Touched(
        module.name,
        len(entries),
        tuple(sorted(name for name in names if isinstance(module.defined.get(name), ast.FunctionDef))),
        tuple(sorted(name for name in names if name in module.imported)),
        len(module.lines_of(names, (each.node for each in entries))),
    )


def _summed(removed: list[Touched], added: list[Touched]) -> dict[str, Any]:
    files = sorted({each.file for each in (*removed, *added)})
    return {
        "files": files,
        "services": len({file.split("/")[1] for file in files}),
        "lines_removed": sum(each.lines for each in removed),
        "lines_added": sum(each.lines for each in added),
        "entries": sum(each.entries for each in (*removed, *added)),
        "functions": sorted({name for each in (*removed, *added) for name in each.functions}),
        "imports": sum(len(each.imports) for each in (*removed, *added)),
    }


def _moved(modules: list[Source]) -> dict[str, Any]:
    """The difference between the two workflows' steps, line by line."""
    (before,), (after,) = ([each for module in modules if (each := _stanza(module, name))] for name in (BEFORE, AFTER))
    difference = [line for line in difflib.ndiff(before[1], after[1]) if line[0] in "+-"]
    return {
        "files": sorted({before[0], after[0]}),
        "services": 1,
        "lines_removed": sum(line[0] == "-" for line in difference),
        "lines_added": sum(line[0] == "+" for line in difference),
        "entries": 0,
        "functions": [],
        "imports": 0,
    }


def _stanza(module: Source, name: str) -> tuple[str, list[str]] | None:
    call = module.workflows.get(name)
    if call is None:
        return None
    steps = next((keyword.value for keyword in call[1].keywords if keyword.arg == "steps"), None)
    listed = steps.elts if isinstance(steps, ast.Tuple) else []
    return module.name, [ast.unparse(step) for step in listed]


def _new(modules: list[Source], name: str) -> dict[str, Any]:
    """What there is for one workflow alone: in its own file, and where another has to know of it."""
    home = next(module for module in modules if name in module.workflows)
    owner = home.workflows[name][0]
    others = [node for other, (_, node) in home.workflows.items() if other != name]
    tables = [home.defined[key] for key in ("REACTIONS",) if key in home.defined]
    names = home.reach([home.defined[owner]]) | {owner}
    names -= home.reach([*others, *tables])
    touched = [_touched(home, [], names)]
    for module in modules:
        taken = {owner} if module.imported.get(owner, ("", 0))[0] == _module_name(home) else set()
        touched.append(_touched(module, [], taken))
    return _summed([], [each for each in touched if each])


def _module_name(module: Source) -> str:
    return module.name.removesuffix(".py").replace("/", ".")
