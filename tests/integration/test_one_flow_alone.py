"""Each flow is whole by itself: the other's code can be deleted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from pathlib import Path
# An editable installation would give back what was deleted here.
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
from tests.fakes.bank import BLOCKED, DOUBTFUL, GOOD, Bank, Way

ends = {}
for order in ("debit-first", "screen-first"):
    data = Path(sys.argv[1]) / order
    data.mkdir(parents=True)
    with Bank(data, Way(sys.argv[2], order)) as bank:
        bank.open_account()
        accounts = ("TEST-OK", "TEST-REJECT-AC04", "TEST-LOST", "TEST-RETURN-MD07", "TEST-SILENT", "TEST-CONTRADICT")
        ids = [bank.pay(account) for account in accounts]
        ids += [bank.pay(name=BLOCKED), bank.pay(amount=10**9)]
        held = [bank.pay(name=DOUBTFUL) for _ in range(3)]
        bank.rest()
        bank.decide(held[0], "clear")
        bank.decide(held[1], "block")
        bank.cancel(held[2])
        bank.pass_time(90)
        paid = [bank.pay(account) for account in ("TEST-OK", "TEST-REFUND-REJECT-AC04", "TEST-REFUND-SILENT")]
        large = [bank.pay(amount=60_000) for _ in range(3)]
        bank.rest()
        refunds = [bank.refund(paid[0], 400), *(bank.refund(each) for each in (*paid, *large))]
        bank.rest()
        granted, denied, cancelled = refunds[-3:]
        for payment_id, by, yes in ((granted, "anna", True), (granted, "bert", True), (denied, "anna", False)):
            bank.approve(payment_id, by, yes=yes)
        bank.cancel(cancelled)
        bank.pass_time(90)
        ends[order] = [bank.status(payment_id) for payment_id in (*ids, *held, *refunds)]
        ends[order].append(bank.balance()[0])
loaded = sorted(name for name in sys.modules if name.startswith("actors.payment") or name.endswith(".reactions"))
print(json.dumps([ends, loaded]))
"""
ENDS = [
    "completed", "rejected", "completed", "returned", "needs_attention", "needs_attention", "rejected", "rejected",
    "completed", "rejected", "cancelled",
    # refunds: a part, then all of a payment that was given back in part; rejected; in doubt; granted, denied, cancelled
    "completed", "rejected", "rejected", "needs_attention", "completed", "rejected", "cancelled",
    1_000_000 - 3_000 - 600 - 1_000 - 1_000 - 2 * 60_000,
]  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the program and of what the tests drive it with."""
    copy = tmp_path / "tree"
    leave = shutil.ignore_patterns("__pycache__")
    for folder in ("actors", "config", "tests/fakes"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=leave)
    shutil.copy(ROOT / "tests/__init__.py", copy / "tests/__init__.py")
    return copy


def test_choreography_needs_no_payment_service(tree: Path, tmp_path: Path) -> None:
    """Every outcome, with `actors/payment/` deleted."""
    shutil.rmtree(tree / "actors/payment")
    ends, loaded = run(tree, tmp_path / "data", "choreographed")
    assert ends == {"debit-first": ENDS, "screen-first": ENDS}
    assert not [name for name in loaded if name.startswith("actors.payment")]


def test_orchestration_needs_no_reactions(tree: Path, tmp_path: Path) -> None:
    """Every outcome, with every service's `reactions.py` deleted."""
    for path in (tree / "actors").glob("*/reactions.py"):
        path.unlink()
    ends, loaded = run(tree, tmp_path / "data", "orchestrated")
    assert ends == {"debit-first": ENDS, "screen-first": ENDS}
    assert not [name for name in loaded if name.endswith(".reactions")]


def run(tree: Path, data: Path, flow: str) -> tuple[dict[str, list[object]], list[str]]:
    """Pay in that tree, in a process that sees no other; how the payments ended, and which modules were loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(data), flow],
        cwd=tree, env={"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    ends, loaded = json.loads(done.stdout)
    return ends, loaded
