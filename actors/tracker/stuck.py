"""Which payments are stuck: nothing moves them by itself any more, or nothing has for too long. The one definition.

Stuck is what needs a person's attention (in doubt, a review overdue, a reaction in the dead letters, facts that
contradict each other), what has not moved for longer than the tracker is patient, and what a person has paused and
left so for long. Each of the three is found by an index.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from actors.messaging.codec import micros

PAUSED_FOR_LONG: Final = timedelta(hours=1)
PAUSED: Final = "SELECT name FROM pauses WHERE kind = 'payment'"  # every cell knows of every pause

# What is counted for a payment that has no reason code.
NO_CODE: Final = "no code"
OVERDUE: Final = "overdue"
PAUSED_LONG: Final = "paused"

_ATTENTION: Final = "rare = 'needs_attention'"
_LATE: Final = "deadline IS NOT NULL AND deadline < ?"
_LEFT: Final = f"payment_id IN ({PAUSED} AND at < ?)"
WHY: Final = f"""CASE WHEN {_ATTENTION} THEN coalesce(reason, '{NO_CODE}') WHEN payment_id IN ({PAUSED})
    THEN '{PAUSED_LONG}' ELSE '{OVERDUE}' END"""


def stuck(now: datetime) -> tuple[str, tuple[Any, ...]]:
    """The condition on `tracker_payments`, with its parameters."""
    return f"({_ATTENTION} OR ({_LATE}) OR {_LEFT})", (micros(now), micros(now - PAUSED_FOR_LONG))


def not_stuck(now: datetime) -> tuple[str, tuple[Any, ...]]:
    """The opposite; never unknown."""
    sql = (
        "((rare IS NULL OR rare <> 'needs_attention') AND (deadline IS NULL OR deadline >= ?)"
        f" AND payment_id NOT IN ({PAUSED} AND at < ?))"
    )
    return sql, (micros(now), micros(now - PAUSED_FOR_LONG))
