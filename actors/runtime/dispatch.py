"""Finds the actor and the handler for an envelope, and runs it; what becomes of it is the turn's business."""

from __future__ import annotations

from typing import Any

from thespian.actors import ActorAddress

from actors.directory.reaction import On
from actors.directory.subscriptions import Subscriptions
from actors.messaging.envelope import EVENT, Envelope
from actors.messaging.message import Event
from actors.messaging.system_messages import Failed
from actors.runtime.inprocess import InProcessSystem
from actors.runtime.service import Delivery, Turn


class Dispatch:
    """Over a cell's actors and its directory; every handler gets the same `turn`."""

    def __init__(self, system: InProcessSystem, subscriptions: Subscriptions, turn: Turn) -> None:
        self._system = system
        self._subscriptions = subscriptions
        self._turn = turn
        self._addresses: dict[str, ActorAddress] = {}  # of services; their children are too many to keep

    def handle(self, target: str, envelope: Envelope, on: On | None) -> bool:
        """Run the handler; false where there is none."""
        ref = self._system.actorRegistry.get(target)
        if ref is None:
            ref = self._system.find(target)
            if ref is None:
                return False
        instance = ref.instance
        message = envelope.message
        if on is None and envelope.kind == EVENT:
            # A delivery without its reaction in hand: a parked event, a dead letter retried, a plain subscriber.
            return self._handle_event(target, envelope, instance)
        if on is not None:
            made = on.make(message)
            if made is None:
                return True
            message = made
        handler = instance.handlers.get(type(message))
        if handler is None:
            return isinstance(message, Failed | Event) and on is None
        sender = self._addresses.get(envelope.sender)
        if sender is None:
            sender = ActorAddress(envelope.sender)
            if self._system.is_service(envelope.sender):
                self._addresses[envelope.sender] = sender
        instance.receiveMessage(Delivery(handler, message, self._turn), sender)
        return True

    def _handle_event(self, target: str, envelope: Envelope, instance: Any) -> bool:
        # It was a subscriber when it got the event: what waited for another try is its own even if it no longer is.
        mine: list[On | None] = []
        mine += self._subscriptions.reactions_of(target, type(envelope.message), envelope.flow, envelope.workflow)
        address = ActorAddress(envelope.sender)
        for on in mine or [None]:
            message = envelope.message if on is None else on.make(envelope.message)
            handler = None if message is None else instance.handlers.get(type(message))
            if message is not None and handler is not None:
                instance.receiveMessage(Delivery(handler, message, self._turn), address)
        return True
