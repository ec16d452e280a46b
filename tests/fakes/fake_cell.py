"""A cell's core without payments: takes the gateway's frames and answers each envelope in a way a test can foresee."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from actors.disbursement import messages as disbursement
from actors.disbursement.messages import OrderRefused, PaymentAccepted, SubmitPayment
from actors.messaging import codec, system_messages
from actors.messaging.envelope import REPLY, Envelope
from actors.messaging.frames import GATEWAY, FrameContent, pack_frame, unpack_frame
from actors.messaging.message import Message
from actors.messaging.system_messages import ActorKilled, Await, Awaited, DropDeadLetter, KillActor
from actors.vocabulary.slots import SLOTS, slot_of

codec.register_module(system_messages)
codec.register_module(disbursement)

FOR_EVER = "FOR-EVER-00"  # a wait for this one is answered only by a cell that has been restarted


class FakeCore:
    """Answers orders with `PaymentAccepted`, drills with its own name, waits at once, `DropDeadLetter` never."""

    def __init__(self, name: str, data: Path, incarnation: int) -> None:
        self.name, self.incarnation = name, incarnation
        self.buffered: list[FrameContent] = []
        self.seen: set[str] = set()
        self.sent = 0
        self.event = -1

    def open(self) -> None:
        """Nothing to recover."""
        self.event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """The descriptor that says there is work."""
        return self.event

    def arrived(self, peer: str, payload: bytes) -> None:
        """Buffer it."""
        self.buffered.append(unpack_frame(payload))
        os.eventfd_write(self.event, 1)

    def run(self) -> list[tuple[str, bytes]]:
        """Answer every frame with one of its own."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.event)
        taken, self.buffered = self.buffered, []
        return [("gateway", self._answered(content)) for content in taken]

    def _answered(self, content: FrameContent) -> bytes:
        replies = [reply for values in content.envelopes for reply in self._reply(codec.envelope_from(values))]
        self.sent += 1
        return pack_frame(GATEWAY, self.sent, content.number, replies)

    def _reply(self, envelope: Envelope) -> list[list[Any]]:
        message = self._answer(envelope.message)
        if message is None:
            return []
        replies = self._said(message, envelope)
        if isinstance(message, PaymentAccepted) and getattr(envelope.message, "wait_for", ()):
            replies += self._reply(envelope._replace(message=Await(payment_id=message.payment_id, types=())))
        return replies

    def _said(self, message: Message, envelope: Envelope) -> list[list[Any]]:
        self.sent += 1
        reply = Envelope(
            f"{self.name}-{self.sent}",
            message,
            REPLY,
            envelope.target,
            envelope.sender,
            envelope.payment_id,
            envelope.message_id,
        )
        return [codec.envelope_fields(reply)]

    def _answer(self, message: Message) -> Message | None:
        match message:
            case SubmitPayment(idempotency_key=key, creditor_name=""):
                return OrderRefused(idempotency_key=key, error="the creditor's name is missing")
            case SubmitPayment(idempotency_key=key):
                duplicate = key in self.seen
                self.seen.add(key)
                return PaymentAccepted(
                    payment_id=f"P-{key}-{slot_of(key):02x}", idempotency_key=key, duplicate=duplicate
                )
            case Await(payment_id=payment_id):
                if payment_id == FOR_EVER and self.incarnation == 1:
                    return None
                return Awaited(payment_id=payment_id, type="PaymentCompleted", status="completed")
            case KillActor():
                return ActorKilled(name=self.name, found=True)
            case DropDeadLetter():
                return None
            case _:
                raise TypeError(f"no test sends a {type(message).__name__}")

    def report(self) -> dict[str, Any]:
        """How many frames and envelopes it has sent."""
        return {"sent": self.sent}

    def blamed(self) -> str:
        """Nothing: no message has ended it, as far as it knows."""
        return ""

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.event)


def key_in(slot: int, number: int = 0) -> str:
    """The `number`-th idempotency key that lives in `slot`."""
    keys = (f"key-{at}" for at in range(100 * SLOTS * (number + 1)))
    return [key for key in keys if slot_of(key) == slot][number]
