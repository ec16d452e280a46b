"""What must hold once nothing goes wrong any more: everything has ended, nothing is lost, both flows did the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from actors.admin import verify
from actors.admin.checking import difference
from actors.admin.journals import CHUNK, Begun, Journal, journals
from actors.admin.merged import MergedReader
from actors.execution.simulated_rail import COLUMNS, SCHEMA
from actors.payment.definition import Step
from actors.payment.model import EXECUTED
from actors.payment.saga import PREFIX
from actors.simulation import jobs, workflows
from actors.simulation.cells import SimulatedCell
from actors.simulation.disk import DiskReader
from actors.simulation.orders import Order
from actors.store.session import Reader
from actors.tracker.model import FINAL

UNFINISHED: Final = """SELECT payment_id, status FROM tracker_payments
    WHERE status NOT IN ('completed', 'rejected', 'cancelled', 'returned', 'needs_attention')"""
LEFT_OVER: Final = (
    ("links_out", "SELECT count(*) FROM links_out", "envelopes for another cell that it never took"),
    ("outbox", "SELECT count(*) FROM outbox", "tasks that no worker has finished"),
    ("parked", "SELECT count(*) FROM parked", "messages that are never tried again"),
    ("dead_letters", "SELECT count(*) FROM dead_letters", "dead letters that fail again"),
)
# A payment that has ended may be contradicted by its bank later; nothing else separates the two.
JOURNAL: Final = """SELECT r.payment_id, r.state, r.creditor_account, e.state, e.settled_by FROM rail.instructions r
    LEFT JOIN executions e ON e.payment_id = r.payment_id
    WHERE coalesce(e.instruction_id, r.instruction_id) = r.instruction_id"""  # not one before it, provably rejected
AT_RAIL: Final = """SELECT payment_id, state FROM executions
    WHERE state IN ('recorded', 'submitted', 'in_doubt', 'in_doubt_unsent')"""
TIME_WAS_UP: Final = ("AB05", "AB06")  # reasons that say no more than that somebody did not answer in time
SAYS: Final = {"executed": "executed", "returned": "executed", "rejected": "rejected"}
CAN_TELL: Final = (*SAYS, "accepted", "not_received")
CALLED: Final = """SELECT t.payment_id, t.reason_text, r.state FROM tracker_payments t
    LEFT JOIN rail.instructions r ON r.payment_id = t.payment_id
    WHERE t.status = 'needs_attention' AND coalesce(r.state, '') <> 'unknown'
    AND coalesce(r.creditor_account, '') <> 'TEST-CONTRADICT'
    AND (t.reason_text NOT LIKE '%(dead letter %' OR t.reason_text LIKE 'the reaction of tracker %'
        OR t.reason_text LIKE 'the reaction of notification %' OR t.reason_text LIKE 'the reaction of replication %')"""
# A letter that is retried doesn't take back the call that it made, unless it was the tracker's own or of a follower.
PHASES: Final = {
    "completed": {"completed", "needs_attention"}, "rejected": {"rejected", "needs_attention"},
    "cancelled": {"cancelled", "needs_attention"}, "returned": {"returned", "needs_attention"},
    "halted": {"needs_attention"}, "compensating": {"compensating", "needs_attention"},
    "returning": {"completed", "needs_attention"},
}  # fmt: skip
POSTINGS: Final = """SELECT kind, amount, currency, CASE WHEN account_id LIKE '%:%' THEN substr(account_id, 1,
    instr(account_id, ':') - 1) ELSE 'debtor' END FROM postings WHERE reference = ? OR reference = ?"""


class Found(NamedTuple):
    """Something that does not hold, and the payment concerned, where there is one."""

    sentence: str
    payment_id: str | None


def left_over(cells: list[SimulatedCell]) -> list[str]:
    """What still waits in the cells, in words; empty where nothing does."""
    found = []
    for cell in cells:
        for _, sql, words in LEFT_OVER:
            number = cell.disk.rows(sql)[0][0]
            if number:
                found.append(f"{cell.name} has {number} {words}")
        number = cell.bank.journal.execute("SELECT count(*) FROM instructions WHERE due IS NOT NULL").fetchone()[0]
        if number:
            found.append(f"the bank of {cell.name} has {number} answers to give")
        number = sum(said in CAN_TELL and believed != SAYS.get(said) for believed, said in _doubts(cell))
        if number:
            found.append(f"{cell.name} has {number} doubts that its bank can settle")
    return found


def _doubts(cell: SimulatedCell) -> list[tuple[str, str]]:
    """The state of each instruction without a final answer, here and at the bank."""
    found = []
    for payment_id, state in cell.disk.rows(AT_RAIL):
        known = cell.bank.instructed(payment_id)
        found.append((state, known[0].state if known else "not_received"))
    return found


def unfinished(cells: list[SimulatedCell]) -> list[tuple[str, str]]:
    """Payments that have neither ended nor wait for a person, with their status."""
    return [(row[0], row[1]) for cell in cells for row in cell.disk.rows(UNFINISHED)]


def check(
    cells: list[SimulatedCell], accepted: dict[str, str], orders: dict[str, Order], *, whole: bool
) -> list[Found]:
    """Everything that must hold at the end. `accepted` and `orders` are what clients remember: by key.

    `whole`: every cell hosts every service.
    """
    found: list[Found] = []
    for cell in cells:
        _attach(cell)
    readers = [DiskReader(cell.disk) for cell in cells]
    by_name: dict[str, Reader] = {cell.name: reader for cell, reader in zip(cells, readers, strict=True)}
    heads = {cell.name: cell.disk.head for cell in cells}
    broken, _ = verify.look_at(by_name, None, heads, whole=whole)
    found += [Found(f"{each.check}: {each.text}", each.payment_id) for each in broken]
    views: list[Reader] = [*readers] if whole else [MergedReader(readers)]
    found += [Found(sentence, None) for sentence in left_over(cells)]
    found += [Found(f"it is silently stuck: {status}", payment_id) for payment_id, status in unfinished(cells)]
    found += _accepted(readers, accepted)
    found += _banks(views)
    found += _called(views)
    found += _observers(views)
    found += [Found(*each) for each in jobs.violations(readers)]
    found += _flows(cells, readers, accepted, orders)
    found += _journals({cell.name: reader for cell, reader in zip(cells, readers, strict=True)})
    return found


def statuses(cells: list[SimulatedCell]) -> dict[str, tuple[str, str | None]]:
    """Status and reason of every payment."""
    sql = "SELECT payment_id, status, reason FROM tracker_payments"
    return {row[0]: (row[1], row[2]) for cell in cells for row in cell.disk.rows(sql)}


def _attach(cell: SimulatedCell) -> None:
    connection = cell.disk.connection
    connection.execute("ATTACH ':memory:' AS rail")
    table = SCHEMA.strip().partition(";")[0]
    connection.execute(table.replace("IF NOT EXISTS instructions", "rail.instructions"))
    rows = cell.bank.journal.execute(f"SELECT {COLUMNS} FROM instructions").fetchall()
    marks = ", ".join("?" * len(COLUMNS.split(",")))
    connection.executemany(f"INSERT INTO rail.instructions ({COLUMNS}) VALUES ({marks})", rows)


def _accepted(readers: list[DiskReader], accepted: dict[str, str]) -> Iterator[Found]:
    claims = "SELECT idempotency_key, payment_id FROM claims"
    claimed = {row[0]: row[1] for reader in readers for row in reader.all(claims)}
    started = {row[0] for reader in readers for row in reader.all("SELECT payment_id FROM orders")}
    known = {row[0] for reader in readers for row in reader.all("SELECT payment_id FROM tracker_payments")}
    for key, payment_id in accepted.items():
        if claimed.get(key) != payment_id or payment_id not in started:
            yield Found(f"the order {key} was acknowledged and is lost", payment_id)
        elif payment_id not in known:
            yield Found(f"the order {key} was acknowledged and nobody follows it", payment_id)


def _banks(readers: list[Reader]) -> Iterator[Found]:
    for reader in readers:
        for payment_id, said, account, believed, settled_by in reader.all(JOURNAL):
            if account != "TEST-CONTRADICT" and not settled_by and SAYS.get(said) not in (None, believed):
                yield Found(f"the bank says {said}, and its instruction is {believed}", payment_id)


def _called(readers: list[Reader]) -> Iterator[Found]:
    """A person is called only for what no proof can settle: where the bank knows, and nothing is left to do, nobody is.

    It holds here, where every dead letter was retried and every subscription given back; in life people must do that.
    """
    for reader in readers:
        for payment_id, text, said in reader.all(CALLED):
            yield Found(f"it needs attention for nothing ({text}); the bank says {said or 'nothing'}", payment_id)


def _observers(readers: list[Reader]) -> Iterator[Found]:
    """The saga, Disbursement and the tracker agree on each payment, and the tracker on their numbers."""
    for reader in readers:
        for payment_id, flow, status, phase in reader.all(
            "SELECT t.payment_id, t.flow, t.status, s.phase FROM tracker_payments t"
            " LEFT JOIN sagas s USING (payment_id)"
        ):
            if flow == "choreographed":
                if phase is not None:
                    yield Found("it is choreographed and has a saga: two drivers", payment_id)
            elif phase is None:
                yield Found("it is orchestrated and has no saga", payment_id)
            elif status not in PHASES.get(phase, {status}) or (phase == "forward" and status in FINAL):
                yield Found(f"its saga is {phase}, the tracker says {status}", payment_id)
        for payment_id, status, shown in reader.all(
            "SELECT o.payment_id, o.status, t.status FROM orders o JOIN tracker_payments t USING (payment_id)"
            " WHERE t.flow = 'choreographed' AND o.status <> 'started' AND o.status <> t.status"
            " AND t.status <> 'needs_attention'"
        ):
            yield Found(f"disbursement says {status}, the tracker {shown}", payment_id)
        counted = {status: number for status, number in reader.all("SELECT * FROM tracker_counts") if number}
        real: dict[str, int] = dict(reader.all("SELECT status, count(*) FROM tracker_payments GROUP BY status"))
        if counted != real:
            yield Found(f"the tracker counts {counted}, there are {real}", None)


def _flows(
    cells: list[SimulatedCell], readers: list[DiskReader], accepted: dict[str, str], orders: dict[str, Order]
) -> Iterator[Found]:
    """Twins, the same order in each flow: the same end with the same postings, and in the sum the same balances."""
    now = statuses(cells)
    twins: dict[str, list[tuple[str, Order]]] = defaultdict(list)
    for key, order in orders.items():
        if order.twin and key in accepted:
            twins[order.twin].append((accepted[key], order))
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for pair in twins.values():
        if len(pair) < 2:
            continue
        (one, order), (other, _) = pair
        ends = [now.get(payment_id, ("nothing", None)) for payment_id in (one, other)]
        if not all(status in FINAL and status != "cancelled" and code not in TIME_WAS_UP for status, code in ends):
            continue  # a person was called or has stopped it, or time was up: that depends on what came first
        if ends[0] != ends[1]:
            yield Found(f"{order.kind}: {one} ended as {ends[0]}, its twin as {ends[1]}", other)
        made = [_postings(readers, payment_id) for payment_id in (one, other)]
        if made[0] != made[1]:
            yield Found(f"{order.kind}: {one} made the postings {made[0]}, its twin {made[1]}", other)
        for (_, twin), postings in zip(pair, made, strict=True):
            for _, amount, currency, account in postings.elements():
                sums[str(twin.submit.flow)][f"{account} {currency}"] += amount
    if len(sums) > 1 and len({tuple(sorted(balances.items())) for balances in sums.values()}) > 1:
        yield Found(f"the flows leave different balances: {dict(sums)}", None)


def _journals(readers: dict[str, DiskReader]) -> Iterator[Found]:
    """Told again what it was told, each saga says again what it said; and what was paid has done all of its steps."""
    sagas = [row[0] for reader in readers.values() for row in reader.all("SELECT payment_id FROM sagas")]
    begun = Begun.now(readers)
    for start in range(0, len(sagas), CHUNK):
        for payment_id, journal in journals(readers, sagas[start : start + CHUNK], begun).items():
            found = difference(payment_id, journal, workflows.VERSIONS)
            if found is not None:
                said = f"journal {found.journal}, code {found.code or 'nothing'}"
                text = f"its journal does not replay under {journal.version}, {found.kind} after {found.after}: {said}"
                yield Found(text, payment_id)
            for step in _left_out(payment_id, journal):
                yield Found(f"it was paid, and {step} was never done", payment_id)


def _left_out(payment_id: str, journal: Journal) -> Iterator[str]:
    if journal.state.phase in EXECUTED:
        told = {type(line.envelope.message) for line in journal.lines if line.envelope.target == PREFIX + payment_id}
        for step in workflows.VERSIONS[journal.version].route(journal.state.order).steps:
            if isinstance(step, Step) and step.done not in told:
                yield step.name


def _postings(readers: list[DiskReader], payment_id: str) -> Counter[tuple[str, int, str, str]]:
    rows = [row for reader in readers for row in reader.all(POSTINGS, (payment_id, f"{payment_id}/return"))]
    return Counter((row[0], row[1], row[2], row[3]) for row in rows)
