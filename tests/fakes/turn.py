"""A hand-written turn for tests of one service: delivers messages to it and keeps what it sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from actors.assembly import offers
from actors.messaging.envelope import CHOREOGRAPHED, COMMAND, EVENT, ORCHESTRATED, Envelope
from actors.messaging.message import Message
from actors.runtime.service import CellContext, Service
from actors.store.sqlite import SqliteSession
from config.settings import Settings

SAGA = "payment/P1-00"


@dataclass
class FakeTurn:
    """Implements `actors.runtime.service.Turn`; what the handler did is in the lists."""

    bench: ServiceBench
    envelope: Envelope
    now: datetime
    answers: list[Message] = field(default_factory=list)  # replies and publications of outcomes
    answered_to: list[str] = field(default_factory=list)  # "" where published
    sent: list[tuple[str, Message]] = field(default_factory=list)
    published: list[Message] = field(default_factory=list)
    timers: dict[str, tuple[timedelta, Message] | None] = field(default_factory=dict)
    tasks: list[tuple[str, Message]] = field(default_factory=list)

    @property
    def reply_to(self) -> str:
        return "" if self.envelope.kind == EVENT else self.envelope.sender

    def answer(self, outcome: Message, to: str | None = None, *, workflow: str = "") -> None:
        self.answers.append(outcome)
        self.answered_to.append(self.reply_to if to is None else to)

    def send(self, target: str, message: Message, *, slot: int | None = None, payment_id: str = "") -> None:
        self.sent.append((target, message))

    def publish(self, event: Any, *, payment_id: str = "", flow: str = "", workflow: str = "") -> None:
        self.published.append(event)

    def timer(self, key: str, after: timedelta, tick: Any) -> None:
        self.timers[key] = (after, tick)

    def cancel_timer(self, key: str) -> None:
        self.timers[key] = None

    def hand_over(self, outbox: str, task: Any) -> None:
        self.tasks.append((outbox, task))

    def keep(self, actor: Service) -> None:
        actor.write_back(self)

    def take_up(self, envelope: Envelope) -> None:
        self.envelope = envelope

    def new_id(self, prefix: str, slot: int) -> str:
        self.bench.ids += 1
        return f"{prefix}{self.bench.ids:06d}-{slot:02x}"

    def new_uuid(self) -> str:
        self.bench.ids += 1
        return f"00000000-0000-4000-8000-{self.bench.ids:012d}"


class ServiceBench:
    """One service over an in-memory store. `tell` commands it, `hear` lets it react as in the choreographed flow."""

    def __init__(self, service: type[Service], settings: Settings | None = None, **resources: Any) -> None:
        self.session = SqliteSession.in_memory()
        self.session.migrate(service.migrations)
        self.session.begin()
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        self.ids = 0
        self.told = 0
        self.service = service()
        self.service.prepare(
            CellContext("cell-0", settings or Settings(), self.session, resources, frozenset(range(64)), offers())
        )

    def tell(
        self,
        message: Message,
        *,
        sender: str = SAGA,
        payment_id: str = "P1-00",
        kind: str = COMMAND,
        again: bool = False,
    ) -> FakeTurn:
        """Deliver `message` as a command from `sender`; returns the turn with what the handler did.

        With `again` it is the message before, delivered once more; otherwise a new one.
        """
        self.told += not again
        envelope = Envelope(
            f"m-{self.told}",
            message,
            kind,
            sender,
            self.service.name,
            payment_id,
            flow=ORCHESTRATED,
            workflow="debit-first",
        )
        return self._run(message, envelope)

    def hear(self, command: Message, *, payment_id: str = "P1-00", workflow: str = "debit-first") -> FakeTurn:
        """Deliver `command` as what a reaction made of an event: its outcome is published."""
        envelope = Envelope("m-1", command, EVENT, "elsewhere", "", payment_id, flow=CHOREOGRAPHED, workflow=workflow)
        return self._run(command, envelope)

    def _run(self, message: Message, envelope: Envelope) -> FakeTurn:
        turn = FakeTurn(self, envelope, self.now)
        self.session.guard()
        try:
            self.service.handlers[type(message)](self.service, message, turn)
        except BaseException:
            self.session.take_back()
            raise
        self.session.release()
        return turn
