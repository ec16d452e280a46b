"""Reading the runtime's tables for people: dead letters, parked messages. Never writing."""

from __future__ import annotations

from typing import Any

from actors.messaging.codec import moment
from actors.store.session import Reader


def dead_letters(reader: Reader) -> list[dict[str, Any]]:
    """Messages that no handler could take, the oldest first."""
    rows = reader.all("SELECT id, at, actor, payment_id, type, attempts, cause FROM dead_letters ORDER BY at, id")
    return [
        {
            "id": letter_id,
            "at": moment(at).isoformat(),
            "actor": actor,
            "payment_id": payment_id or None,
            "type": kind,
            "attempts": attempts,
            "cause": cause,
        }
        for letter_id, at, actor, payment_id, kind, attempts, cause in rows
    ]


def parked(reader: Reader) -> list[dict[str, Any]]:
    """Messages that wait for another try, and those behind them."""
    rows = reader.all("SELECT actor, conversation, due, attempt, cause FROM parked ORDER BY seq")
    return [
        {
            "actor": actor,
            "conversation": conversation,
            "due": moment(due).isoformat() if due is not None else None,
            "attempt": attempt,
            "cause": cause,
        }
        for actor, conversation, due, attempt, cause in rows
    ]
