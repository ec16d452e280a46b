"""Puts into the mail what a turn is to handle: what came from clients, peers and workers, and what is due by now."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any, Final

from actors.directory.subscriptions import Subscriptions
from actors.messaging.codec import CannotDecode, envelope_from
from actors.messaging.envelope import COMMAND, OPERATOR, Envelope
from actors.messaging.frames import FrameContent
from actors.messaging.system_messages import Failed, LinesSeen
from actors.runtime.consequences import Consequences
from actors.runtime.delivery import Delivery
from actors.runtime.effects import CLIENT, Effects
from actors.runtime.inputs import Inputs
from actors.runtime.letters import Letters
from actors.runtime.links import Links
from actors.runtime.observers import Observers
from actors.runtime.outbox import Outboxes
from actors.runtime.pauses import Pauses
from actors.runtime.retries import Backoff, Retries, conversation
from actors.runtime.service import Answer
from actors.runtime.standstill import Standstill
from actors.runtime.timers import Timers

AT_ONCE: Final = 512  # timers, and parked messages, of one turn
SENDER: Final = Envelope._fields.index("sender")


class Intake:
    """One cell's."""

    def __init__(
        self, *, cell: str, effects: Effects, consequences: Consequences, delivery: Delivery, observers: Observers,
        letters: Letters, retries: Retries, timers: Timers, outboxes: Outboxes, links: Links,
        subscriptions: Subscriptions, pauses: Pauses, standstill: Standstill, chance: Random, backoff: Backoff,
    ) -> None:  # fmt: skip
        self._cell = cell
        self._effects = effects
        self._consequences = consequences
        self._delivery = delivery
        self._observers = observers
        self._letters = letters
        self._retries = retries
        self._timers = timers
        self._outboxes = outboxes
        self._links = links
        self._subscriptions = subscriptions
        self._pauses = pauses
        self._standstill = standstill
        self._chance = chance
        self._backoff = backoff
        self._mail = consequences.mail

    def take(self, inputs: Inputs, now: datetime) -> None:
        """Put the inputs into the mail, in their order, and then what is due, unless they are `alone`."""
        for name, answer in inputs.answers:
            self._admit_answer(name, answer)
        for peer, content in inputs.links:
            self._admit_frame(peer, content)
        for envelope in inputs.envelopes:
            self._admit(envelope)
        for fields, reason in inputs.refused:
            self._refuse(fields, reason)
        self._condemn(inputs)
        if inputs.alone:
            timers, parked = self._timers.take(inputs.timers), inputs.parked
        else:
            timers = self._timers.take_due(now, AT_ONCE)
            self.release_letters()
            parked = self._retries.take_due(now, AT_ONCE, self._chance.random)
        for envelope in timers:
            if not self._pauses.active or not self._standstill.puts_off(envelope):
                self._admit(envelope)
        for each in parked:
            self._delivery.deliver(each.actor, each.envelope, None, each)
        if self._subscriptions.lagging and not (inputs.alone and inputs.suspect()):
            self._observers.catch_up(inputs.lines)
        if self._outboxes.hungry:
            self._outboxes.refill()

    def release_letters(self) -> int:
        """Have the next dead letters that a person wants retried delivered again; how many can't be read.

        They go the way of every delayed retry (in their order, within the budget, found out if they end the
        process), with no further one to come: what fails again is a dead letter again.
        """
        letters, unreadable = self._retries.exhume(self._effects.now)
        for actor, envelope in letters:
            if self._observers.take_up(actor, envelope):
                continue
            behind = (actor, conversation(envelope)) in self._retries.conversations
            due = None if behind else self._effects.now
            attempt = self._backoff.attempts
            self._retries.park(actor, envelope, due=due, attempt=attempt, cause="retried by a person")
        return unreadable

    def _admit(self, envelope: Envelope) -> None:
        """Take an envelope that comes from outside the cell, or from a timer."""
        if envelope.payment_id and envelope.message.logged:
            if envelope.kind == COMMAND and envelope.sender[:7] == CLIENT:
                envelope = envelope._replace(kind=OPERATOR)
            self._consequences.note(envelope)
        self._mail.append((envelope.target, envelope, None))

    def _refuse(self, fields: list[Any], reason: str) -> None:
        """Tell a client that what it sent can't be read; where not even its name can be read, nobody is told."""
        if not isinstance(fields, list):
            return
        message_id, sender = (str(fields[at]) if len(fields) > at else "" for at in (0, SENDER))
        if sender[:7] == CLIENT:
            failed = Failed(failed_message_id=message_id, failed_type="", cause=reason)
            self._consequences.replies.append(Envelope("", failed, "reply", self._cell, sender, "", message_id))

    def _condemn(self, inputs: Inputs) -> None:
        """Bury inputs that have ended the process before; their places in links and outboxes are used up."""
        before = len(self._mail)
        for peer, content in inputs.condemned_links:
            self._admit_frame(peer, content, condemned=True)
        for name, answer in inputs.condemned_answers:
            self._admit_answer(name, answer)
        condemned = [self._mail.pop()[1] for _ in range(len(self._mail) - before)]
        timers = self._timers.take(inputs.condemned_timers)
        for envelope in [*reversed(condemned), *inputs.buried, *timers]:
            self._letters.bury(envelope.target, envelope, 1, inputs.cause)
        for parked in inputs.condemned_parked:
            self._letters.bury(parked.actor, parked.envelope, parked.attempt, inputs.cause)
            self._retries.done(parked, self._effects.now)

    def _admit_frame(self, peer: str, content: FrameContent, *, condemned: bool = False) -> None:
        """What a peer sends stands in its own log already, and gets no second line here."""
        self._links.acknowledge(peer, content.acknowledged)
        for fields in self._links.take(peer, content):
            try:
                envelope = envelope_from(fields)
                if isinstance(envelope.message, LinesSeen) and not condemned:
                    self._observers.see(envelope.target, envelope.message)
                else:
                    self._mail.append((envelope.target, envelope, None))
            except CannotDecode as error:
                self._letters.bury_unread(peer, fields, str(error))  # the peer counts it as delivered

    def _admit_answer(self, outbox: str, answer: Answer) -> None:
        origin = None
        if answer.finishes is not None:
            origin = self._outboxes.origin(outbox, answer.finishes)
            self._outboxes.finish(outbox, answer.finishes)
        for at, result in enumerate(answer.results):
            cause, flow, workflow = "", "", ""
            if origin is not None:
                cause, flow, workflow = origin.message_id, origin.flow, origin.workflow
            envelope = Envelope(
                f"{outbox}/{self._effects.number}/{at}", result, "reply", outbox, answer.target, answer.payment_id,
                cause, 0, flow, workflow,
            )  # fmt: skip
            if answer.payment_id:
                self._consequences.note(envelope)
            self._mail.append((answer.target, envelope, None))
