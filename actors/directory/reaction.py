"""A reaction as data: which event makes a service do which of its own commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from actors.messaging.envelope import CHOREOGRAPHED, ORCHESTRATED
from actors.messaging.message import Event, Message

BOTH_FLOWS: Final = (CHOREOGRAPHED, ORCHESTRATED)
ANY_ORDER: Final = "*"  # the key of reactions that don't depend on the order of steps


@dataclass(frozen=True, slots=True)
class On:
    """On `event`, do `command`: `make` turns the event into it, or into None where there is nothing to do.

    The service handles the command exactly as if it had been sent one, and what comes of it is published.
    `may_be_idle` says why it also does so where the orchestrated flow, which knows more, would ask for nothing.
    """

    event: type[Event]
    command: type[Message]
    make: Callable[[Any], Message | None]
    flows: tuple[str, ...] = (CHOREOGRAPHED,)
    may_be_idle: str = ""


# Each service's reactions.py holds one of these: per order of steps (`debit-first`, `screen-first`, `*`).
Reactions = Mapping[str, tuple[On, ...]]
