"""DESIGN section 7, looked at after every commit for the payments it touched; and nothing leaves before its commit.

What is checked here holds at every moment and in every topology: it compares what stands in the stores with what has
stood there before and with the banks' journals. What holds only at rest is checked at the end (`ending.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from actors.execution.messages import REJECTED
from actors.execution.model import OPEN, STOPPED
from actors.execution.rail import Submission
from actors.ledger.model import NEVER_MADE, PENDING, POSTED, REFUSED, VOIDED
from actors.messaging.envelope import CHOREOGRAPHED, EVENT, OPERATOR, TIMER
from actors.messaging.frames import LINK, unpack_frame
from actors.messaging.system_messages import PaymentRetried
from actors.runtime.service import Handed, Record
from actors.simulation.cells import SimulatedCell, Violation
from actors.simulation.people import People
from actors.simulation.poison import Poison
from actors.simulation.rail import Instructed
from actors.store.session import Row
from actors.tracker.model import FINAL, MOVES

CONTRADICTING: Final = "TEST-CONTRADICT"  # the bank first rejects, then executes it
NOT_HELD: Final = (None, VOIDED, REFUSED, NEVER_MADE)
DEAD_LETTERS: Final = "dead-letters"
WORKERS: Final = ("rail", "mail")  # whose answers are about one payment each
PASSED_ON: Final = ("SteerSaga",)  # what clients say to one actor and another one does
# What the ledger has said where a debit, or a refund's credit, stands so.
SAID: Final = {
    PENDING: ("AccountDebited", "CreditReserved"),
    POSTED: ("DebitPosted", "CreditPosted", "CreditWithheld"),
    VOIDED: ("DebitVoided", "CreditVoided"),
}
_SAYINGS: Final = frozenset(name for names in SAID.values() for name in names)
ENDS: Final = ("PaymentCompleted", "PaymentReturned")
_ROOTS: Final = frozenset((TIMER, OPERATOR))
_OUTSIDE: Final = ("client-", "timer/")

# What holds a payment's money: its debit; a refund's is its credit.
DEBIT: Final = """SELECT state, amount, currency, account_id FROM debits WHERE debit_id = ?1
    UNION ALL SELECT state, amount, currency, account_id FROM credits WHERE credit_id = ?1"""
EXECUTION: Final = "SELECT state, instruction_id, settled_by FROM executions WHERE payment_id = ?"
SCREENING: Final = "SELECT verdict FROM aml_screenings WHERE screening_id = ?"
TRACKED: Final = "SELECT status, reason, reason_text, flow FROM tracker_payments WHERE payment_id = ?"
SAGA: Final = "SELECT phase FROM sagas WHERE payment_id = ?"
QUERY_TIMER: Final = "SELECT 1 FROM timers WHERE owner = 'execution' AND key = ?"
TRIED_AGAIN: Final = """SELECT 1 FROM parked WHERE actor = 'execution' AND conversation = ?
    UNION ALL SELECT 1 FROM dead_letters WHERE actor = 'execution' AND payment_id = ?"""
CLAIM: Final = "SELECT payment_id FROM claims WHERE idempotency_key = ?"
BALANCES: Final = "SELECT currency, sum(posted) FROM accounts GROUP BY currency HAVING sum(posted) <> 0"
OVERDRAWN: Final = """SELECT account_id, posted - pending + overdraft FROM accounts
    WHERE posted - pending + overdraft < 0 AND account_id NOT LIKE '%:%'"""
LINK_STATE: Final = "SELECT last_out, last_in FROM links_state WHERE peer = ?"

TOGETHER: Final = ("ledger", "execution", "tracker")  # services whose tables are read with one statement, if they can
SIZES: Final = (1, 8, 64)
ALL: Final = """WITH wanted (id) AS (VALUES {}) SELECT w.id, coalesce(d.state, c.state), coalesce(d.amount, c.amount),
    coalesce(d.currency, c.currency), coalesce(d.account_id, c.account_id),
    e.state, e.instruction_id, e.settled_by, t.status, t.reason, t.reason_text, t.flow
    FROM wanted w LEFT JOIN debits d ON d.debit_id = w.id LEFT JOIN credits c ON c.credit_id = w.id
    LEFT JOIN executions e ON e.payment_id = w.id
    LEFT JOIN tracker_payments t ON t.payment_id = w.id"""
ALL_OF: Final = {size: ALL.format(", ".join(["(?)"] * size)) for size in SIZES}

Rows = Callable[..., list[Row]]


class Facts(NamedTuple):
    """What stands of one payment: its debit, its gate, and what the tracker shows, each where there is one."""

    payment_id: str
    debit: Row | None
    gate: Row | None
    tracked: Row | None


class Invariants:
    """Implements `Witness` and watches the banks.

    `where` gives the store in which a service keeps a payment, `bank` what the banks' journals say of it.
    """

    def __init__(
        self, poison: Poison, where: Callable[[str, str], Rows], bank: Callable[[str], list[Instructed]], people: People
    ) -> None:
        self._poison = poison
        self._people = people
        self._where = where
        self._bank = bank
        self._not_its_own: list[Record] | None = None
        self._ends: Counter[str] = Counter()
        self._log_end: dict[str, int] = {}
        self._logged: set[str] = set()
        self._storied: set[str] = set()  # payments of which a line is logged
        self._tasks: dict[str, set[int]] = {}
        self._handled: set[tuple[str, str, str, str]] = set()
        self._retried: set[str] = set()  # payments whose dead letters a person had delivered again
        self._latest: dict[tuple[str, str, str], int] = {}
        self._debits: dict[str, tuple[str, int, str]] = {}
        self._said: set[tuple[str, str]] = set()  # payment, and what the ledger has said of it
        self._gates: dict[str, str] = {}
        self._statuses: dict[str, str] = {}
        self._instructed: dict[str, str] = {}
        # Cell and subscriber, told to read the log anew; the dead letters too, who bring things when they are told to.
        self.read_again: set[tuple[str, str]] = set()
        self.checked = 0

    # What a cell does

    def begun(self, cell: SimulatedCell) -> None:
        """See `Witness.begun`."""
        self._poison.handled.clear()
        turns: Any = getattr(cell.core, "_turns", None)
        # A turn begins with none: what is there is an earlier turn's, and this transaction is no turn.
        self._not_its_own = (turns._consequences.records or None) if turns is not None else None

    def committed(self, cell: SimulatedCell) -> None:
        """See `Witness.committed`."""
        turns: Any = getattr(cell.core, "_turns", None)
        if turns is None:
            return
        self._tasks.setdefault(cell.name, set()).update(number for number, _, _ in turns._outboxes._new)
        records: list[Record] = turns._consequences.records
        self._retried.update(
            record.envelope.payment_id for record in records if type(record.envelope.message) is PaymentRetried
        )
        self._exactly_once(cell)
        if not records or records is self._not_its_own:
            return
        touched = dict.fromkeys(record.envelope.payment_id for record in records)
        self._log(cell, records)
        self._money(cell)
        lagging = "tracker" in turns._subscriptions.lagging
        touched.pop("", None)
        self.checked += len(touched)
        for facts in self._facts(list(touched)):
            self._check(facts, lagging)

    def handed(self, cell: SimulatedCell, tasks: list[Handed]) -> None:
        """A worker gets only what is durable."""
        known = self._tasks.setdefault(cell.name, set())
        for task in tasks:
            if task.outbox_id not in known:
                raise Violation(
                    f"{cell.name} handed {type(task.task).__name__} to its worker before the commit", task.payment_id
                )

    def released(self, cell: SimulatedCell, peer: str, payload: bytes) -> None:
        """A frame says only what is durable."""
        content = unpack_frame(payload)
        if content.kind == LINK:
            state = cell.disk.rows(LINK_STATE, peer)
            last_out, last_in = state[0] if state else (0, 0)
            if content.number + len(content.envelopes) - 1 > last_out:
                raise Violation(f"{cell.name} sent an envelope to {peer} that it has not committed")
            if content.acknowledged > last_in:
                raise Violation(f"{cell.name} acknowledged to {peer} what it has not committed")
            return
        for fields in content.envelopes:
            name, values = fields[1]
            if name == "PaymentAccepted":
                payment_id, key = values[0], values[1]
                claim = cell.disk.rows(CLAIM, key)
                if not claim:
                    raise Violation(f"{cell.name} acknowledged an order that it has not committed", payment_id)
                if claim != [(payment_id,)]:
                    raise Violation(f"the key {key} stands for two payments: {payment_id}, {claim[0][0]}", payment_id)

    # What a bank gets

    def submitted(self, submission: Submission) -> None:
        """No instruction without a standing debit and a recorded clearance; one instruction for a payment."""
        payment_id, instruction = submission
        name = instruction.instruction_id
        before = self._instructed.setdefault(payment_id, name)
        known = {each.instruction_id: each.state for each in self._bank(payment_id)}
        if before != name and name not in known:
            self._instructed[payment_id] = name
            if before not in known or any(state != REJECTED for state in known.values()):
                raise Violation(
                    f"a second instruction for one payment, the first not rejected: {before}, {name}", payment_id
                )
        gate = self._row("execution", payment_id, EXECUTION)
        if gate is None or gate[0] == STOPPED or gate[1] != instruction.instruction_id:
            raise Violation(
                f"an instruction reached the rail that was never recorded (the gate is {gate and gate[0]})", payment_id
            )
        if instruction.instruction_id in known:
            return  # the bank has it already: a repeat under its own id pays nothing
        debit = self._row("ledger", payment_id, DEBIT)
        held = debit is not None and debit[0] == PENDING
        # Whoever's rejection or word on it was believed before it got there has had the money given back.
        if not held and gate[0] in OPEN:
            raise Violation(f"instructed with a debit that is {debit[0] if debit else 'not made'}", payment_id)
        if debit is not None and (debit[1], debit[2]) != (instruction.amount.amount, instruction.amount.currency):
            raise Violation(f"instructed {instruction.amount}, debited {debit[1]} {debit[2]}", payment_id)
        screening = self._row("aml", payment_id, SCREENING)
        if screening is None or screening[0] != "cleared":
            raise Violation(f"instructed, but screened as {screening[0] if screening else 'nothing'}", payment_id)
        self._people.instructed(payment_id)

    # One payment

    def payment(self, payment_id: str, *, lagging: bool = False) -> None:
        """Everything that must hold of one payment at any moment; `lagging`: the tracker is behind."""
        self.checked += 1
        for facts in self._facts([payment_id]):
            self._check(facts, lagging)

    def _check(self, facts: Facts, lagging: bool) -> None:
        payment_id, debit, gate, tracked = facts
        self._debit(payment_id, debit, gate)
        self._gate(payment_id, debit, gate)
        if tracked is not None and not lagging:
            self._status(payment_id, debit, gate, tracked)

    def _facts(self, payment_ids: list[str]) -> Iterator[Facts]:
        """What stands of each payment: in one statement for many where one store has all of it."""
        if not payment_ids:
            return
        # What one cell's turn has touched is in its own store, or, where services have cells of their own, in several.
        stores = [self._where(service, payment_ids[0]) for service in TOGETHER]
        if any(store != stores[0] for store in stores):
            for payment_id in payment_ids:
                debit, gate = self._row("ledger", payment_id, DEBIT), self._row("execution", payment_id, EXECUTION)
                yield Facts(payment_id, debit, gate, self._row("tracker", payment_id, TRACKED))
            return
        for start in range(0, len(payment_ids), SIZES[-1]):
            part = payment_ids[start : start + SIZES[-1]]
            size = next(size for size in SIZES if size >= len(part))
            for row in stores[0](ALL_OF[size], *part, *[""] * (size - len(part))):
                if row[0]:
                    debit = None if row[1] is None else row[1:5]
                    gate = None if row[5] is None else row[5:8]
                    yield Facts(row[0], debit, gate, None if row[8] is None else row[8:12])

    def _debit(self, payment_id: str, debit: Row | None, gate: Row | None) -> None:
        before = self._debits.get(payment_id)
        if debit is None:
            if before is not None:
                raise Violation(f"its debit, which was {before[0]}, is gone", payment_id)
            return
        state = debit[0]
        if before is not None and before[1:] != debit[1:3]:
            raise Violation(f"its debit of {before[1]} {before[2]} became one of {debit[1]} {debit[2]}", payment_id)
        if before is not None and before[0] not in (state, PENDING, REFUSED):
            raise Violation(f"its debit was {before[0]} and became {state}", payment_id)
        self._debits[payment_id] = (state, debit[1], debit[2])
        if before is not None and before[0] == state:
            return
        if state in SAID and not any((payment_id, name) in self._said for name in SAID[state]):
            raise Violation(f"its debit is {state}, and nobody was told so", payment_id)
        settled_by = gate[2] if gate else ""
        known = self._bank(payment_id)
        if state == POSTED and not settled_by and all(each.executed_at is None for each in known):
            raise Violation("posted, but the rail has not executed it", payment_id)
        if state == VOIDED:
            if gate is not None and gate[0] not in ("stopped", "rejected"):
                raise Violation(f"voided though an instruction is recorded and {gate[0]}", payment_id)
            if _executed(known) and not settled_by:
                raise Violation("voided, but the rail has executed it", payment_id)

    def _gate(self, payment_id: str, debit: Row | None, gate: Row | None) -> None:
        before = self._gates.get(payment_id)
        if gate is None:
            if before is not None:
                raise Violation(f"its instruction, which was {before}, is gone", payment_id)
            return
        state, instruction_id, _ = gate
        self._gates[payment_id] = state
        again = before == REJECTED and state in OPEN  # tried again, or no proof after all
        if before in ("stopped", "executed", "rejected") and state != before and not again:
            raise Violation(f"its instruction was {before} and became {state}", payment_id)
        if state in OPEN:
            if debit is None or debit[0] != PENDING:
                raise Violation(
                    f"an instruction is {state} and its debit {debit[0] if debit else 'not made'}", payment_id
                )
            rows = self._where("execution", payment_id)
            if not rows(QUERY_TIMER, f"query/{instruction_id}") and not rows(TRIED_AGAIN, payment_id, payment_id):
                raise Violation(f"its instruction is {state}, and no timer will ever ask the rail", payment_id)

    def _status(self, payment_id: str, debit: Row | None, gate: Row | None, tracked: Row) -> None:
        status, reason, text, flow = tracked
        before = self._statuses.get(payment_id)
        self._statuses[payment_id] = status
        if before in FINAL and status != before and status not in MOVES[before]:
            raise Violation(f"it had ended as {before} and is {status}", payment_id)
        state = debit[0] if debit else None
        settled_by = gate[2] if gate else ""
        if status in ("completed", "returned"):
            if state != POSTED:
                raise Violation(f"{status}, but its debit is {state or 'not made'}", payment_id)
            if not settled_by and all(each.executed_at is None for each in self._bank(payment_id)):
                raise Violation(f"{status}, but the rail has not executed it", payment_id)
        elif status in ("rejected", "cancelled"):
            if state not in NOT_HELD:
                raise Violation(f"{status}, but its debit is {state}", payment_id)
            if not settled_by and _executed(self._bank(payment_id)):
                raise Violation(f"{status}, but the rail has executed it", payment_id)
        elif status == "needs_attention" and reason is None and not text:
            raise Violation("it needs attention, and nobody says why", payment_id)
        if flow == CHOREOGRAPHED and before is None and self._row("payment", payment_id, SAGA) is not None:
            raise Violation("it is choreographed and has a saga: two drivers", payment_id)

    # All of a cell

    def _money(self, cell: SimulatedCell) -> None:
        for currency, total in cell.disk.rows(BALANCES):
            raise Violation(f"the accounts of {cell.name} in {currency} sum to {total}, not to zero")
        for account_id, available in cell.disk.rows(OVERDRAWN):
            raise Violation(f"{account_id} has {available} minor units available: less than nothing")

    def _log(self, cell: SimulatedCell, records: list[Record]) -> None:
        end = self._log_end.get(cell.name, 1)
        logged, storied = self._logged, self._storied
        for offset, _, envelope, _, _ in records:
            if offset != end:
                raise Violation(f"the log of {cell.name} goes from line {end - 1} to {offset}", envelope.payment_id)
            end += 1
            message_id, payment_id, cause = envelope.message_id, envelope.payment_id, envelope.causation_id
            if envelope.kind == EVENT and message_id in logged:
                raise Violation(f"the message {message_id} is logged twice", payment_id)
            logged.add(message_id)
            if not payment_id:
                continue
            self._people.hear(envelope)
            if payment_id not in storied:
                storied.add(payment_id)
            elif (
                cause not in logged
                and envelope.kind not in _ROOTS
                and not cause.startswith(_OUTSIDE)
                and (cause or "/" not in message_id)
            ):
                name = type(envelope.message).__name__
                raise Violation(f"{name} names the cause {cause or 'nothing'}, which nobody recorded", payment_id)
            name = type(envelope.message).__name__
            if name in _SAYINGS:
                self._said.add((payment_id, name))
            if name in ENDS:
                self._ends[f"{payment_id} {name}"] += 1
                if self._ends[f"{payment_id} {name}"] > 1:
                    raise Violation(f"{name} was said twice", payment_id)
        self._log_end[cell.name] = end

    def _exactly_once(self, cell: SimulatedCell) -> None:
        """Each message is handled once by each of its receivers, and a payment's in the order they were sent."""
        seen = self._handled
        for service, name, envelope in self._poison.handled:
            message_id, payment_id, sender = envelope.message_id, envelope.payment_id, envelope.sender
            if not message_id or not payment_id or envelope.kind == TIMER or sender[:7] == "client/":
                continue
            if name in PASSED_ON:
                continue  # under its sender's name for it, who may repeat it
            key = (cell.name, service, name, message_id)
            if key in seen and (cell.name, service) not in self.read_again:
                raise Violation(f"{service} handled {name} ({message_id}) twice", payment_id)
            seen.add(key)
            number = _line_of(message_id, cell.name)
            if number and (cell.name, DEAD_LETTERS) not in self.read_again and payment_id not in self._retried:
                place = (cell.name, service, payment_id)
                if number < self._latest.get(place, 0) and place[:2] not in self.read_again:
                    raise Violation(f"{service} handled {name} ({message_id}) after a later message", payment_id)
                self._latest[place] = number
        self._poison.handled.clear()

    def _row(self, service: str, payment_id: str, sql: str) -> Row | None:
        rows = self._where(service, payment_id)(sql, payment_id)
        return rows[0] if rows else None


def _line_of(message_id: str, cell: str) -> int:
    """The line of this cell's log at which a message was sent, or a worker's answer taken in; 0: neither."""
    sender, _, number = message_id.partition(".")
    if sender == cell:
        return int(number)
    worker, _, rest = message_id.partition("/")
    return int(rest.partition("/")[0]) if worker in WORKERS else 0


def _executed(known: list[Instructed]) -> bool:
    """Whether a bank has executed it, and has never said otherwise."""
    return any(each.executed_at is not None and each.creditor_account != CONTRADICTING for each in known)
