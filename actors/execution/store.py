"""Execution's tables: one gate a payment, the returns that came, and nothing of the rail's own journal."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from actors.execution.messages import ExecutePayment, RailAnswered, StopExecution
from actors.execution.model import instruction_of
from actors.messaging import codec
from actors.messaging.envelope import Envelope
from actors.store.session import Migration, Session
from actors.vocabulary.order import PaymentFacts
from actors.vocabulary.reason import NARRATIVE, Reason

codec.register(ExecutePayment, StopExecution)

# Given to the rail, without a final answer. Not `IN (…)`, which costs five microseconds at every change.
AT_RAIL = "(state = 'submitted' OR state = 'in_doubt' OR state = 'in_doubt_unsent')"

MIGRATIONS = (
    Migration(
        "execution",
        1,
        (
            # The payment is the key, so that no second instruction can be recorded for it.
            """CREATE TABLE executions (
                payment_id TEXT PRIMARY KEY,
                instruction_id TEXT NOT NULL,
                state TEXT NOT NULL,
                reply_to TEXT NOT NULL,
                workflow TEXT NOT NULL,
                amount BIGINT,
                currency TEXT,
                recorded_at BIGINT NOT NULL,
                changed_at BIGINT NOT NULL,
                reason_code TEXT,
                reason_text TEXT,
                ending TEXT,
                settled_by TEXT NOT NULL DEFAULT '',
                contradicted INTEGER NOT NULL DEFAULT 0,
                command BLOB NOT NULL
            ) WITHOUT ROWID""",
            f"CREATE INDEX executions_at_rail ON executions (payment_id) WHERE {AT_RAIL}",
            """CREATE TABLE execution_returns (
                return_id TEXT PRIMARY KEY,
                payment_id TEXT NOT NULL,
                reason_code TEXT NOT NULL,
                reason_text TEXT NOT NULL,
                received_at BIGINT NOT NULL
            ) WITHOUT ROWID""",
        ),
    ),
    Migration(
        "execution",
        2,
        (
            "ALTER TABLE executions ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1",
            # Instructions that the rail has rejected, and that another one of the same payment followed.
            """CREATE TABLE execution_attempts (
                instruction_id TEXT PRIMARY KEY,
                payment_id TEXT NOT NULL,
                attempt INTEGER NOT NULL,
                reason_code TEXT,
                reason_text TEXT,
                settled_by TEXT NOT NULL,
                recorded_at BIGINT NOT NULL,
                rejected_at BIGINT NOT NULL,
                contradicted INTEGER NOT NULL DEFAULT 0
            ) WITHOUT ROWID""",
            "CREATE INDEX execution_attempts_payments ON execution_attempts (payment_id, attempt)",
        ),
    ),
)

RECORD = """INSERT INTO executions (payment_id, instruction_id, state, reply_to, workflow, amount, currency,
    recorded_at, changed_at, command, attempt) VALUES (?, ?, 'recorded', ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (payment_id) DO NOTHING"""

STOP = """INSERT INTO executions (payment_id, instruction_id, state, reply_to, workflow, recorded_at,
    changed_at, reason_code, reason_text, ending, command) VALUES (?, ?, 'stopped', ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (payment_id) DO NOTHING"""

LOAD = """SELECT payment_id, instruction_id, state, reply_to, workflow, recorded_at, reason_code, reason_text,
    ending, settled_by, contradicted, command, attempt FROM executions WHERE payment_id = ?"""

MOVE = "UPDATE executions SET state = ?, changed_at = ? WHERE payment_id = ?"

SETTLE = """UPDATE executions SET state = ?, reason_code = ?, reason_text = ?, settled_by = ?, changed_at = ?
    WHERE payment_id = ?"""

LOAD_AT_RAIL = f"""SELECT payment_id, instruction_id FROM executions WHERE {AT_RAIL} AND payment_id > ?
    ORDER BY payment_id LIMIT ?"""

ADD_RETURN = """INSERT INTO execution_returns (return_id, payment_id, reason_code, reason_text, received_at)
    VALUES (?, ?, ?, ?, ?) ON CONFLICT (return_id) DO NOTHING"""


KEEP_ATTEMPT = """INSERT INTO execution_attempts (instruction_id, payment_id, attempt, reason_code, reason_text,
    settled_by, recorded_at, rejected_at) SELECT instruction_id, payment_id, attempt, reason_code, reason_text,
    settled_by, recorded_at, changed_at FROM executions WHERE payment_id = ?"""

NEXT_ATTEMPT = """UPDATE executions SET instruction_id = ?, state = 'recorded', reply_to = ?, workflow = ?,
    recorded_at = ?, changed_at = ?, reason_code = NULL, reason_text = NULL, settled_by = '', command = ?, attempt = ?
    WHERE payment_id = ?"""

LOAD_ATTEMPT = """SELECT payment_id, instruction_id, attempt, reason_code, reason_text, settled_by, contradicted
    FROM execution_attempts WHERE """

REMEMBERED: Final = 1_024


class Entry(NamedTuple):
    """One payment's gate. `recorded_at` is in microseconds; `command` is the recorded one, encoded."""

    payment_id: str
    instruction_id: str
    state: str
    reply_to: str
    workflow: str
    recorded_at: int
    reason_code: str | None
    reason_text: str | None
    ending: str | None
    settled_by: str
    contradicted: int
    command: bytes
    attempt: int

    @property
    def reason(self) -> Reason:
        """Why it was stopped, rejected or settled so."""
        return Reason(self.reason_code or NARRATIVE, self.reason_text or "")

    def recorded_command(self) -> ExecutePayment:
        """The command as it was recorded, of a gate that is not stopped."""
        message = codec.decode(self.command)
        assert isinstance(message, ExecutePayment)
        return message


class Earlier(NamedTuple):
    """An instruction that the rail has rejected and that another one of its payment followed."""

    payment_id: str
    instruction_id: str
    attempt: int
    reason_code: str | None
    reason_text: str | None
    settled_by: str
    contradicted: int

    @property
    def reason(self) -> Reason:
        """Why it was rejected."""
        return Reason(self.reason_code or NARRATIVE, self.reason_text or "")


class ExecutionStore:
    """Reads and writes within the turn; one statement each."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._decoded: dict[bytes, ExecutePayment] = {}  # what the latest commands' bytes mean; saves decoding

    def record(self, envelope: Envelope, command: ExecutePayment, reply_to: str, now: datetime) -> bool:
        """Record the instruction; False where the payment has a gate already, closed or passed."""
        at, amount = codec.micros(now), command.amount
        data = codec.encode(command)
        if not reply_to:
            if len(self._decoded) >= REMEMBERED:
                self._decoded.clear()
            self._decoded[data] = command
        attempt = command.attempt
        name = command.instruction_id if attempt == 1 else instruction_of(command.instruction_id, attempt)
        head = (envelope.payment_id, name, reply_to, envelope.workflow)
        return self._session.write(RECORD, (*head, amount.amount, amount.currency, at, at, data, attempt)) == 1

    def record_next(self, envelope: Envelope, command: ExecutePayment, reply_to: str, now: datetime) -> None:
        """Record another instruction of a payment whose last one was rejected, which is kept beside it."""
        at, data, attempt = codec.micros(now), codec.encode(command), command.attempt
        self._session.write(KEEP_ATTEMPT, (envelope.payment_id,))
        name = instruction_of(command.instruction_id, attempt)
        row = (name, reply_to, envelope.workflow, at, at, data, attempt, envelope.payment_id)
        self._session.write(NEXT_ATTEMPT, row)

    def earlier(self, instruction_id: str) -> Earlier | None:
        """A rejected instruction that another one followed, by its own id."""
        row = self._session.one(LOAD_ATTEMPT + "instruction_id = ?", (instruction_id,))
        return None if row is None else Earlier._make(row)

    def earlier_attempt(self, payment_id: str, attempt: int) -> Earlier | None:
        """The same by its payment and number."""
        row = self._session.one(LOAD_ATTEMPT + "payment_id = ? AND attempt = ?", (payment_id, attempt))
        return None if row is None else Earlier._make(row)

    def contradicted_earlier(self, payment_id: str) -> str:
        """An earlier instruction of the payment that the rail has spoken of as executed, or ""."""
        row = self._session.one(LOAD_ATTEMPT + "payment_id = ? AND contradicted = 1", (payment_id,))
        return "" if row is None else str(row[1])

    def contradict_earlier(self, instruction_id: str) -> None:
        """Remember that this contradiction was announced."""
        self._session.write(
            "UPDATE execution_attempts SET contradicted = 1 WHERE instruction_id = ?", (instruction_id,)
        )

    def stop(self, envelope: Envelope, command: StopExecution, reply_to: str, now: datetime) -> bool:
        """Close the gate; False where the payment has one already, closed or passed."""
        at, reason = codec.micros(now), command.reason
        head = (envelope.payment_id, command.instruction_id, reply_to, envelope.workflow, at, at)
        row = (*head, reason.code, reason.text, command.ending, codec.encode(command))
        return self._session.write(STOP, row) == 1

    def load(self, payment_id: str) -> Entry | None:
        """The payment's gate."""
        row = self._session.one(LOAD, (payment_id,))
        return None if row is None else Entry._make(row)

    def facts(self, entry: Entry) -> PaymentFacts | None:
        """The facts to pass along: only what is published carries them."""
        if entry.reply_to:
            return None
        known = self._decoded.get(entry.command)
        message = known or codec.decode(entry.command)
        assert isinstance(message, ExecutePayment | StopExecution)
        return message.facts

    def move(self, payment_id: str, state: str, now: datetime) -> None:
        """Record a state that needs no reason."""
        self._session.write(MOVE, (state, codec.micros(now), payment_id))

    def settle(self, payment_id: str, state: str, reason: Reason, settled_by: str, now: datetime) -> None:
        """Record a state with its reason, and the person whose word it is (or "")."""
        row = (state, reason.code, reason.text, settled_by, codec.micros(now), payment_id)
        self._session.write(SETTLE, row)

    def contradict(self, payment_id: str) -> None:
        """Remember that the contradiction was announced."""
        self._session.write("UPDATE executions SET contradicted = 1 WHERE payment_id = ?", (payment_id,))

    def add_return(self, payment_id: str, answer: RailAnswered, reason: Reason, now: datetime) -> bool:
        """Record a return; False where it was recorded before."""
        row = (answer.return_id, payment_id, reason.code, reason.text, codec.micros(now))
        return self._session.write(ADD_RETURN, row) == 1

    def at_rail(self, after: str, limit: int) -> list[tuple[str, str]]:
        """Payment and instruction ids of those the rail was given and that have no final answer, in order."""
        return [(row[0], row[1]) for row in self._session.all(LOAD_AT_RAIL, (after, limit))]
