"""What the two shipped orders of steps differ in, read from the source: for docs/how-to/change-the-workflow.md."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
WORKFLOW: Final = "actors/payment/workflow.py"
REACTIONS: Final = ("actors/ledger/reactions.py", "actors/aml/reactions.py", "actors/execution/reactions.py")
OTHERS: Final = (
    "actors/disbursement/reactions.py",
    "actors/notification/reactions.py",
    "actors/replication/reactions.py",
)
ORDERS: Final = ("debit-first", "screen-first")


def workflow_difference() -> str:
    """The steps of both workflows as a difference."""
    source = (ROOT / WORKFLOW).read_text("utf-8")
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "payment"
    ]
    steps = {}
    for call in calls:
        name = ast.literal_eval(call.args[0])
        (value,) = [keyword.value for keyword in call.keywords if keyword.arg == "steps"]
        assert isinstance(value, ast.Tuple)
        steps[name] = ["steps=(", *(f"    {ast.unparse(step)}," for step in value.elts), "),"]
    return _difference(WORKFLOW, *(steps[name] for name in ORDERS))


def reactions_difference(path: str) -> str:
    """The reactions of one service in both orders, and the functions that only one of them uses."""
    source = (ROOT / path).read_text("utf-8")
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    entries = dict(_entries(tree))
    used = {
        order: [name.id for name in ast.walk(entries[order]) if isinstance(name, ast.Name) and name.id in functions]
        for order in ORDERS
        if order in entries
    }
    texts = []
    for order in ORDERS:
        others = {name for names in used.values() for name in names} - set(used[order])
        own = [name for name in used[order] if any(name not in used[other] for other in ORDERS)]
        lines = []
        for name in own if others else []:
            lines += [*(ast.get_source_segment(source, functions[name]) or "").splitlines(), ""]
        texts.append([*lines, *(f"{ast.unparse(on)}," for on in entries[order].elts)])
    return _difference(path, *texts)


def differs(path: str) -> bool:
    """Whether the service reacts otherwise in the other order."""
    entries = dict(_entries(ast.parse((ROOT / path).read_text("utf-8"))))
    return any(order in entries for order in ORDERS)


def sections() -> dict[str, str]:
    """Every difference on the page, by the name of its place there."""
    return {"workflow": workflow_difference()} | {path.split("/")[1]: reactions_difference(path) for path in REACTIONS}


def _entries(tree: ast.Module) -> Iterator[tuple[str, ast.Tuple]]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "REACTIONS":
            assert isinstance(node.value, ast.Dict)
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.Tuple):
                    yield key.value, value


def _difference(path: str, before: list[str], after: list[str]) -> str:
    lines = list(difflib.unified_diff(before, after, lineterm="", n=9))[3:]
    return "\n".join(["```diff", f" # {path}", *lines, "```"])
