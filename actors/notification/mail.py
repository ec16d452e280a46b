"""A letter as an RFC 5322 message: encoded by the standard library, proof against injected headers.

The library's older interface: its newer one (`EmailMessage`) parses every header it writes and takes 2 ms a mail,
eight times as long (docs/design/0006-observing.md).
"""

from __future__ import annotations

import re
from datetime import datetime
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from typing import Final

from actors.notification.messages import SendMail
from actors.notification.model import CREDITOR, letter, one_line

_UTF8: Final = Charset("utf-8")
_UTF8.body_encoding = QP  # a reader of the raw file can still read it
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


class BadAddress(ValueError):
    """Text that is no mail address; the message is one sentence."""


def compose(task: SendMail, sender: str, now: datetime) -> Message:
    """The mail that `task` asks for; the same but for its date when it is composed again.

    Raises:
        BadAddress: the recipient's or the sender's address can't be used.
    """
    order = task.order
    written = letter(task.ending, task.party, order, task.reason, task.debtor_name)
    mail = MIMEText(written.text, "plain", "us-ascii" if written.text.isascii() else _UTF8)  # type: ignore[arg-type]
    mail["From"] = _address("Payments", sender)
    mail["To"] = _address(order.creditor.name if task.party == CREDITOR else task.debtor_name, task.address)
    mail["Subject"] = written.subject if written.subject.isascii() else Header(written.subject, "utf-8").encode()
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = task.message_id
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    return mail


def _address(name: str, address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise BadAddress(f"{one_line(address)[:80]!r} is no mail address")
    return formataddr((one_line(name), address))
