"""Messages whose handler failed: parked with their successors, tried again when due, then dead letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from actors.messaging.codec import CannotDecode, envelope_from, micros, moment, pack, unpack
from actors.messaging.envelope import Envelope
from actors.runtime.budget import PLENTY, Budget
from actors.runtime.causes import is_cause
from actors.store.session import Migration, Session

MIGRATIONS = (
    Migration(
        "retries",
        1,
        (
            # due is set for the first of those parked for one payment at one actor; the others wait behind it
            "CREATE TABLE parked (seq INTEGER PRIMARY KEY AUTOINCREMENT, actor TEXT NOT NULL,"
            " conversation TEXT NOT NULL, due INTEGER, attempt INTEGER NOT NULL, cause TEXT NOT NULL,"
            " envelope BLOB NOT NULL)",
            "CREATE INDEX parked_due ON parked (due) WHERE due IS NOT NULL",
            "CREATE INDEX parked_conversations ON parked (actor, conversation, seq)",
            "CREATE TABLE dead_letters (id TEXT PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL,"
            " payment_id TEXT NOT NULL, type TEXT NOT NULL, attempts INTEGER NOT NULL, cause TEXT NOT NULL,"
            " envelope BLOB NOT NULL) WITHOUT ROWID",
            "CREATE TABLE dropped_letters (id TEXT PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL,"
            " actor TEXT NOT NULL, payment_id TEXT NOT NULL, type TEXT NOT NULL, cause TEXT NOT NULL,"
            " envelope BLOB NOT NULL) WITHOUT ROWID",
            "CREATE TABLE suspects (message_id TEXT PRIMARY KEY, deaths INTEGER NOT NULL) WITHOUT ROWID",
        ),
    ),
    Migration(
        "retries",
        2,
        # dead letters that a person wants delivered again, in the order in which they were buried
        ("CREATE TABLE released (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE)",),
    ),
    Migration(
        "retries",
        3,
        # a person retries one payment
        (
            "CREATE INDEX dead_letters_payments ON dead_letters (payment_id)",
            "CREATE INDEX parked_payments ON parked (conversation)",
        ),
    ),
)

LETTERS_AT_ONCE: Final = 128  # dead letters that are delivered again in one turn at most
RELEASE_EVERY: Final = timedelta(milliseconds=100)  # while more of them wait
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ITS_ACTORS: Final = "actor = ? OR substr(actor, 1, ?) = ?"
MESSAGE, TARGET, PAYMENT = (Envelope._fields.index(name) for name in ("message", "target", "payment_id"))


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before attempt n: doubling from `initial`, at most `maximum`; `attempts` delayed ones."""

    attempts: int
    initial: timedelta
    maximum: timedelta

    def delay(self, attempt: int, chance: float) -> timedelta:
        """The wait before delayed attempt `attempt` (from 1), spread by `chance` (0 to 1) over ± a quarter."""
        return min(self.maximum, self.initial * float(2 ** min(attempt - 1, 30))) * (0.75 + chance / 2)


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked message whose time has come."""

    seq: int
    actor: str
    envelope: Envelope
    attempt: int


class Retries:
    """What is parked and what is dead, in the cell's store; `conversations` mirrors which actors' payments wait.

    `rate` is each service's budget: how many of its messages are tried again in a second, beyond the first tries.
    """

    def __init__(self, session: Session, rate: float = PLENTY) -> None:
        self._session = session
        self._rate = rate
        self._budgets: dict[str, Budget] = {}
        self._releasing = False  # dead letters wait for their turn
        self._release_at: datetime | None = None  # None: at once
        self.conversations: set[tuple[str, str]] = set()
        self.next_due: datetime | None = None
        self.put_off = 0  # retries that the budget has put off since the start

    def look(self) -> None:
        """Read what is parked and when the next is due: at the start, and after an abandoned turn."""
        rows = self._session.all("SELECT DISTINCT actor, conversation FROM parked")
        self.conversations = {(row[0], row[1]) for row in rows}
        self._releasing = bool(self._session.one("SELECT 1 FROM released LIMIT 1"))
        self._look_due()

    def park(self, actor: str, envelope: Envelope, *, due: datetime | None, attempt: int, cause: str) -> None:
        """Keep a message for `actor`: the first of its conversation with `due`, its successors without."""
        self._session.write(
            "INSERT INTO parked (actor, conversation, due, attempt, cause, envelope) VALUES (?, ?, ?, ?, ?, ?)",
            (actor, conversation(envelope), None if due is None else micros(due), attempt, cause[:2_000],
             pack(envelope)),
        )  # fmt: skip
        self.conversations.add((actor, conversation(envelope)))
        if due is not None and (self.next_due is None or due < self.next_due):
            self.next_due = due

    def again(self, parked: Parked, *, due: datetime, cause: str) -> None:
        """It failed once more: wait until `due`."""
        self._session.write(
            "UPDATE parked SET due = ?, attempt = ?, cause = ? WHERE seq = ?",
            (micros(due), parked.attempt + 1, cause[:2_000], parked.seq),
        )
        self._look_due()

    def done(self, parked: Parked, now: datetime) -> None:
        """It was handled or is dead: the next of its conversation is due at once."""
        name = (parked.actor, conversation(parked.envelope))
        self._session.write("DELETE FROM parked WHERE seq = ?", (parked.seq,))
        row = self._session.one("SELECT min(seq) FROM parked WHERE actor = ? AND conversation = ?", name)
        if row is None or row[0] is None:
            self.conversations.discard(name)
        else:
            self._session.write("UPDATE parked SET due = ? WHERE seq = ?", (micros(now), row[0]))
        self._look_due()

    def due(self, now: datetime, limit: int) -> list[Parked]:
        """Up to `limit` parked messages whose time has come; they stay until `done` or `again`."""
        if self.next_due is None or self.next_due > now:
            return []
        rows = self._session.all(
            "SELECT seq, actor, envelope, attempt FROM parked WHERE due <= ? ORDER BY due LIMIT ?", (micros(now), limit)
        )
        return [Parked(seq, actor, envelope_from(unpack(data)), attempt) for seq, actor, data, attempt in rows]

    def take_due(self, now: datetime, limit: int, chance: Callable[[], float]) -> list[Parked]:
        """As `due`, within the services' budgets: what exceeds one is put off, with jitter, in the store.

        A message that only waited behind another has its first try, which costs nothing.
        """
        taken = []
        for parked in self.due(now, limit):
            service = parked.actor.partition("/")[0]
            budget = self._budget(service)
            paid = budget if parked.attempt == 0 else budget.take(now)
            if paid is not None:
                self._budgets[service] = paid
                taken.append(parked)
                continue
            due, self._budgets[service] = budget.put_off(now, chance())
            self._session.write("UPDATE parked SET due = ? WHERE seq = ?", (micros(due), parked.seq))
            self.put_off += 1
        if taken or self.next_due is not None:
            self._look_due()
        return taken

    def _budget(self, service: str) -> Budget:
        return self._budgets.get(service) or Budget(self._rate)

    def bury(self, letter_id: str, actor: str, envelope: Envelope, *, now: datetime, attempts: int, cause: str) -> None:
        """Put a message that no handler could take into the dead letters."""
        self._session.write(
            "INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (letter_id, micros(now), actor, envelope.payment_id, type(envelope.message).__name__, attempts,
             cause[:2_000], pack(envelope)),
        )  # fmt: skip

    def bury_unread(self, letter_id: str, fields: Any, *, now: datetime, cause: str) -> None:
        """Put an envelope that nobody can decode into the dead letters as it came: a later program may read it."""
        actor, payment_id, name = _legible(fields)
        self._session.write(
            "INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (letter_id, micros(now), actor, payment_id, name, 1, cause[:2_000], pack(fields)),
        )

    def release(self, ids: tuple[str, ...], cause: str = "") -> int:
        """Have dead letters delivered again, at the budget's pace: those of `ids`, of a `cause`, or (neither) all.

        They go in the order in which they were buried, whatever that of `ids` is, and stay among the dead ones
        until their turn comes. Returns how many were chosen that did not wait already.
        """
        before = self.releasing()
        if ids:
            marks = ", ".join("?" * len(ids))
            self._session.write(f"INSERT INTO released (id) SELECT id FROM dead_letters WHERE id IN ({marks})"
                                " ORDER BY at, id ON CONFLICT (id) DO NOTHING", ids)  # fmt: skip
        elif cause:
            rows = self._session.all("SELECT id, actor, type, cause FROM dead_letters ORDER BY at, id")
            chosen = [(letter_id,) for letter_id, *letter in rows if is_cause(cause, *letter)]
            self._session.write_many("INSERT INTO released (id) VALUES (?) ON CONFLICT (id) DO NOTHING", chosen)
        else:
            self._session.write("INSERT INTO released (id) SELECT id FROM dead_letters WHERE true"
                                " ORDER BY at, id ON CONFLICT (id) DO NOTHING", ())  # fmt: skip
        waiting = self.releasing()
        self._releasing, self._release_at = waiting > 0, None
        self._look_due()
        return waiting - before

    def releasing(self) -> int:
        """How many dead letters wait to be delivered again."""
        row = self._session.one("SELECT count(*) FROM released")
        return int(row[0]) if row else 0

    def exhume(self, now: datetime) -> tuple[list[tuple[str, Envelope]], int]:
        """Take out the next released letters that there is room for: actor and envelope of each.

        One that can't be decoded stays a dead letter and waits no longer; the second value counts them.
        """
        if not self._releasing or (self._release_at is not None and now < self._release_at):
            return [], 0
        rows = self._session.all(
            "SELECT released.seq, released.id, actor, envelope FROM released JOIN dead_letters"
            " ON dead_letters.id = released.id ORDER BY seq LIMIT ?",
            (LETTERS_AT_ONCE,),
        )
        room: dict[str, int] = {}
        letters: list[tuple[str, Envelope]] = []
        taken, unreadable = [], []
        for seq, letter_id, actor, data in rows:
            service = actor.partition("/")[0]
            left = room.setdefault(service, self._budget(service).room(now))
            if left < 1:
                continue
            try:
                letters.append((actor, envelope_from(unpack(data))))
            except CannotDecode:
                unreadable.append((seq,))
                continue
            room[service] = left - 1
            taken.append((letter_id, seq))
        self._session.write_many("DELETE FROM dead_letters WHERE id = ?", [(letter_id,) for letter_id, _ in taken])
        done = [(seq,) for _, seq in taken] + unreadable
        self._session.write_many("DELETE FROM released WHERE seq = ?", done)
        self._releasing = len(done) < len(rows) or len(rows) == LETTERS_AT_ONCE
        self._release_at = now + RELEASE_EVERY
        self._look_due()
        return letters, len(unreadable)

    def hold(self, parked: Parked) -> None:
        """It was due, but its actor is paused: it waits until it may `go_on`."""
        self._session.write("UPDATE parked SET due = NULL WHERE seq = ?", (parked.seq,))
        self._look_due()

    def go_on(self, now: datetime, *, service: str = "", payment_id: str = "") -> None:
        """What waited for a paused service (its many, too) or payment is due: the first of each conversation."""
        which, name = ("conversation = ?", payment_id) if payment_id else (_ITS_ACTORS, service)
        names = (name,) if payment_id else (name, len(name) + 1, f"{name}/")
        self._session.write(
            f"UPDATE parked SET due = ? WHERE due IS NULL AND seq IN (SELECT min(seq) FROM parked WHERE {which}"
            " GROUP BY actor, conversation)",
            (micros(now), *names),
        )
        self._look_due()

    def hasten(self, payment_id: str, now: datetime) -> None:
        """What waits for its next try for this payment is due now, and its dead letters are delivered again."""
        self._session.write(
            "UPDATE parked SET due = ? WHERE conversation = ? AND due > ?", (micros(now), payment_id, micros(now))
        )
        letters = self._session.all("SELECT id FROM dead_letters WHERE payment_id = ?", (payment_id,))
        if letters:
            self.release(tuple(row[0] for row in letters))
        self._look_due()

    def drop(self, letter_id: str, reason: str, now: datetime) -> bool:
        """Give a dead letter up; it is kept, with the reason, apart from those that can be retried."""
        row = self._session.one(
            "SELECT actor, payment_id, type, cause, envelope FROM dead_letters WHERE id = ?", (letter_id,)
        )
        if row is None:
            return False
        self._session.write(
            "INSERT INTO dropped_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (letter_id, micros(now), reason[:2_000], *row),
        )
        self._session.write("DELETE FROM dead_letters WHERE id = ?", (letter_id,))
        self._session.write("DELETE FROM released WHERE id = ?", (letter_id,))
        return True

    def _look_due(self) -> None:
        row = self._session.one("SELECT min(due) FROM parked WHERE due IS NOT NULL")
        self.next_due = moment(row[0]) if row and row[0] is not None else None
        if self._releasing:
            release_at = self._release_at or LONG_AGO
            self.next_due = release_at if self.next_due is None else min(self.next_due, release_at)


def _legible(fields: Any) -> tuple[str, str, str]:
    """What can be made out of an envelope that can't be decoded: target, payment and message's name."""
    if not isinstance(fields, list) or len(fields) <= PAYMENT:
        return "", "", ""
    pair = fields[MESSAGE]
    name = pair[0] if isinstance(pair, list) and pair else ""
    return str(fields[TARGET]), str(fields[PAYMENT]), str(name)


def conversation(envelope: Envelope) -> str:
    """What later messages wait behind a parked one for: its payment; a message of no payment holds up nobody."""
    return envelope.payment_id or envelope.message_id
