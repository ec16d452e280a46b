"""A letter as an RFC 5322 message: encoded by the standard library, proof against injected headers."""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from actors.notification.messages import SendMail
from actors.notification.model import CREDITOR, letter, one_line


class BadAddress(ValueError):
    """Text that is no mail address; the message is one sentence."""


def compose(task: SendMail, sender: str, now: datetime) -> EmailMessage:
    """The mail that `task` asks for; the same but for its date when it is composed again.

    Raises:
        BadAddress: the recipient's or the sender's address can't be used.
    """
    order = task.order
    written = letter(task.ending, task.party, order, task.reason, task.debtor_name)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address("Payments", sender)
    mail["To"] = _address(order.creditor.name if task.party == CREDITOR else task.debtor_name, task.address)
    mail["Subject"] = written.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = task.message_id
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    mail.set_content(written.text)
    return mail


def _address(name: str, address: str) -> Address:
    try:
        if one_line(address) != address:
            raise ValueError
        parsed = Address(display_name=one_line(name), addr_spec=address)
        if not (parsed.username and parsed.domain):
            raise ValueError
        return parsed
    except Exception as error:  # the parser of the standard library raises IndexError and others on odd text
        raise BadAddress(f"{address[:80]!r} is no mail address") from error
