"""What Notification says: every mail's fate stands in the payment's timeline."""

from __future__ import annotations

from dataclasses import dataclass

from actors.messaging.message import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSent(Event):
    """The transport has taken the mail to `party` (`debtor` or `creditor`)."""

    message_id: str  # the mail's Message-ID: the same for a repeat
    party: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSkipped(Event):
    """No mail to `party`: `reason` says why (no address)."""

    party: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFailed(Event):
    """The transport refused the mail for good; `error` is its word."""

    message_id: str
    party: str
    error: str
