"""A whole comparison as `compare` makes it, with made-up measurements and the real code's figures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from actors.admin.compare.books import Books, check
from actors.admin.compare.changes import changes
from actors.admin.compare.knowledge import knowledge
from actors.admin.compare.source import FLOWS
from actors.topology import SERVICES

ROOT = Path(__file__).parents[2]


def some_books(extra: int = 0) -> Books:
    """A payment's postings, `extra` of minor units away from what they should be."""
    return Books(
        {"compare-1": "completed"}, {"A-1": (-500 + extra, 0)}, Counter({("compare-1", "A-1", "debit", -500, "EUR"): 1})
    )


def comparison(ledger: dict[str, Any] | None = None) -> dict[str, Any]:
    """The document."""
    figures = ("messages", "commands", "replies", "events", "timers", "deliveries", "commits", "bytes")
    measured = {
        "payments_per_s": 1_234,
        "payments_per_s_of_each_run": [1_230, 1_234, 1_300],
        "latency_ms": {"p50": 2.5, "p99": 9.75},
        "per_payment": dict.fromkeys(figures, 1.0),
        "commits_singly": 2.0,
        "recovery": {"payments": 60, "in_flight": 30, "serving_s": 0.2, "all_ended_s": 1.25},
    }
    stuck = {
        "fault": "AML's handler raises", "flow": FLOWS[0], "status": "needs_attention", "reason": "NARR",
        "reason_text": "the <reaction> of aml & co failed", "after_s": 1.5, "debit": "pending",
        "needs_a_person": True, "dead_letter": True, "last_in_timeline": "ReactionFailed",
    }  # fmt: skip
    return {
        "at": "2026-01-05T08:00:00+00:00",
        "machine": {
            "cores": 2, "processor": "a processor", "memory_mb": 4_096, "system": "Linux", "python": "3.11",
            "load_before": 0.5, "durability": "synchronous=FULL", "topology": "embedded",
        },
        "payments": 60,
        "ledger": ledger or check({flow: some_books() for flow in FLOWS}, {flow: [] for flow in FLOWS}),
        "measured": dict.fromkeys(FLOWS, measured),
        "knowledge": knowledge(ROOT, SERVICES),
        "changes": changes(ROOT, SERVICES),
        "stuck": {"deadlines_factor": 0.1, "found": [stuck]},
        "seconds": 1.0,
    }  # fmt: skip
