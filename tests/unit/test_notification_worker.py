"""The mail worker: files written whole, failures retried with growing pauses, refusals given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

from actors.notification.messages import MailRefused, MailTaken, SendMail
from actors.notification.worker import MailWorker, NotTaken
from actors.runtime.service import Answer, Handed
from config.settings import NotificationSettings, Settings
from tests.fakes.orders import an_order


class Moody:
    """A transport that does what its list says: take a mail, or raise."""

    def __init__(self, *moods: NotTaken | None) -> None:
        self.moods = list(moods)
        self.taken: list[Message] = []

    def send(self, mail: Message) -> None:
        """Take it, or not."""
        mood = self.moods.pop(0) if self.moods else None
        if mood is not None:
            raise mood
        self.taken.append(mail)

    def pause(self) -> None:
        """Nothing is open."""


class Bench:
    """A worker whose time the test moves."""

    def __init__(self, transport: Any, settings: Settings | None = None) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        self.answers: list[Answer] = []
        self.worker = MailWorker(settings or Settings(), transport, now=lambda: self.now, chance=lambda: 1.0)
        self.worker.open(self.answers.extend)

    def send(self, *numbers: int, **changes: Any) -> None:
        """Hand over mails."""
        self.worker.perform([Handed(number, mail(number, **changes), f"P{number}", False) for number in numbers])

    def wait(self) -> timedelta:
        """Pass the time until the worker wants to go on; returns how long it was."""
        due = self.worker.due(self.now)
        assert due is not None
        waited, self.now = due - self.now, due
        self.worker.perform([])
        return waited


def mail(number: int, **changes: Any) -> SendMail:
    """One mail."""
    values: dict[str, Any] = {
        "message_id": f"<P{number}.completed.debtor@paysaga.example>",
        "ending": "completed",
        "party": "debtor",
        "address": "pay@muster.example",
        "debtor_name": "Muster AG",
        "order": an_order(number),
    }
    return SendMail(**(values | changes))


def files(tmp_path: Path) -> tuple[Bench, Path]:
    """A worker that writes files, as it is configured by default."""
    settings = Settings(data=str(tmp_path))
    worker = MailWorker.for_cell(settings, "cell-0")
    return Bench(worker._transport, settings), tmp_path / "mail"


def test_each_mail_is_a_file_that_a_repeat_overwrites(tmp_path: Path) -> None:
    """At least once from the outbox becomes exactly one file."""
    bench, directory = files(tmp_path)
    bench.send(1, 2)
    bench.send(1)
    names = sorted(path.name for path in directory.iterdir())
    assert names == [f"P{number}.completed.debtor@paysaga.example.eml" for number in (1, 2)]
    text = (directory / names[0]).read_text()
    assert "To: Muster AG <pay@muster.example>" in text
    assert "12.50 EUR" in text


def test_a_file_cant_be_written_outside_the_mail_directory(tmp_path: Path) -> None:
    """Whatever a Message-ID holds, it names a file there."""
    bench, directory = files(tmp_path)
    bench.send(1, message_id="<../../etc/x/../..>")
    (path,) = directory.iterdir()
    assert path.suffix == ".eml"


def test_a_taken_mail_finishes_its_task() -> None:
    """The outbox forgets it with the answer."""
    bench = Bench(Moody())
    bench.send(7)
    taken = MailTaken(message_id=mail(7).message_id, party="debtor", address="pay@muster.example")
    assert bench.answers == [Answer("notification", "P7", (taken,), 7)]


def test_what_fails_for_now_is_tried_again_after_growing_pauses() -> None:
    """A mail server that is down for a minute loses no mail."""
    down = [NotTaken("connection refused", for_good=False) for _ in range(3)]
    bench = Bench(Moody(*down))
    bench.send(1)
    assert bench.answers == []
    assert [bench.wait().total_seconds() for _ in range(3)] == [2, 8, 32]
    assert isinstance(bench.answers[0].results[0], MailTaken)
    assert bench.worker.due(bench.now) is None


def test_one_mail_that_waits_holds_up_no_other() -> None:
    """They go to different servers."""
    bench = Bench(Moody(NotTaken("greylisted", for_good=False)))
    bench.send(1, 2)
    assert [answer.finishes for answer in bench.answers] == [2]


def test_a_mail_is_given_up_after_the_configured_attempts() -> None:
    """The timeline then says what the last attempt met."""
    settings = Settings(notification=NotificationSettings(attempts=2))
    bench = Bench(Moody(*[NotTaken("connection refused", for_good=False) for _ in range(9)]), settings)
    bench.send(1)
    bench.wait()
    (refused,) = bench.answers[0].results
    assert isinstance(refused, MailRefused)
    assert refused.error == "gave up after 2 attempts: connection refused"


def test_what_is_refused_for_good_is_not_tried_again() -> None:
    """550 means that there is no such mailbox, today and tomorrow."""
    bench = Bench(Moody(NotTaken("550 no such user", for_good=True)))
    bench.send(1)
    (refused,) = bench.answers[0].results
    assert isinstance(refused, MailRefused)
    assert refused.error == "550 no such user"
    assert bench.worker.due(bench.now) is None


def test_a_bad_address_is_refused_and_the_others_are_sent() -> None:
    """One odd order keeps nobody else from their mail."""
    transport = Moody()
    bench = Bench(transport)
    bench.worker.perform([Handed(1, mail(1, address="not an address"), "P1", False), Handed(2, mail(2), "P2", False)])
    assert [type(answer.results[0]) for answer in bench.answers] == [MailRefused, MailTaken]


class Away:
    """A server that takes no mail at all until it is back; counts what it was asked."""

    def __init__(self) -> None:
        self.back = False
        self.asked = 0
        self.taken: list[Message] = []

    def send(self, mail: Message) -> None:
        """Take it, or be away."""
        self.asked += 1
        if not self.back:
            raise NotTaken("connection refused", for_good=False, away=True)
        self.taken.append(mail)

    def pause(self) -> None:
        """Nothing is open."""


def test_while_the_server_is_away_all_mails_wait_and_few_ask() -> None:
    """Each question may take its ten seconds, and says nothing about the mail that asks."""
    server = Away()
    bench = Bench(server)
    bench.send(*range(500))
    assert server.asked == 5
    assert bench.worker.circuit.state(bench.now) == "open"
    for _ in range(20):
        bench.wait()
    assert server.asked <= 5 + 20
    assert bench.answers == []


def test_a_server_that_comes_back_gets_the_mails_in_growing_batches() -> None:
    """All of them, and no avalanche."""
    server = Away()
    bench = Bench(server)
    bench.send(*range(500))
    server.back = True
    sizes = []
    while len(bench.answers) < 500:
        before = len(bench.answers)
        bench.wait()
        sizes.append(len(bench.answers) - before)
    assert sizes[:4] == [8, 16, 32, 64]
    assert len({mail["Message-ID"] for mail in server.taken}) == len(server.taken) == 500


def test_many_mails_are_sent_in_bounded_batches() -> None:
    """The cell hears of the first before the last is sent."""
    bench = Bench(Moody())
    bench.send(*range(150))
    assert len(bench.answers) == 64
    bench.wait()
    bench.wait()
    assert [answer.finishes for answer in bench.answers] == list(range(150))
    assert bench.worker.due(bench.now) is None
