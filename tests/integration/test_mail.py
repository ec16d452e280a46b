"""Mail over real SMTP: a server in this process takes, refuses and delays what the worker sends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.controller import Controller

from actors.notification.messages import MailRefused, MailTaken, SendMail
from actors.notification.worker import MailWorker, Smtp
from actors.runtime.service import Answer, Handed
from config.settings import NotificationSettings, Settings
from tests.fakes.orders import an_order


class Mailbox:
    """Keeps what comes; `replies` are given instead of taking, one for each recipient."""

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.mails: list[Any] = []
        self.sessions: set[Any] = set()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        """Refuse as told, else take."""
        self.sessions.add(session.peer)
        if self.replies:
            return self.replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep it."""
        self.mails.append(envelope)
        return "250 taken"


class Bench:
    """A worker that sends to a port of this machine, and whose time the test moves."""

    def __init__(self, port: int) -> None:
        settings = Settings(notification=NotificationSettings(transport="smtp", smtp_port=port))
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        self.answers: list[Answer] = []
        self.worker = MailWorker(settings, Smtp(settings.notification), now=lambda: self.now, chance=lambda: 0.5)
        self.worker.open(self.answers.extend)

    def send(self, *numbers: int, **changes: Any) -> None:
        """Hand over mails."""
        self.worker.perform([Handed(number, mail(number, **changes), f"P{number}", False) for number in numbers])


@contextmanager
def server(mailbox: Mailbox) -> Iterator[Bench]:
    """An SMTP server on a free port, and a worker that knows it."""
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield Bench(controller.port)
    finally:
        controller.stop()


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def mail(number: int, **changes: Any) -> SendMail:
    """One mail to a creditor whose name is not ASCII."""
    values: dict[str, Any] = {
        "message_id": f"<P{number}.completed.creditor@paysaga.example>",
        "ending": "completed",
        "party": "creditor",
        "address": "erika@example.org",
        "debtor_name": "Muster AG",
        "order": an_order(number, creditor={"name": "Erika Müßtermann"}),
    }
    return SendMail(**(values | changes))


def test_mails_arrive_whole_over_one_connection() -> None:
    """A thousand payments that end together must not open a thousand connections."""
    mailbox = Mailbox()
    with server(mailbox) as bench:
        bench.send(1, 2, 3)
    assert [envelope.rcpt_tos for envelope in mailbox.mails] == [["erika@example.org"]] * 3
    assert len(mailbox.sessions) == 1
    received = message_from_bytes(mailbox.mails[0].content, policy=policy.default)
    assert received["Message-ID"] == "<P1.completed.creditor@paysaga.example>"
    assert received["To"].addresses[0].display_name == "Erika Müßtermann"
    assert "12.50 EUR from Muster AG" in received["Subject"]
    assert [type(answer.results[0]) for answer in bench.answers] == [MailTaken] * 3


def test_an_unknown_mailbox_is_given_up_and_the_next_mail_goes_out() -> None:
    """5xx is the server's last word on that mail, and on that mail only."""
    mailbox = Mailbox("550 no such user")
    with server(mailbox) as bench:
        bench.send(1, 2)
    refused, taken = [answer.results[0] for answer in bench.answers]
    assert isinstance(refused, MailRefused)
    assert refused.error == "550 no such user"
    assert isinstance(taken, MailTaken)


def test_a_mail_put_off_by_the_server_is_sent_later_under_the_same_id() -> None:
    """4xx asks for patience."""
    mailbox = Mailbox("451 try again later")
    with server(mailbox) as bench:
        bench.send(1)
        assert bench.answers == []
        bench.now += timedelta(seconds=2)
        bench.worker.perform([])
    assert isinstance(bench.answers[0].results[0], MailTaken)
    assert b"<P1.completed.creditor@paysaga.example>" in mailbox.mails[0].content


def test_without_a_server_nothing_is_lost() -> None:
    """The mails wait, and go out when it is there."""
    port = free_port()
    bench = Bench(port)
    bench.send(1, 2)
    assert bench.answers == []
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    bench.now += timedelta(seconds=2)
    bench.worker.perform([])
    controller.stop()
    assert len(mailbox.mails) == 2
    assert {answer.finishes for answer in bench.answers} == {1, 2}


def test_a_name_that_tries_to_add_a_recipient_reaches_nobody_else() -> None:
    """The envelope holds the one address, whatever stands in the order."""
    mailbox = Mailbox()
    order = an_order(creditor={"name": "Eve\r\nBcc: victim@example.org"})
    with server(mailbox) as bench:
        bench.send(1, order=order)
    assert mailbox.mails[0].rcpt_tos == ["erika@example.org"]
    assert message_from_bytes(mailbox.mails[0].content)["Bcc"] is None
