"""Which payments are stuck: nothing moves them by itself any more, or nothing has for too long. The one definition.

Stuck is what needs a person's attention (in doubt, a review overdue, a reaction in the dead letters, facts that
contradict each other) and what has not moved for longer than the tracker is patient.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from actors.messaging.codec import micros

OVERDUE: Final = "overdue"  # the reason of what has only not moved for too long


def stuck(now: datetime) -> tuple[str, tuple[Any, ...]]:
    """The condition on `tracker_payments`, with its parameters; each part has an index of its own."""
    return "(rare = 'needs_attention' OR (deadline IS NOT NULL AND deadline < ?))", (micros(now),)


def not_stuck(now: datetime) -> tuple[str, tuple[Any, ...]]:
    """The opposite; never unknown."""
    return "((rare IS NULL OR rare <> 'needs_attention') AND (deadline IS NULL OR deadline >= ?))", (micros(now),)
