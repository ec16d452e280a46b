"""One module of the code as the comparison reads it: what its names reach, what it imports, its reactions.

Read from the source alone; nothing here is run, so that it works on any tree.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

CHOREOGRAPHED: Final = "choreographed"
ORCHESTRATED: Final = "orchestrated"
FLOWS: Final = (ORCHESTRATED, CHOREOGRAPHED)
ANY_ORDER: Final = "*"
BEFORE: Final = "debit-first"  # the two shipped orders of the same steps
AFTER: Final = "screen-first"
_ANY_ORDER_NAME: Final = "ANY_ORDER"
_TABLE: Final = "REACTIONS"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a service's reactions: on `event` do `command`, in one order of steps or in any (`*`)."""

    order: str
    event: str
    command: str
    flows: tuple[str, ...]
    node: ast.Call

    @property
    def text(self) -> str:
        """The entry as it is written, whatever its layout."""
        return ast.unparse(self.node)


class Source:
    """A module's syntax, with the questions that the comparison asks of it."""

    def __init__(self, root: Path, path: Path) -> None:
        self.name = path.relative_to(root).as_posix()
        self.service = path.relative_to(root).parts[1]
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)

    @cached_property
    def imported(self) -> dict[str, tuple[str, int]]:
        """Every name that is imported: the module it comes from, and the line that names it."""
        return {
            alias.asname or alias.name: (node.module, alias.lineno)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }

    @cached_property
    def defined(self) -> dict[str, ast.stmt]:
        """What the module itself gives a name to, by that name."""
        found: dict[str, ast.stmt] = {}
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[node.name] = node
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = node
            elif isinstance(node, ast.Assign):
                found |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
        return found

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The module's reactions, if it has any."""
        table = self.defined.get(_TABLE)
        value = table.value if isinstance(table, ast.Assign | ast.AnnAssign) else None
        if not isinstance(value, ast.Dict):
            return ()
        return tuple(
            Entry(_order(key), _name(node.args[0]), _name(node.args[1]), _flows(node), node)
            for key, listed in zip(value.keys, value.values, strict=True)
            if key is not None
            for node in self._calls(listed)
        )

    @cached_property
    def workflows(self) -> dict[str, tuple[str, ast.Call]]:
        """The workflows that the module defines, the newest version of each: the name it has here, and the call."""
        found: dict[str, tuple[str, ast.Call]] = {}
        for name, node in self.defined.items():
            call = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            if isinstance(call, ast.Call) and any(keyword.arg == "steps" for keyword in call.keywords):
                first = call.args[0] if call.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found[first.value] = (name, call)  # versions stand in their order
        return found

    def of_service(self, name: str, services: Collection[str]) -> str | None:
        """The other service whose messages an imported name is one of, or None."""
        module = self.imported.get(name, ("", 0))[0].split(".")
        other = module[1] if len(module) == 3 and module[0] == "actors" and module[2] == "messages" else None
        return other if other in services and other != self.service else None

    def reach(self, roots: Iterable[ast.AST], *, but: Set[str] = frozenset()) -> set[str]:
        """Every name, imported or defined here, that these pieces of code use, directly or through others."""
        found: set[str] = set()
        waiting = list(roots)
        while waiting:
            for node in ast.walk(waiting.pop()):
                name = node.id if isinstance(node, ast.Name) else None
                if name is None or name in found or name in but:
                    continue
                if name in self.defined:
                    waiting.append(self.defined[name])
                elif name not in self.imported:
                    continue
                found.add(name)
        return found

    def lines_of(self, names: Iterable[str], nodes: Iterable[ast.AST] = ()) -> set[int]:
        """The lines of code (no blank ones, comments or docstrings) of these names and further pieces."""
        numbers: set[int] = set()
        for name in names:
            if name in self.defined:
                numbers |= self._span(self.defined[name])
            elif name in self.imported:
                numbers.add(self.imported[name][1])
        for node in nodes:
            numbers |= self._span(node)
        return numbers & self.code_lines

    @cached_property
    def code_lines(self) -> set[int]:
        """The numbers of all lines that hold code."""
        words: set[int] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
                words |= self._span(node.body[0])
        return {
            number
            for number, line in enumerate(self.text.splitlines(), 1)
            if number not in words and line.strip() and not line.lstrip().startswith("#")
        }

    def _calls(self, node: ast.expr) -> Iterator[ast.Call]:
        """The entries that an expression lists: in a tuple, behind a name, or taken in with a star."""
        if isinstance(node, ast.Tuple | ast.List):
            for each in node.elts:
                yield from self._calls(each)
        elif isinstance(node, ast.Starred):
            yield from self._calls(node.value)
        elif isinstance(node, ast.BinOp):
            yield from self._calls(node.left)
            yield from self._calls(node.right)
        elif isinstance(node, ast.Name):
            named = self.defined.get(node.id)
            if isinstance(named, ast.Assign | ast.AnnAssign) and named.value is not None:
                yield from self._calls(named.value)
        elif isinstance(node, ast.Call) and len(node.args) > 2:
            yield node

    def _span(self, node: ast.AST) -> set[int]:
        return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))  # type: ignore[attr-defined]


def sources(root: Path, services: Iterable[str]) -> list[Source]:
    """Every module of these services, by name."""
    paths = (path for service in services for path in (root / "actors" / service).glob("*.py"))
    return [Source(root, path) for path in sorted(paths)]


def _order(key: ast.expr) -> str:
    if isinstance(key, ast.Constant):
        return str(key.value)
    return ANY_ORDER if _name(key) == _ANY_ORDER_NAME else _name(key)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)


def _flows(call: ast.Call) -> tuple[str, ...]:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "flows"] or call.args[3:4]
    if not given:
        return (CHOREOGRAPHED,)
    said = ast.unparse(given[0])
    return FLOWS if "BOTH" in said else tuple(flow for flow in FLOWS if flow.upper() in said)
