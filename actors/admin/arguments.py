"""Kinds of argument: what each accepts, and by its function how the admin shell completes it."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LARGEST_COUNT: Final = 1_000_000_000
LONGEST_REASON: Final = 500
LONGEST_NAME: Final = 100
FLOWS: Final = ("orchestrated", "choreographed")
TOPOLOGIES: Final = ("embedded", "partitioned", "isolated")
STATUSES: Final = (
    "received",
    "debiting",
    "screening",
    "held",
    "executing",
    "compensating",
    "completed",
    "rejected",
    "cancelled",
    "returned",
    "needs_attention",
)


def file(text: str) -> Path:
    """A file; completed as a path."""
    return Path(text).expanduser()


def account_id(text: str) -> str:
    """An account; completed from the accounts that exist."""
    return text


def payment_id(text: str) -> str:
    """A payment; completed from the latest payments."""
    return text.strip()


def case_id(text: str) -> str:
    """An open review case; completed from those."""
    return text.strip()


def approval_id(text: str) -> str:
    """A payment that waits for people to agree; completed from those."""
    return text.strip()


def batch_id(text: str) -> str:
    """A submitted file; completed from those."""
    return text.strip()


def dead_letter_id(text: str) -> str:
    """A dead letter; completed from those."""
    return text.strip()


def job_id(text: str) -> str:
    """A job over payments; completed from those."""
    return text.strip()


def workflow(text: str) -> str:
    """A workflow (`NAME`, its newest version, or `NAME@V`) or a chain; completed from those in the code."""
    return text.strip()


def version(text: str) -> str:
    """A workflow's version as `NAME@V`; completed from those in the code."""
    return text.strip()


def action_id(text: str) -> str:
    """A job that waits for a second person; completed from those."""
    return text.strip()


def service(text: str) -> str:
    """A service that can be paused; completed from those."""
    return text.strip()


def step(text: str) -> str:
    """A step of a workflow; completed from those that the program has."""
    return text.strip()


def subscriber(text: str) -> str:
    """A subscriber; completed from the directory."""
    return text.strip()


def process_or_actor(text: str) -> str:
    """A process (`cell-0`) or an actor (`ledger`, `payment/<id>`); completed from those that run."""
    return text.strip()


def seconds(text: str) -> float:
    """A span of time in seconds, more than nothing."""
    value = _number(text)
    if value is None or not 0 < value < 10**9:
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a number of seconds above 0")
    return value


def count(text: str) -> int:
    """A whole number from 1."""
    value = _whole(text)
    if value is None or not 1 <= value <= LARGEST_COUNT:
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a whole number from 1 to {LARGEST_COUNT}")
    return value


def few(text: str) -> int:
    """A whole number from 1 to 64."""
    value = _whole(text)
    if value is None or not 1 <= value <= 64:
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a whole number from 1 to 64")
    return value


def seed(text: str) -> int:
    """A seed: a whole number from 0."""
    value = _whole(text)
    if value is None or not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{text[:30]} is no seed, a whole number from 0 to 2^63 - 1")
    return value


def factor(text: str) -> float:
    """A number from 0 to 100."""
    value = _number(text)
    if value is None or not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a number from 0 to 100")
    return value


def key(text: str) -> str:
    """An idempotency key: an empty one is most likely a variable that was not set."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the key is empty; leave --key out to have one made")
    return text


def reason(text: str) -> str:
    """A person's reason, as it is kept and shown: words, no control characters."""
    if not text.strip():
        raise argparse.ArgumentTypeError("give the reason in words")
    if len(text) > LONGEST_REASON or not text.isprintable():
        raise argparse.ArgumentTypeError(f"a reason is one line of at most {LONGEST_REASON} characters")
    return text


def person(text: str) -> str:
    """A person's name, as it is kept and shown."""
    if not text.strip() or len(text) > LONGEST_NAME or not text.isprintable():
        raise argparse.ArgumentTypeError(f"a name is 1 to {LONGEST_NAME} characters on a line")
    return text.strip()


def offset(text: str) -> int:
    """A position in the log: a whole number from 0."""
    value = _whole(text)
    if value is None or value < 0:
        raise argparse.ArgumentTypeError(f"{text[:30]} is not a position in the log, a whole number from 0")
    return value


def point_in_time(text: str) -> datetime:
    """A moment: `2030-01-31`, `2030-01-31T12:00` (UTC unless it says otherwise), or `15m`, `2h`, `3d` ago."""
    ago = re.fullmatch(r"(\d{1,6})([smhd])", text.strip())
    if ago:
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a moment such as 2030-01-31T12:00 nor a time ago such as 15m, 2h or 3d"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def setting(text: str) -> tuple[str, str]:
    """`section.name=value`."""
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not key=value, such as ledger.hold_seconds=3600")
    return name.strip(), value.strip()


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
