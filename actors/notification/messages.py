"""What Notification says: every mail's fate stands in the payment's timeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from actors.messaging.message import Command, Event, Result, Task
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSent(Event):
    """The transport has taken the mail to `party` (`debtor` or `creditor`)."""

    unheard: ClassVar[str] = "for the timeline: no payment depends on a mail"

    message_id: str  # the mail's Message-ID: the same for a repeat
    party: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSkipped(Event):
    """No mail to `party` (or to `debtor, creditor`): `reason` says why."""

    unheard: ClassVar[str] = "for the timeline: no payment depends on a mail"

    party: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFailed(Event):
    """The transport refused the mail for good; `error` is its word."""

    unheard: ClassVar[str] = "for the timeline: no payment depends on a mail"

    message_id: str
    party: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyParties(Command):
    """Tell debtor and creditor how the payment ended: `completed`, `rejected`, `cancelled`, `returned` or
    `needs_attention`. Each mail is sent once, however often this is said."""

    ending: str
    order: PaymentOrder
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberContact(Command):
    """Keep the name and address of an account's owner."""

    account_id: str
    owner: str
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMail(Task):
    """Send one mail to `address`; `message_id` is the same for a repeat."""

    logged: ClassVar[bool] = False  # `MailSent` or `MailFailed` tells what became of it

    message_id: str
    ending: str
    party: str
    address: str
    debtor_name: str
    order: PaymentOrder
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTaken(Result):
    """The transport has taken the mail."""

    message_id: str
    party: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRefused(Result):
    """The mail will never be taken, or was not taken in as many attempts as are allowed."""

    message_id: str
    party: str
    error: str
