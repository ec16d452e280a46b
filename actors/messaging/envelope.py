"""The envelope: everything about a message's journey, apart from the message itself."""

from __future__ import annotations

from typing import Final, NamedTuple

from actors.messaging.message import Command, Event, Message, Reply, Result, Tick

COMMAND: Final = "command"
REPLY: Final = "reply"
EVENT: Final = "event"
TIMER: Final = "timer"
OPERATOR: Final = "operator"

ORCHESTRATED: Final = "orchestrated"
CHOREOGRAPHED: Final = "choreographed"

HERE: Final = -1  # the slot of a message that stays in the cell it was sent in


class Envelope(NamedTuple):
    """One message under way.

    `message_id` is unique for ever (the sending cell's name and a number); `payment_id` is the
    correlation id, empty where no payment is concerned; `flow` and `workflow` say who drives the payment
    and in which order of steps; `slot` is the partition slot of the receiver, or `HERE`.
    A tuple rather than a dataclass: a payment takes some twenty of them.
    """

    message_id: str
    message: Message
    kind: str
    sender: str
    target: str
    payment_id: str = ""
    causation_id: str = ""
    attempt: int = 0
    flow: str = ""
    workflow: str = ""
    trace: str = ""
    slot: int = HERE


def kind_of(message: Message) -> str:
    """The kind under which `message` travels when it is sent (not published)."""
    if isinstance(message, Command):
        return OPERATOR if message.by_person else COMMAND
    if isinstance(message, Event | Reply | Result):
        return REPLY
    if isinstance(message, Tick):
        return TIMER
    raise TypeError(f"{type(message).__name__} is none of the kinds of message that can be sent")
