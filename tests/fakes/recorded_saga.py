"""A saga played by hand, and the lines that the cells' logs would have of it, as `workflow check` reads them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from actors.directory.messages import ReactionFailed
from actors.messaging.envelope import EVENT, Envelope, kind_of
from actors.messaging.message import Message
from actors.payment.definition import Workflow
from actors.payment.engine import advance, start
from actors.payment.journal import Line
from actors.payment.messages import PauseSaga, ResumeSaga, SagaSteered, SteerSaga
from actors.payment.model import Decision
from actors.payment.steering import steer
from actors.vocabulary.operators import PAUSE, RESUME
from tests.fakes.workflow_script import NOW, an_order

HOME = "payment-0"  # the saga's own cell
STEERING = {PauseSaga: PAUSE, ResumeSaga: RESUME}


class RecordedSaga:
    """What is `sent` is in its sender's log at once; the saga takes it when the test says so. Each takes a second."""

    def __init__(self, workflow: Workflow, **facts: Any) -> None:
        self.order = an_order(workflow=workflow.name, workflow_version=workflow.version, **facts)
        self.saga = f"payment/{self.order.payment_id}"
        self.route = workflow.route(self.order)
        self.lines: list[Line] = []
        self._now = NOW
        self._numbers: dict[str, int] = {}
        self._carry_out("requested", start(self.route, self.order, self._now))

    def sent(self, message: Message, cell: str) -> Envelope:
        """A message to the saga leaves an actor of this cell; a person's command leaves for the service `payment`."""
        self._now += timedelta(seconds=1)
        target = "payment" if message.by_person else self.saga
        return self._log(cell, message, kind_of(message), cell, target, "")

    def takes(self, *envelopes: Envelope) -> None:
        """The saga takes these messages now, in one turn."""
        self._now += timedelta(seconds=1)
        for envelope in envelopes:
            message: Any = envelope.message
            if type(message) not in STEERING:
                self._carry_out(envelope.message_id, advance(self.route, self.state, message, self._now))
                continue
            action = STEERING[type(message)]
            command = SteerSaga(
                payment_id=self.order.payment_id, action=action, argument="", by="", reason="", asks="client/1"
            )
            decision, done = steer(self.route, self.state, command, self._now)
            self._carry_out(envelope.message_id, decision)
            answer = SagaSteered(payment_id=self.order.payment_id, action=action, done=done)
            self._log(HOME, answer, kind_of(answer), self.saga, "client/1", envelope.message_id)

    def hears(self, message: Message, cell: str) -> None:
        """A message is sent, and taken before anything else happens."""
        self.takes(self.sent(message, cell))

    def repeats(self, envelope: Envelope) -> None:
        """A client sends it again, under its id."""
        self._now += timedelta(seconds=1)
        cell = envelope.sender
        number = self._numbers[cell] = self._numbers.get(cell, 0) + 1
        self.lines.append(Line((self._now, cell, number), envelope))

    def buries(self, envelope: Envelope) -> None:
        """The saga could not take it; the runtime says so in its name."""
        name = type(envelope.message).__name__
        failure = ReactionFailed(subscriber=self.saga, event_type=name, dead_letter_id="D1", cause="it rains")
        self._log(HOME, failure, EVENT, self.saga, "", envelope.message_id)

    def _carry_out(self, cause: str, decision: Decision) -> None:
        self.state = decision.state
        for target, command in decision.sends:
            self._log(HOME, command, kind_of(command), self.saga, target, cause)
        for event in decision.events:
            self._log(HOME, event, EVENT, self.saga, "", cause)

    def _log(self, cell: str, message: Message, kind: str, sender: str, target: str, cause: str) -> Envelope:
        number = self._numbers[cell] = self._numbers.get(cell, 0) + 1
        envelope = Envelope(f"{cell}.{number}", message, kind, sender, target, self.order.payment_id, cause)
        self.lines.append(Line((self._now, cell, number), envelope))
        return envelope
