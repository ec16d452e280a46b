"""What a handler did, collected while it runs; the turn lets it take effect only if the handler returns."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from actors.messaging.codec import type_names
from actors.messaging.envelope import CHOREOGRAPHED, COMMAND, EVENT, HERE, ORCHESTRATED, TIMER, Envelope, kind_of
from actors.messaging.message import Event, Message, Task, Tick
from actors.runtime.clock import Ids
from actors.runtime.service import Service
from actors.vocabulary.slots import SLOTS

CLIENT = "client/"  # a target of this prefix is a client of the gateway
UNLOGGED = ""  # the id of a reply to a client that concerns no payment: it takes no place in the log
OUTBOX = "outbox/"  # a target of this prefix is an outbox: a worker outside the turn gets the task

_kinds: dict[type[Message], str] = {}


def _kind(message: Message) -> str:
    """The kind of a class that is sent for the first time; one that the codec doesn't know fails in its handler."""
    cls = type(message)
    if type_names.get(cls.__name__) is not cls:
        raise TypeError(f"{cls.__name__} is not registered: nobody could decode it")
    _kinds[cls] = kind_of(message)
    return _kinds[cls]


class Effects:
    """The `Turn` of `actors.runtime.service`, one object for all handlers of a turn, emptied before each.

    `number` is the log position that the next envelope gets; positions taken by a handler that raises are
    given back, so that the log has no gaps.
    """

    __slots__ = (
        "_cell", "_ids", "actor", "envelope", "kept", "now", "number", "outgoing", "start", "timers",
    )  # fmt: skip

    def __init__(self, cell: str, ids: Ids) -> None:
        self._cell = cell
        self._ids = ids
        self.actor = ""
        self.start = 0
        self.number = 0
        self.envelope: Envelope
        self.now: datetime
        self.outgoing: list[Envelope] = []
        self.timers: list[tuple[str, datetime | None, Envelope]] = []
        self.kept: Service | None = None

    def begin(self, actor: str, envelope: Envelope) -> None:
        """The next handler starts: `actor` takes `envelope`."""
        self.actor = actor
        self.envelope = envelope
        self.start = self.number
        self.clear()

    def clear(self) -> None:
        """Forget what was collected; the turn has taken it."""
        if self.outgoing:
            self.outgoing = []
        if self.timers:
            self.timers = []

    def take_back(self) -> None:
        """The handler raised: nothing of what it did counts, and its numbers are free again."""
        self.number = self.start
        self.kept = None
        self.clear()

    @property
    def reply_to(self) -> str:
        """See `Turn.reply_to`."""
        envelope = self.envelope
        return "" if envelope.kind == EVENT else envelope.sender

    def answer(self, outcome: Message, to: str | None = None, *, workflow: str = "") -> None:
        """See `Turn.answer`."""
        envelope = self.envelope
        if to is None:
            to = "" if envelope.kind == EVENT else envelope.sender
        if to:
            flow = "" if to[:7] == CLIENT else ORCHESTRATED
            self._add(outcome, to, flow, workflow or envelope.workflow, HERE)
        else:
            self._publish(outcome, envelope.payment_id, CHOREOGRAPHED, workflow or envelope.workflow)

    def send(self, target: str, message: Message, *, slot: int | None = None, payment_id: str = "") -> None:
        """See `Turn.send`."""
        envelope = self.envelope
        flow, workflow = envelope.flow, envelope.workflow
        if slot is not None and not HERE <= slot < SLOTS:
            raise ValueError(f"there is no slot {slot}")
        self._add(message, target, flow, workflow, HERE if slot is None else slot, payment_id)

    def publish(self, event: Event, *, payment_id: str = "", flow: str = "", workflow: str = "") -> None:
        """See `Turn.publish`."""
        envelope = self.envelope
        self._publish(event, payment_id or envelope.payment_id, flow or envelope.flow, workflow or envelope.workflow)

    def timer(self, key: str, after: timedelta, tick: Tick) -> None:
        """See `Turn.timer`."""
        envelope = self.envelope
        timed = Envelope(
            "", tick, TIMER, self.actor, self.actor, envelope.payment_id, envelope.message_id,
            0, envelope.flow, envelope.workflow, envelope.trace,
        )  # fmt: skip
        self.timers.append((key, self.now + after, timed))

    def cancel_timer(self, key: str) -> None:
        """See `Turn.cancel_timer`."""
        self.timers.append((key, None, self.envelope))

    def hand_over(self, outbox: str, task: Task) -> None:
        """See `Turn.hand_over`."""
        envelope = self.envelope
        message_id = envelope.message_id
        if task.logged:
            message_id = f"{self._cell}.{self.number}"
            self.number += 1
        self.outgoing.append(Envelope(
            message_id, task, COMMAND, self.actor, OUTBOX + outbox, envelope.payment_id,
            envelope.message_id, 0, envelope.flow, envelope.workflow, envelope.trace,
        ))  # fmt: skip

    def keep(self, actor: Service) -> None:
        """See `Turn.keep`."""
        self.kept = actor

    def take_up(self, envelope: Envelope) -> None:
        """See `Turn.take_up`."""
        self.envelope = envelope

    def new_id(self, prefix: str, slot: int) -> str:
        """See `Turn.new_id`."""
        return self._ids.new_id(prefix, slot, self.now)

    def new_uuid(self) -> str:
        """See `Turn.new_uuid`."""
        return self._ids.new_uuid()

    def _add(self, message: Message, target: str, flow: str, workflow: str, slot: int, payment_id: str = "") -> None:
        envelope = self.envelope
        kind = _kinds.get(type(message)) or _kind(message)
        payment_id = payment_id or envelope.payment_id
        if not message.logged:
            message_id = envelope.message_id  # so what comes of it names the logged message behind it as its cause
        elif payment_id or target[:7] != CLIENT:
            number = self.number
            self.number = number + 1
            message_id = f"{self._cell}.{number}"
        else:
            message_id = UNLOGGED
        self.outgoing.append(Envelope(
            message_id, message, kind, self.actor, target, payment_id,
            envelope.message_id, 0, flow, workflow, envelope.trace, slot,
        ))  # fmt: skip

    def _publish(self, event: Any, payment_id: str, flow: str, workflow: str) -> None:
        if type(event) not in _kinds:
            _kind(event)
        envelope = self.envelope
        number = self.number
        self.number = number + 1
        self.outgoing.append(Envelope(
            f"{self._cell}.{number}", event, EVENT, self.actor, "", payment_id,
            envelope.message_id, 0, flow, workflow, envelope.trace,
        ))  # fmt: skip
