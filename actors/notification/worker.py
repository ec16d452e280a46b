"""Sends mails outside the turn, into files or to an SMTP server; retries what may succeed later."""

from __future__ import annotations

import os
import smtplib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import Final, Protocol

from actors.messaging.message import Result
from actors.notification.actor import MAIL
from actors.notification.mail import BadAddress, compose
from actors.notification.messages import MailRefused, MailTaken, SendMail
from actors.runtime.breaker import Breaker, Ramp
from actors.runtime.service import Answer, Handed
from config.settings import NotificationSettings, Settings

FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(minutes=15)
AWAY_AFTER: Final = 5  # failures to reach the server in a row, before all mails wait for it
BATCH: Final = 64  # mails, before it is told what became of them
SMTP_TIMEOUT_SECONDS: Final = 10.0
PERMANENT: Final = 500  # SMTP reply codes from here on will not change by trying again


class NotTaken(Exception):
    """The transport did not take the mail; `for_good`: it never will; `away`: it takes no mail at all now."""

    def __init__(self, error: str, *, for_good: bool, away: bool = False) -> None:
        super().__init__(error)
        self.for_good = for_good
        self.away = away


class Transport(Protocol):
    """Where mails go. A mail sent twice under one Message-ID must be as good as sent once."""

    def send(self, mail: Message) -> None:
        """Hand one mail over; raises `NotTaken`."""

    def pause(self) -> None:
        """No mail follows for a while: keep nothing open."""


class Files:
    """Writes each mail into a file named after its Message-ID, so that a repeat takes its own place."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def send(self, mail: Message) -> None:
        """Write `<Message-ID>.eml`, whole or not at all."""
        name = "".join(c if c.isalnum() or c in "._@-" else "_" for c in mail["Message-ID"].strip("<>"))
        draft = self._directory / f".{name}.{os.getpid()}"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_bytes(bytes(mail))
            draft.replace(self._directory / f"{name}.eml")
        except OSError as error:
            raise NotTaken(
                f"{self._directory} can't be written: {error.strerror}", for_good=False, away=True
            ) from error

    def pause(self) -> None:
        """Nothing is open."""


class Smtp:
    """Sends through an SMTP server, over one connection as long as mails follow each other."""

    def __init__(self, settings: NotificationSettings) -> None:
        self._settings = settings
        self._connection: smtplib.SMTP | None = None

    def send(self, mail: Message) -> None:
        """Send one mail; a 5xx answer is for good, anything else may be different later."""
        try:
            self._connected().send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise NotTaken(_reply(code, text), for_good=code >= PERMANENT) from error
        except smtplib.SMTPResponseException as error:
            self.pause()
            # A server that takes no connection says nothing about the mail.
            away = isinstance(error, smtplib.SMTPConnectError)
            for_good = error.smtp_code >= PERMANENT and not away
            raise NotTaken(_reply(error.smtp_code, error.smtp_error), for_good=for_good, away=away) from error
        except smtplib.SMTPNotSupportedError as error:
            raise NotTaken(str(error), for_good=True) from error
        except (OSError, smtplib.SMTPException) as error:
            self._connection = None
            where = f"{self._settings.smtp_host}:{self._settings.smtp_port}"
            raise NotTaken(f"{where}: {error}", for_good=False, away=True) from error

    def pause(self) -> None:
        """End the session."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.quit()
            except (OSError, smtplib.SMTPException):
                connection.close()

    def _connected(self) -> smtplib.SMTP:
        if self._connection is None:
            settings = self._settings
            self._connection = smtplib.SMTP(
                settings.smtp_host,
                settings.smtp_port,
                local_hostname=settings.sender.rpartition("@")[2] or "localhost",
                timeout=SMTP_TIMEOUT_SECONDS,
            )
        return self._connection


class Nowhere:
    """Takes every mail and sends none (mails that were waiting when mail was switched off)."""

    def send(self, mail: Message) -> None:
        """Refuse it."""
        raise NotTaken("mail is switched off", for_good=True)

    def pause(self) -> None:
        """Nothing is open."""


class MailWorker:
    """Does `SendMail`. What fails for now waits here, with backoff and jitter, and in the outbox across restarts.

    While the server is away no mail is charged for it; when it is back it gets them in growing batches.
    """

    outbox = MAIL

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float],
        ramp: Ramp | None = None,
    ) -> None:
        self._sender = settings.notification.sender
        self._attempts = settings.notification.attempts
        self._transport = transport
        self._now = now
        self._chance = chance
        self._waiting: list[tuple[datetime, int, int, Handed]] = []  # due, outbox id, attempts made, task
        self.circuit = Breaker(ramp or Ramp(failures=AWAY_AFTER, first_pause=FIRST_PAUSE, longest_pause=LONGEST_PAUSE))
        self._deliver: Callable[[list[Answer]], None] = lambda answers: None

    @classmethod
    def for_cell(cls, settings: Settings, cell: str) -> MailWorker:
        """The worker of one cell, with the configured transport."""
        transports: dict[str, Callable[[], Transport]] = {
            "files": lambda: Files(Path(settings.data) / "mail"),
            "smtp": lambda: Smtp(settings.notification),
            "none": Nowhere,
        }
        runtime = settings.runtime
        ramp = Ramp(
            failures=AWAY_AFTER,
            first_pause=FIRST_PAUSE,
            longest_pause=LONGEST_PAUSE,
            first_batch=runtime.ramp_first,
            pause=timedelta(seconds=runtime.ramp_pause_seconds),
        )
        chance = Random(runtime.seed).random
        return cls(settings, transports[settings.notification.transport](), chance=chance, ramp=ramp)

    def open(self, deliver: Callable[[list[Answer]], None]) -> None:
        """Nothing is connected before there is a mail."""
        self._deliver = deliver

    def perform(self, tasks: list[Handed]) -> None:
        """Send the new mails, and those whose next attempt is due, as many as there is room for."""
        now = self._now()
        for handed in tasks:
            heappush(self._waiting, (now, handed.outbox_id, 0, handed))
        room = self.circuit.room(now)
        left = BATCH if room is None else min(room, BATCH)
        answers: list[Answer] = []
        tried = False
        while left and self._is_due(now) and not self.circuit.is_open(now):
            _, _, attempts, handed = heappop(self._waiting)
            answers += self._attempt(handed, attempts, now)
            left, tried = left - 1, True
        if tried and not self.circuit.is_open(now) and not self.circuit.failures:
            self.circuit = self.circuit.succeeded(now, self._chance(), left=self._is_due(now))
        if not self._is_due(now) or self.circuit.batch is not None:
            self._transport.pause()
        self._deliver(answers)

    def due(self, now: datetime) -> datetime | None:
        """When the next attempt is due."""
        if not self._waiting:
            return None
        first = self._waiting[0][0]
        return first if self.circuit.next_at is None else max(first, self.circuit.next_at)

    def _is_due(self, now: datetime) -> bool:
        return bool(self._waiting) and self._waiting[0][0] <= now

    def close(self) -> None:
        """What waits here waits in the outbox too."""
        self._transport.pause()

    def _attempt(self, handed: Handed, attempts: int, now: datetime) -> list[Answer]:
        """Send one mail: what became of it, or nothing where it is tried again."""
        task = handed.task
        assert isinstance(task, SendMail)
        try:
            mail = compose(task, self._sender, now)
        except BadAddress as unusable:
            return [_refused(handed, task, str(unusable))]
        except Exception as defect:  # one odd order must not keep all other mails from being sent
            return [_refused(handed, task, f"the mail can't be written: {type(defect).__name__}: {defect}")]
        try:
            self._transport.send(mail)
        except NotTaken as failure:
            return self._not_taken(handed, task, attempts, now, failure)
        self.circuit = replace(self.circuit, failures=0)
        return [_answer(handed, MailTaken(message_id=task.message_id, party=task.party, address=task.address))]

    def _not_taken(
        self, handed: Handed, task: SendMail, attempts: int, now: datetime, failure: NotTaken
    ) -> list[Answer]:
        known_away = bool(self.circuit.openings)
        self.circuit = self.circuit.failed(now, self._chance()) if failure.away else replace(self.circuit, failures=0)
        if failure.for_good:
            return [_refused(handed, task, str(failure))]
        if failure.away and known_away:  # it only asked whether the server is back
            heappush(self._waiting, (now, handed.outbox_id, attempts, handed))
            return []
        attempts += 1
        if attempts >= self._attempts:
            return [_refused(handed, task, f"gave up after {attempts} attempts: {failure}")]
        heappush(self._waiting, (now + self._pause(attempts), handed.outbox_id, attempts, handed))
        return []

    def _pause(self, attempts: int) -> timedelta:
        """Four times longer after each attempt, and never the same for two mails that failed together."""
        factor: int = 4 ** (attempts - 1)
        longest = min(FIRST_PAUSE * factor, LONGEST_PAUSE)
        return longest * (0.5 + self._chance() / 2)


def _refused(handed: Handed, task: SendMail, error: str) -> Answer:
    return _answer(handed, MailRefused(message_id=task.message_id, party=task.party, error=error))


def _answer(handed: Handed, result: Result) -> Answer:
    return Answer("notification", handed.payment_id, (result,), handed.outbox_id)


def _reply(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {said}"
