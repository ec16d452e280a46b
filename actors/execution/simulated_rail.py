"""A rail to try things out on: the creditor's account decides what happens. Its journal is its own, as a bank's.

Money that goes back is asked of the account that it went to: `TEST-REFUND-REJECT-AC04` takes a payment as any account
does, and as the debtor of a refund does what `TEST-REJECT-AC04` does as a creditor.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from actors.execution.messages import (
    ACCEPTED,
    BY_ANSWER,
    BY_QUERY,
    EXECUTED,
    NOT_RECEIVED,
    REJECTED,
    RETURNED,
    UNKNOWN,
    RailAnswered,
    SubmitInstruction,
)
from actors.execution.rail import LateAnswer, RailUnreachable, Submission
from actors.messaging.codec import micros, moment
from actors.vocabulary.reason import Reason

# The journal's states are the verdicts; `accepted` is received and not decided.
SECOND: Final = 1_000_000
SOON: Final = SECOND // 4  # how long after an answer the surprising one follows
REPEAT_AFTER: Final = 5 * SECOND  # an answer that wants confirming is repeated until then
GATHER: Final = SECOND // 100  # late answers are given at most a hundred times a second, one commit each
WINDOW: Final = 512  # late answers loaded at a time

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS instructions (
    instruction_id TEXT PRIMARY KEY,
    payment_id TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    creditor_account TEXT NOT NULL,
    state TEXT NOT NULL,
    submissions INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    executed_at INTEGER,
    stage INTEGER NOT NULL,
    due INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS instructions_due ON instructions (due) WHERE due IS NOT NULL;
"""
COLUMNS: Final = (
    "instruction_id, payment_id, amount, currency, creditor_account, state, submissions, received_at,"
    " executed_at, stage, due"
)
WRITE: Final = f"INSERT OR REPLACE INTO instructions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

WORDS: Final = {
    "AC01": "the creditor's account number is incorrect",
    "AC04": "the creditor's account is closed",
    "AC06": "the creditor's account is blocked",
    "AG01": "transactions of this kind are forbidden on the creditor's account",
    "AM04": "the cover for it is not there",
    "AM05": "the creditor's bank takes it for a duplicate",
    "FOCR": "the money came back after a request for cancellation",
    "MD07": "the creditor is deceased",
    "MS03": "the creditor's bank gave no reason",
    "RC01": "the bank identifier is incorrect",
    "RR04": "regulatory reason",
    "TM01": "the bank's cut-off time had passed",
}


class Entry(NamedTuple):
    """One line of the journal: what the rail knows of an instruction. Moments in microseconds.

    `stage` is how far its script has gone, `due` when the next stage is.
    """

    instruction_id: str
    payment_id: str
    amount: int
    currency: str
    creditor_account: str
    state: str
    submissions: int
    received_at: int
    executed_at: int | None
    stage: int
    due: int | None


class Stage(NamedTuple):
    """One thing that happens: `after` microseconds (None: the ordinary delay) the instruction becomes `state`.

    It is answered if `told`; with `confirm` again and again, until the answer is confirmed.
    """

    after: int | None
    state: str
    told: bool = True
    confirm: bool = False


ORDINARY: Final = (Stage(None, EXECUTED),)
REJECTING: Final = (Stage(None, REJECTED),)
SCRIPTS: Final[dict[str, tuple[Stage, ...]]] = {
    "TEST-SILENT": (),
    "TEST-LOST": (Stage(None, EXECUTED, told=False),),
    "TEST-TWICE": (Stage(None, EXECUTED), Stage(SOON, EXECUTED)),
    "TEST-NOTRECEIVED": ORDINARY,  # from the second submission on
    "TEST-CONTRADICT": (Stage(None, REJECTED), Stage(SOON, EXECUTED, confirm=True)),
}
RETURNING: Final = (Stage(None, EXECUTED), Stage(SOON, RETURNED, confirm=True))
_WITH_DATA = re.compile(
    r"TEST-(?:REJECT-(?:ONCE-)?([A-Z0-9]{1,4})|RETURN-([A-Z0-9]{1,4})|LATE-(\d{1,7}(?:\.\d{1,3})?))"
)


REFUNDED: Final = "TEST-REFUND-"
REJECTING_ONCE: Final = "TEST-REJECT-ONCE-"  # the payment's first instruction is rejected, the next executed


def deciding_account(instruction: SubmitInstruction) -> str:
    """The account that decides what becomes of the instruction, as the journal keeps it: one of the names above.

    The creditor's, but for a debtor that is asked for a refund.
    """
    debtor = instruction.debtor_account
    return "TEST-" + debtor.removeprefix(REFUNDED) if debtor.startswith(REFUNDED) else instruction.creditor_account


def script(creditor_account: str, *, first: bool = True) -> tuple[Stage, ...]:
    """What happens to an instruction for this account, the `first` of its payment or a later one.

    >>> script("DE75512108001245126199") == ORDINARY
    True
    >>> script("TEST-LATE-2.5")
    (Stage(after=2500000, state='executed', told=True, confirm=False),)
    """
    if not creditor_account.startswith("TEST-"):
        return ORDINARY
    found = _WITH_DATA.fullmatch(creditor_account)
    if found is None:
        return SCRIPTS.get(creditor_account, ORDINARY)
    if found[1]:
        return REJECTING if first or not creditor_account.startswith(REJECTING_ONCE) else ORDINARY
    return RETURNING if found[2] else (Stage(int(float(found[3]) * SECOND), EXECUTED),)


def reason(creditor_account: str) -> Reason:
    """The reason that the account asks for, in the bank's words.

    >>> reason("TEST-REJECT-AC04").code, reason("TEST-CONTRADICT").code
    ('AC04', 'AC06')
    """
    found = _WITH_DATA.fullmatch(creditor_account)
    code = (found and (found[1] or found[2])) or "AC06"
    return Reason(code, WORDS.get(code, "the creditor's bank gave no words for this reason"))


def journal_path(data: Path, cell: str) -> Path:
    """Where a cell's rail keeps its journal, apart from the cell's own store."""
    return data / "rail" / f"{cell}.db"


class SimulatedRail:
    """Implements `Rail`. All it knows is in the journal at `path`: nothing is kept in memory for an instruction.

    An instruction is executed after a delay between the two of `delay_ms`, or with (0, 0) at once, in the
    answer to its submission. One commit for each batch, durable before anything is answered. An answer
    that was given as the process died is not given again, but for those that want confirming: a query tells.
    """

    def __init__(
        self,
        path: Path,
        delay_ms: tuple[float, float],
        now: Callable[[], datetime],
        chance: Random,
        *,
        synchronous: str = "FULL",
    ) -> None:
        self._path = path
        self._shortest, self._longest = sorted(max(0, int(each * 1000)) for each in delay_ms)
        self._now = now
        self._chance = chance
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None
        self._first_due: int | None = None
        self._answered_at = 0

    def open(self) -> None:
        """Open or create the journal, and carry on where it ends."""
        self.close()
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.executescript(SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise RailUnreachable(f"the journal {self._path}: {error}") from error
        self._connection = connection
        self._first_due = self._earliest()

    def submit(self, batch: Sequence[Submission]) -> list[RailAnswered | None]:
        """Take instructions; a resend changes nothing but the count of submissions."""
        now = micros(self._now())
        known = self._find([instruction.instruction_id for _, instruction in batch])
        written: dict[str, Entry] = {}
        said: list[RailAnswered | None] = []
        for payment_id, instruction in batch:
            entry = known.get(instruction.instruction_id)
            if entry is None:
                amount, account = instruction.amount, deciding_account(instruction)
                entry = Entry(
                    instruction.instruction_id,
                    payment_id,
                    amount.amount,
                    amount.currency,
                    account,
                    ACCEPTED,
                    1,
                    now,
                    None,
                    0,
                    None,
                )
                entry, answer = self._receive(entry, now)
            else:
                entry = entry._replace(submissions=entry.submissions + 1)
                if entry.state == NOT_RECEIVED:
                    entry, answer = self._begin(entry._replace(state=ACCEPTED, received_at=now), now)
                else:
                    answer = None if entry.state == UNKNOWN else _status(entry, BY_ANSWER)
            known[entry.instruction_id] = written[entry.instruction_id] = entry
            said.append(answer)
            if entry.due is not None and (self._first_due is None or entry.due < self._first_due):
                self._first_due = entry.due
        self._write(written.values())
        return said

    def query(self, instruction_ids: Sequence[str]) -> list[RailAnswered]:
        """What the journal says, but for the silent."""
        found = self._find(instruction_ids)
        return [
            _status(found[each], BY_QUERY)
            if each in found
            else RailAnswered(instruction_id=each, verdict=NOT_RECEIVED, source=BY_QUERY)
            for each in instruction_ids
        ]

    def confirm(self, instruction_ids: Sequence[str]) -> None:
        """Stop repeating."""
        found = self._find(instruction_ids).values()
        self._write([entry._replace(due=None) for entry in found if _repeats(entry)])
        self._first_due = self._earliest()

    def answers(self) -> list[LateAnswer]:
        """Do what is due by now, the earliest first, and tell of it."""
        now = micros(self._now())
        if self._first_due is None or now < self._wake_at():
            return []
        rows = self._all(
            f"SELECT {COLUMNS} FROM instructions WHERE due <= ? ORDER BY due, instruction_id LIMIT ?",
            (now, WINDOW),
        )
        written, late = [], []
        for row in rows:
            entry, answer = self._happen(Entry._make(row), now)
            written.append(entry)
            if answer is not None:
                late.append(LateAnswer(entry.payment_id, answer))
        self._write(written)
        self._first_due = self._earliest()
        self._answered_at = now if len(rows) < WINDOW else 0
        return late

    def next_due(self) -> datetime | None:
        """When the next stage of any instruction is due."""
        return None if self._first_due is None else moment(self._wake_at())

    def close(self) -> None:
        """Close the journal."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _receive(self, entry: Entry, now: int) -> tuple[Entry, RailAnswered | None]:
        account = entry.creditor_account
        if account == "TEST-SILENT":
            return entry._replace(state=UNKNOWN), None
        if account == "TEST-NOTRECEIVED":
            return entry._replace(state=NOT_RECEIVED), None
        return self._begin(entry, now)

    def _begin(self, entry: Entry, now: int) -> tuple[Entry, RailAnswered | None]:
        """Accept the instruction; what comes without delay is the answer."""
        pause = self._pause(_script(entry)[0])
        if pause == 0:
            return self._happen(entry, now)
        accepted = RailAnswered(instruction_id=entry.instruction_id, verdict=ACCEPTED)
        return Entry(*entry[:-1], now + pause), accepted

    def _happen(self, entry: Entry, now: int) -> tuple[Entry, RailAnswered | None]:
        """Do the instruction's next stage; an instruction is executed at its first execution, once."""
        stages = _script(entry)
        stage = stages[entry.stage]
        executed_at = entry.executed_at
        if executed_at is None and stage.state == EXECUTED:
            executed_at = now
        at, due = entry.stage, None
        if stage.confirm:
            due = now + REPEAT_AFTER
        elif at + 1 < len(stages):
            at += 1
            due = now + self._pause(stages[at])
        order, counts = entry[:5], entry[6:8]  # `_replace` would be a tenth of all the rail's time
        after = Entry(*order, stage.state, *counts, executed_at, at, due)
        return after, _told(after, BY_ANSWER, stage.confirm) if stage.told else None

    def _pause(self, stage: Stage) -> int:
        if stage.after is not None:
            return stage.after
        if self._shortest == self._longest:
            return self._shortest
        return self._chance.randint(self._shortest, self._longest)

    def _wake_at(self) -> int:
        return max(self._first_due or 0, self._answered_at + GATHER)

    def _earliest(self) -> int | None:
        earliest: int | None = self._all("SELECT min(due) FROM instructions WHERE due IS NOT NULL", ())[0][0]
        return earliest

    def _find(self, instruction_ids: Sequence[str]) -> dict[str, Entry]:
        marks = ", ".join("?" * len(instruction_ids))
        rows = self._all(f"SELECT {COLUMNS} FROM instructions WHERE instruction_id IN ({marks})", instruction_ids)
        return {row[0]: Entry._make(row) for row in rows}

    def _all(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        try:
            return self._journal().execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise RailUnreachable(f"the journal {self._path}: {error}") from error

    def _write(self, entries: Any) -> None:
        """One commit for all of them."""
        if not entries:
            return
        connection = self._journal()
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(WRITE, entries)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise RailUnreachable(f"the journal {self._path}: {error}") from error

    def _journal(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RailUnreachable(f"the journal {self._path} is not open")
        return self._connection


def _script(entry: Entry) -> tuple[Stage, ...]:
    """What happens to this one: a payment's first instruction has the payment's id, a later one an id of its own."""
    return script(entry.creditor_account, first=entry.instruction_id == entry.payment_id)


def _repeats(entry: Entry) -> bool:
    """Whether the entry's last stage has happened and its answer is being repeated."""
    stages = _script(entry)
    return bool(stages) and stages[entry.stage].confirm and entry.state == stages[entry.stage].state


def _status(entry: Entry, source: str) -> RailAnswered:
    """What the rail says of the instruction as it stands. A return has its own answer: here it counts as executed."""
    return _told(entry if entry.state != RETURNED else entry._replace(state=EXECUTED), source, False)


def _told(entry: Entry, source: str, confirm: bool) -> RailAnswered:
    state = entry.state
    return RailAnswered(
        instruction_id=entry.instruction_id,
        verdict=state,
        reason=reason(entry.creditor_account) if state in (REJECTED, RETURNED) else None,
        return_id=f"{entry.instruction_id}/return" if state == RETURNED else "",
        source=source,
        confirm=confirm,
    )
