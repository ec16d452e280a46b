"""Reading the runtime's tables for people: dead letters, parked messages. Never writing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from actors.messaging.codec import moment
from actors.runtime.causes import stable_cause
from actors.store.session import Reader


def dead_letters(reader: Reader) -> list[dict[str, Any]]:
    """Messages that no handler could take, the oldest first; `released`: it waits to be delivered again."""
    rows = reader.all(
        "SELECT id, at, actor, payment_id, type, attempts, cause, id IN (SELECT id FROM released)"
        " FROM dead_letters ORDER BY at, id"
    )
    return [
        {
            "id": letter_id,
            "at": moment(at).isoformat(),
            "actor": actor,
            "payment_id": payment_id or None,
            "type": kind,
            "attempts": attempts,
            "cause": cause,
            "released": bool(released),
        }
        for letter_id, at, actor, payment_id, kind, attempts, cause, released in rows
    ]


def pauses(reader: Reader, kind: str, names: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """What is paused, by name: since when, by whom and why; all of a kind, or those of `names`."""
    if reader.one("SELECT 1 FROM sqlite_master WHERE name = 'pauses'") is None:
        return {}  # a store of before
    among = f" AND name IN ({', '.join('?' * len(names))})" if names else ""
    rows = reader.all(f"SELECT name, at, by, reason FROM pauses WHERE kind = ?{among} ORDER BY name", (kind, *names))
    return {name: {"by": by, "at": moment(at).isoformat(), "reason": reason} for name, at, by, reason in rows}


def put_aside(reader: Reader) -> dict[str, int]:
    """How many messages wait, for each service, for another try or until it is resumed."""
    rows = reader.all("SELECT actor, count(*) FROM parked GROUP BY actor")
    found: Counter[str] = Counter()
    for actor, number in rows:
        found[actor.partition("/")[0]] += number
    return dict(found)


def outbox_sizes(reader: Reader) -> dict[str, int]:
    """How many tasks wait in each outbox, or are with its worker."""
    return dict(reader.all("SELECT name, count(*) FROM outbox GROUP BY name"))


def number_of_dead_letters(reader: Reader) -> int:
    """How many there are."""
    row = reader.one("SELECT count(*) FROM dead_letters")
    return int(row[0]) if row else 0


def by_cause(letters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Dead letters (of any number of cells) grouped by their stable cause, the largest group first."""
    groups: dict[str, dict[str, Any]] = {}
    for letter in letters:
        cause = stable_cause(letter["actor"], letter["type"], letter["cause"])
        group = groups.get(cause)
        if group is None:
            group = groups[cause] = {
                "cause": cause,
                "count": 0,
                "released": 0,
                "first_at": letter["at"],
                "last_at": letter["at"],
                "sample": {name: letter[name] for name in ("id", "payment_id", "cause")},
            }
        group["count"] += 1
        group["released"] += letter["released"]
        group["first_at"] = min(group["first_at"], letter["at"])
        group["last_at"] = max(group["last_at"], letter["at"])
    return sorted(groups.values(), key=lambda group: (-group["count"], group["first_at"], group["cause"]))


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
