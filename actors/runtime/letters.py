"""Dead letters as a turn makes them: a message that nobody could take is kept with its cause, and who waits hears so.

Where they are stored, and which of them people want delivered again, is the business of `retries.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from actors.directory.messages import ReactionFailed
from actors.messaging.envelope import COMMAND, OPERATOR, Envelope
from actors.messaging.message import Message
from actors.messaging.system_messages import Failed
from actors.runtime.clock import Ids
from actors.runtime.consequences import Consequences
from actors.runtime.counters import Counters
from actors.runtime.effects import CLIENT, Effects
from actors.runtime.retries import Retries
from actors.runtime.service import Handler


class Letters:
    """One cell's. `slot` is one of its own, for the letters' ids; `handlers_of` knows what an actor handles."""

    def __init__(
        self, *, cell: str, slot: int, effects: Effects, consequences: Consequences, retries: Retries, ids: Ids,
        handlers_of: Callable[[str], Mapping[type[Message], Handler] | None], counters: Counters,
    ) -> None:  # fmt: skip
        self._slot = slot
        self._effects = effects
        self._consequences = consequences
        self._retries = retries
        self._ids = ids
        self._handlers_of = handlers_of
        self._counters = counters
        self._log = structlog.get_logger("cell").bind(cell=cell)

    def bury(
        self, actor: str, envelope: Envelope, attempts: int, cause: str, *, letter: Envelope | None = None
    ) -> None:
        """Give a message up: into the dead letters (as `letter`, where that is another), and whoever waits hears so."""
        effects = self._effects
        letter_id = self._next_id()
        self._retries.bury(letter_id, actor, letter or envelope, now=effects.now, attempts=attempts, cause=cause)
        name = type(envelope.message).__name__
        self._log.error(
            "dead letter", id=letter_id, actor=actor, type=name, cause=cause, payment_id=envelope.payment_id or None
        )
        effects.begin(actor, envelope)
        if envelope.kind in (COMMAND, OPERATOR) and self._hears_failures(envelope.sender):
            effects.answer(Failed(failed_message_id=envelope.message_id, failed_type=name, cause=cause))
        elif envelope.payment_id and not isinstance(envelope.message, ReactionFailed):  # or it would go on for ever
            effects.publish(ReactionFailed(subscriber=actor, event_type=name, dead_letter_id=letter_id, cause=cause))
        self._consequences.take()

    def bury_unread(self, peer: str, fields: list[Any], cause: str) -> None:
        """Keep what a peer sent and this program can't decode: one that knows it may take it up again."""
        letter_id = self._next_id()
        self._log.error("dead letter", id=letter_id, peer=peer, cause=cause)
        self._retries.bury_unread(letter_id, fields, now=self._effects.now, cause=cause)

    def _next_id(self) -> str:
        self._counters.buried += 1
        return self._ids.new_id("D", self._slot, self._effects.now)

    def _hears_failures(self, sender: str) -> bool:
        """Whether whoever sent a command does something about its failure; else the payment's watchers must."""
        handlers = None if sender[:7] == CLIENT else self._handlers_of(sender)
        return handlers is None or Failed in handlers
