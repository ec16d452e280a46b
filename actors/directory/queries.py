"""Reading the directory and the log for people: never from inside a turn, never writing."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from typing import Any

from actors.directory import log
from actors.messaging.message import Message
from actors.store.session import Reader
from actors.vocabulary.money import Money


def timeline(reader: Reader, payment_id: str) -> list[dict[str, Any]]:
    """Everything that was said about one payment, in order, in INTERFACE's names."""
    return [
        {
            "at": record.at.isoformat(),
            "kind": record.envelope.kind,
            "type": type(record.envelope.message).__name__,
            "sender": record.envelope.sender,
            "receiver": ", ".join(record.receivers),
            "message_id": record.envelope.message_id or None,
            "causation_id": record.envelope.causation_id or None,
            "data": plain(record.envelope.message),
        }
        for record in log.timeline(reader, payment_id)
    ]


def subscriptions(reader: Reader) -> list[dict[str, Any]]:
    """Who subscribes to what, with its offset and how many lines it is behind."""
    end = log.end(reader)
    behind: dict[str, int] = dict(reader.all("SELECT subscriber, next_offset FROM readers"))
    rows = reader.all(
        "SELECT subscriber, event_type, source, active, since_offset FROM subscriptions ORDER BY subscriber, event_type"
    )
    return [
        {
            "subscriber": subscriber,
            "event_type": event_type,
            "source": source,
            "active": bool(active),
            "since_offset": since,
            "offset": behind.get(subscriber, end),
            "lag": end - behind.get(subscriber, end),
        }
        for subscriber, event_type, source, active, since in rows
    ]


def plain(value: Any) -> Any:
    """A message as JSON can show it: money as text with its currency, moments in ISO 8601."""
    if isinstance(value, Money):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    if isinstance(value, Message) or is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value
