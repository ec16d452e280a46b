"""What must always hold, checked on the stores of all cells and the rail's journals, read-only.

Works on a running system: each store is read in one transaction, and what is found then is looked for again a
moment later, since stores and journals can't be read at the same instant. Only what stays is a violation.
An instruction that the rail has and its cell doesn't know yet, an answer on its way, an order between two
cells: all of that moves on, and is nobody's fault.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from actors.admin.merged import MergedReader, between, kept_back
from actors.admin.reading import Reading, cells_of
from actors.messaging.codec import CannotDecode
from actors.store.head import head_path, read_head
from actors.store.placement import recorded_placement
from actors.store.session import Reader
from actors.store.soundness import ADVICE
from actors.store.sqlite import uri_to_read

LOOKS: Final = 4  # how often a finding is looked for before it counts
PAUSE_SECONDS: Final = 0.5
OVERDUE_GRACE: Final = timedelta(seconds=60)  # a sweep may be this late before a payment counts as stuck
LINES: Final = 400_000  # newest lines of a cell's log whose causes are checked
_ROOTS: Final = frozenset(("timer", "operator"))  # kinds of message that need no cause: a clock's or a person's act
# How the ids of messages from outside begin, and those of timers: one may serve many payments, in nobody's story.
_OUTSIDE: Final = ("client-", "timer/")

ENDED: Final = "('completed', 'rejected', 'cancelled', 'returned')"
MOVING: Final = "('received', 'debiting', 'screening', 'executing', 'compensating')"
PAID: Final = "('executed', 'returned')"  # what the rail's journal says of money that has left

SEALED: Final = "log and postings are as they were written, nothing is missing or added"
PAGES: Final = "every page of the files is whole"


class Found(NamedTuple):
    """A thing that does not hold."""

    check: str
    payment_id: str | None
    text: str


class Check(NamedTuple):
    """One thing that must hold: what it looks at is counted by `number`, its exceptions are found by `sql`.

    `sql` yields payment id and sentence; tables of the rail's journal are `rail.…`. `always`: it holds in all cells
    together at every moment, also for a payment of which something is on its way between them or kept back by a pause.
    """

    name: str
    number: str
    sql: tuple[str, ...]
    always: bool = False


_JOINED: Final = """FROM tracker_payments t
    LEFT JOIN debits d ON d.debit_id = t.payment_id
    LEFT JOIN credits c ON c.credit_id = t.payment_id
    LEFT JOIN executions e ON e.payment_id = t.payment_id
    LEFT JOIN rail.instructions r ON r.instruction_id = e.instruction_id"""

# A payment's money is held by a debit, a refund's by a credit: neither has both.
_HELD: Final = "coalesce(d.state, c.state)"

CHECKS: Final = (
    Check(
        "executed at most once",
        "SELECT count(*) FROM rail.instructions",
        (
            f"""SELECT payment_id, 'the rail executed it ' || count(*) || ' times' FROM rail.instructions
                WHERE state IN {PAID} GROUP BY payment_id HAVING count(*) > 1""",
        ),
        always=True,
    ),
    Check(
        "completed exactly if executed and posted",
        "SELECT count(*) FROM tracker_payments WHERE status = 'completed'",
        (
            f"""SELECT t.payment_id, 'completed, but its debit is ' || coalesce(d.state, c.state, 'not made') {_JOINED}
                WHERE t.status = 'completed' AND coalesce(d.state, c.state, '') <> 'posted'""",
            f"""SELECT t.payment_id, 'completed, but the rail says ' || coalesce(r.state, 'nothing') {_JOINED}
                WHERE t.status = 'completed' AND coalesce(r.state, '') NOT IN {PAID}
                AND coalesce(e.settled_by, '') = ''""",
            f"""SELECT t.payment_id, 'its debit is posted, but it is ' || t.status {_JOINED}
                WHERE {_HELD} = 'posted' AND t.status NOT IN ('completed', 'returned', 'needs_attention')""",
        ),
    ),
    Check(
        "rejected or cancelled exactly if voided or never debited, and not executed",
        "SELECT count(*) FROM tracker_payments WHERE status IN ('rejected', 'cancelled')",
        (
            f"""SELECT t.payment_id, t.status || ', but its debit is ' || {_HELD} {_JOINED}
                WHERE t.status IN ('rejected', 'cancelled') AND {_HELD} IN ('pending', 'posted')""",
            f"""SELECT t.payment_id, t.status || ', but the rail executed it' {_JOINED}
                WHERE t.status IN ('rejected', 'cancelled') AND r.state IN {PAID}""",
            f"""SELECT t.payment_id, t.status || ', but the rail executed an earlier instruction of it'
                FROM execution_attempts p JOIN rail.instructions r ON r.instruction_id = p.instruction_id
                JOIN tracker_payments t ON t.payment_id = p.payment_id
                WHERE t.status IN ('rejected', 'cancelled') AND r.state IN {PAID}""",
            f"""SELECT t.payment_id, 'its debit is voided, but it is ' || t.status {_JOINED}
                WHERE {_HELD} = 'voided' AND t.status NOT IN ('rejected', 'cancelled', 'needs_attention')""",
        ),
    ),
    Check(
        "in doubt exactly while the debit is pending",
        "SELECT count(*) FROM executions WHERE state IN ('in_doubt', 'in_doubt_unsent')",
        (
            f"""SELECT t.payment_id, 'in doubt, but its debit is ' || coalesce(d.state, c.state, 'not made') {_JOINED}
                WHERE e.state IN ('in_doubt', 'in_doubt_unsent') AND coalesce(d.state, c.state, '') <> 'pending'""",
            f"""SELECT t.payment_id, 'in doubt, but it is ' || t.status {_JOINED}
                WHERE e.state IN ('in_doubt', 'in_doubt_unsent') AND t.status <> 'needs_attention'""",
            f"""SELECT t.payment_id, t.status || ', but its debit is still pending' {_JOINED}
                WHERE t.status IN {ENDED} AND {_HELD} = 'pending'""",
        ),
    ),
    Check(
        "clearing accounts agree with the rail's journal",
        "SELECT count(*) FROM rail.instructions",
        (
            f"""SELECT t.payment_id, 'the rail executed it, the ledger has not posted it, and it is ' || t.status
                {_JOINED} LEFT JOIN returns b ON b.debit_id = t.payment_id
                WHERE r.state = 'executed' AND (coalesce(d.state, c.state, '') <> 'posted' OR b.debit_id IS NOT NULL)
                AND t.status IN {ENDED}""",
            f"""SELECT t.payment_id, 'posted, but the rail says ' || coalesce(r.state, 'nothing')
                {_JOINED} LEFT JOIN returns b ON b.debit_id = t.payment_id
                WHERE {_HELD} = 'posted' AND b.debit_id IS NULL AND coalesce(r.state, '') NOT IN {PAID}
                AND coalesce(e.settled_by, '') = ''""",
            f"""SELECT t.payment_id, 'the rail has another amount than the order' {_JOINED}
                WHERE r.instruction_id IS NOT NULL AND (r.amount <> t.amount OR r.currency <> t.currency)""",
            """SELECT NULL, a.account_id || ' has ' || a.posted || ' minor units, its payments and returns make '
                || coalesce(x.total, 0) FROM accounts a LEFT JOIN (
                    SELECT name, sum(amount) AS total FROM (
                        SELECT d.clearing_id AS name, CASE WHEN b.debit_id IS NULL THEN d.amount ELSE 0 END AS amount
                        FROM debits d LEFT JOIN returns b ON b.debit_id = d.debit_id WHERE d.state = 'posted'
                        UNION ALL SELECT clearing_id, -amount FROM credits WHERE state = 'posted'
                    ) AS moved GROUP BY name) x ON x.name = a.account_id
                WHERE a.account_id >= 'clearing:' AND a.account_id < 'clearing;'
                AND a.posted <> coalesce(x.total, 0)""",
        ),
    ),
    Check(
        "no instruction without a standing debit and a recorded clearance",
        "SELECT count(*) FROM rail.instructions",
        (
            """SELECT r.payment_id, 'the rail has an instruction that was never recorded'
                FROM rail.instructions r LEFT JOIN executions e ON e.instruction_id = r.instruction_id
                AND e.payment_id = r.payment_id
                LEFT JOIN execution_attempts p ON p.instruction_id = r.instruction_id AND p.payment_id = r.payment_id
                WHERE p.payment_id IS NULL AND (e.payment_id IS NULL OR e.state = 'stopped')""",
            """SELECT r.payment_id, 'instructed with a debit that is ' || coalesce(d.state, c.state, 'not made')
                FROM rail.instructions r LEFT JOIN debits d ON d.debit_id = r.payment_id
                LEFT JOIN credits c ON c.credit_id = r.payment_id
                WHERE coalesce(d.state, c.state, '') NOT IN ('pending', 'posted', 'voided')""",
            """SELECT r.payment_id, 'instructed, but screened as ' || coalesce(nullif(s.verdict, ''), 'nothing')
                FROM rail.instructions r LEFT JOIN aml_screenings s ON s.screening_id = r.payment_id
                WHERE coalesce(s.verdict, '') <> 'cleared'""",
        ),
        always=True,
    ),
    Check(
        "a day's limits are what its checks have counted",
        "SELECT count(*) FROM limit_checks",
        (
            """SELECT NULL, d.account_id || ' has counted ' || d.amount || ' minor units of ' || d.currency || ' on '
                || d.day || ', its checks make ' || coalesce(sum(c.amount), 0) FROM limit_days d
                LEFT JOIN limit_checks c ON c.account_id = d.account_id AND c.currency = d.currency
                AND c.day = d.day AND c.state = 'within' GROUP BY d.account_id, d.currency, d.day
                HAVING d.amount <> coalesce(sum(c.amount), 0)""",
        ),
    ),
    Check(
        "every accepted payment ends or waits for a person, with a reason",
        "SELECT count(*) FROM orders",
        (
            """SELECT o.payment_id, 'accepted, but no status is known of it' FROM orders o
                LEFT JOIN tracker_payments t ON t.payment_id = o.payment_id WHERE t.payment_id IS NULL""",
            f"""SELECT payment_id, status || ' without any deadline' FROM tracker_payments
                WHERE status IN {MOVING} AND deadline IS NULL""",
            """SELECT payment_id, 'needs attention, but nobody says why' FROM tracker_payments
                WHERE status = 'needs_attention' AND reason IS NULL AND reason_text = ''""",
            """SELECT t.payment_id, 'held, but there is no open case, no approval asked for, and no date waited for'
                FROM tracker_payments t
                LEFT JOIN aml_cases c ON c.payment_id = t.payment_id AND c.status = 'open'
                LEFT JOIN approvals a ON a.payment_id = t.payment_id AND a.status = 'open'
                LEFT JOIN timers w ON w.owner = 'payment/' || t.payment_id
                WHERE t.status = 'held' AND c.case_id IS NULL AND a.approval_id IS NULL AND w.owner IS NULL""",
        ),
    ),
)
_STUCK: Final = f"""SELECT payment_id, status || ', and its deadline has passed long ago' FROM tracker_payments
    WHERE status IN {MOVING} AND deadline < ?"""


def verify_data(data: Path, *, deep: bool = False, pause: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Check a data directory (or a backup), whether its system runs or not; with `deep` every page of its files.

    Returns `ok`, `checks` (`name`, `ok`, `checked`) and `violations` (`check`, `payment_id`, `text`).
    """
    found, counted = look(data)
    for _ in range(LOOKS - 1):
        if not found:
            break
        pause(PAUSE_SECONDS)
        again, _ = look(data)
        found = [each for each in found if _same(each, again)]
    if deep:
        found += _pages(data, counted)
    broken = {each.check for each in found}
    return {
        "ok": not found,
        "checks": [{"name": name, "ok": name not in broken, "checked": number} for name, number in counted.items()],
        "violations": [each._asdict() for each in found],
    }


def look(data: Path) -> tuple[list[Found], dict[str, int]]:
    """Everything that does not seem to hold just now, and how much each check looked at."""
    from actors.runtime.launch import is_running

    now = datetime.now(UTC) if is_running(data) else None
    heads = {cell: read_head(head_path(data, cell)) for cell in cells_of(data)}  # before what they speak of
    reading = Reading.open(data)
    try:
        cells: dict[str, Reader] = {}
        damaged: list[Found] = []
        for cell, reader in reading.readers.items():
            try:
                _attach_journal(reader, data, cell)
                _add_newer_tables(reader)
                reader.one("BEGIN")  # every statement sees the store as it was at the first
                cells[cell] = reader
            except sqlite3.Error as error:
                damaged.append(_unreadable(f"the store of {cell}", error))
        placement = recorded_placement(data)
        found, counted = look_at(cells, now, heads, whole=placement is None or placement.whole)
        return damaged + found, counted | ({PAGES: counted.get(PAGES, 0) + len(damaged)} if damaged else {})
    finally:
        reading.close()


def look_at(
    cells: Mapping[str, Reader], now: datetime | None, heads: Mapping[str, tuple[int, bytes] | None], *, whole: bool
) -> tuple[list[Found], dict[str, int]]:
    """The same in stores that are open, each in a transaction and with its cell's journal of the rail as `rail`.

    With `now`, payments whose deadline has long passed are found too. `heads` are the ends of the cells' seals as
    noted outside. Where not every cell hosts every service (`whole`), a payment is looked at in all of them as one.
    """
    from actors.messaging.discovery import register_messages

    counted: Counter[str] = Counter()
    found: list[Found] = []

    def look_into(what: str, check: Callable[[], Iterable[Found]]) -> None:
        try:
            found.extend(check())
        except (sqlite3.Error, CannotDecode) as error:
            found.append(_unreadable(what, error))
            counted[PAGES] += 1

    def payments(reader: Reader, unsettled: Set[str]) -> list[Found]:
        return [*_ledger(reader, counted), *_in_cell(reader, counted, now, unsettled)]

    def payments_apart() -> list[Found]:
        register_messages()
        merged = MergedReader(readers)
        _add_newer_tables(merged)
        return payments(merged, between(cells) | kept_back(readers))

    readers = list(cells.values())
    if whole:
        for cell, reader in cells.items():
            look_into(f"the store of {cell}", lambda reader=reader: payments(reader, kept_back([reader])))  # type: ignore[misc]
    else:
        look_into("a store", payments_apart)
    look_into("a store", lambda: _tree(readers, counted))
    for cell, reader in cells.items():
        look_into(
            f"the store of {cell}",
            lambda cell=cell, reader=reader: _seals(reader, counted, cell, heads.get(cell)),  # type: ignore[misc]
        )
    look_into("a store", lambda: _across(readers, counted))
    return found, dict(counted)


def _unreadable(what: str, error: Exception) -> Found:
    return Found(PAGES, None, f"{what} can't be read to its end ({error}): {ADVICE}")


def _ledger(reader: Reader, counted: Counter[str]) -> Iterator[Found]:
    from actors.ledger import queries

    name = "postings sum to zero, and balances to what they say"
    counted[name] += _number(reader, "SELECT count(*) FROM postings")
    for sentence in queries.violations(reader):
        subject = sentence.split()
        yield Found(name, subject[1] if subject[0] == "debit" else None, sentence)


def _in_cell(reader: Reader, counted: Counter[str], now: datetime | None, unsettled: Set[str]) -> Iterator[Found]:
    for check in CHECKS:
        counted[check.name] += _number(reader, check.number)
        for sql in check.sql:
            rows = reader.all(sql)
            yield from (Found(check.name, *row) for row in rows if check.always or row[0] not in unsettled)
    if now is not None:
        limit = int((now - OVERDUE_GRACE).timestamp() * 1_000_000)
        yield from (Found(CHECKS[-1].name, row[0], row[1]) for row in reader.all(_STUCK, (limit,)))


def _tree(readers: list[Reader], counted: Counter[str]) -> Iterator[Found]:
    """Every message of a payment but its first names a message of a log as its cause, its cell's or another's."""
    from actors.messaging.codec import unpack
    from actors.messaging.envelope import Envelope

    name = "a payment's events form one tree"
    known: set[int] = set()
    seen: set[str] = set()
    whole = True
    orphans: list[tuple[str, str, str]] = []
    for reader in readers:
        end = _number(reader, "SELECT coalesce(max(last_offset), 0) FROM log_parts")
        whole = whole and end <= LINES
        newest = reader.all("SELECT lines FROM log_parts WHERE last_offset > ? ORDER BY part_id", (end - LINES,))
        for line in (line for (packed,) in newest for line in unpack(packed)):
            counted[name] += 1
            fields = dict(zip(Envelope._fields, line[3], strict=False))
            payment_id, cause, message_id = fields["payment_id"], fields["causation_id"], fields["message_id"]
            known.add(hash(message_id))
            if not payment_id:
                continue
            first = payment_id not in seen
            seen.add(payment_id)
            # A timer, a person's act or the bank's own word begins something new.
            outside = fields["kind"] in _ROOTS or cause.startswith(_OUTSIDE) or (not cause and "/" in message_id)
            if not first and not outside and hash(cause) not in known:
                orphans.append((payment_id, fields["message"][0], cause))
    for payment_id, kind, cause in orphans:
        if hash(cause) not in known and (whole or not any(_recorded(reader, payment_id, cause) for reader in readers)):
            yield Found(name, payment_id, f"{kind} names the cause {cause or 'nothing'}, which nobody recorded")


def _seals(reader: Reader, counted: Counter[str], cell: str, head: tuple[int, bytes] | None) -> Iterator[Found]:
    """Log and postings are what the turns have written, and all of it: see `actors.runtime.seals`."""
    from actors.assembly import sealed
    from actors.runtime import seals

    if not reader.one("SELECT 1 FROM sqlite_master WHERE name = 'seals'"):
        return  # an older program's: its next start seals it
    checked = seals.check(reader, sealed(), head)
    counted[SEALED] += checked.rows
    for text, payment_id in checked.broken:
        yield Found(SEALED, payment_id, f"{cell}: {text}")


def _pages(data: Path, counted: dict[str, int]) -> list[Found]:
    """Every page of the stores and of the rail's journals, as SQLite sees them."""
    found, counted[PAGES] = [], counted.get(PAGES, 0)
    for path in (*sorted(data.glob("cells/*/store.db")), *sorted(data.glob("rail/*.db"))):
        try:
            with contextlib.closing(sqlite3.connect(uri_to_read(path), uri=True, timeout=5)) as connection:
                counted[PAGES] += int(connection.execute("PRAGMA page_count").fetchone()[0])
                (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.Error as error:
            verdict = str(error)
        if verdict != "ok":
            found.append(Found(PAGES, None, f"{path} is damaged ({verdict}): {ADVICE}"))
    return found


def _recorded(reader: Reader, payment_id: str, message_id: str) -> bool:
    """Whether a payment's own timeline has the message, older than the lines that were read."""
    from actors.directory import log
    from actors.messaging.discovery import register_messages

    register_messages()
    return any(record.envelope.message_id == message_id for record in log.timeline(reader, payment_id))


def _across(readers: Iterable[Reader], counted: Counter[str]) -> Iterator[Found]:
    """What only all cells together can tell: keys are claimed in one cell and their payments live in another."""
    name = "no accepted order is lost, no key pays twice"
    readers = list(readers)
    claims = [row for reader in readers for row in reader.all("SELECT payment_id, idempotency_key FROM claims")]
    under_way = set().union(*(_under_way(reader) for reader in readers))
    started = Counter(row[0] for reader in readers for row in reader.all("SELECT payment_id FROM orders"))
    claimed = Counter(payment_id for payment_id, _ in claims)
    counted[name] += len(claims)
    for key, number in Counter(key for _, key in claims).items():
        if number > 1:
            several = sorted(payment_id for payment_id, claimed_key in claims if claimed_key == key)
            yield Found(name, several[0], f"its key {key} is claimed in {number} cells, for {', '.join(several)}")
    for payment_id, key in claims:
        if payment_id not in started and payment_id not in under_way:
            yield Found(name, payment_id, f"accepted under the key {key}, and not started anywhere")
    for payment_id, number in started.items():
        if number > 1:
            yield Found(name, payment_id, f"started in {number} cells")
        if claimed[payment_id] != 1:
            yield Found(name, payment_id, f"stands for {claimed[payment_id]} idempotency keys")


def _under_way(reader: Reader) -> set[str]:
    """Payments whose start waits in a link to another cell, for a further try, or among the dead letters."""
    from actors.messaging.codec import CannotDecode, envelope_from, unpack
    from actors.messaging.discovery import register_messages

    register_messages()
    found = set()
    for table in ("links_out", "parked", "dead_letters"):
        for (packed,) in reader.all(f"SELECT envelope FROM {table}"):
            try:
                envelope = envelope_from(unpack(packed))
            except CannotDecode:
                continue
            order = getattr(envelope.message, "order", None)
            found.add(order.payment_id if order is not None else envelope.payment_id)
    return found


def _same(found: Found, again: list[Found]) -> bool:
    """Whether it is still there; a sentence about no payment may have changed its figures."""
    if found.payment_id is None:
        return any(other.check == found.check and other.payment_id is None for other in again)
    return any(other[:2] == found[:2] for other in again)


def _number(reader: Reader, sql: str) -> int:
    row = reader.one(sql)
    return int(row[0]) if row else 0


def _attach_journal(reader: Reader, data: Path, cell: str) -> None:
    """Make the rail's journal of a cell readable as `rail.…`; an empty one where nothing was handed over yet."""
    from actors.execution.simulated_rail import SCHEMA, journal_path

    path = journal_path(data, cell)
    if path.exists():
        reader.one("ATTACH ? AS rail", (uri_to_read(path),))
        if reader.one("SELECT 1 FROM rail.sqlite_master WHERE name = 'instructions'"):
            return
        reader.one("DETACH rail")  # the rail is just making it
    reader.one("ATTACH ':memory:' AS rail")
    table = SCHEMA.strip().partition(";")[0]
    reader.one(table.replace("IF NOT EXISTS instructions", "rail.instructions"))


_NEWER_TABLES: Final = {
    "credits": "credit_id TEXT PRIMARY KEY, debit_id TEXT, clearing_id TEXT, amount INTEGER, state TEXT",
    "approvals": "approval_id TEXT PRIMARY KEY, payment_id TEXT, status TEXT",
    "execution_attempts": "instruction_id TEXT PRIMARY KEY, payment_id TEXT",
    "limit_checks": "check_id TEXT PRIMARY KEY, account_id TEXT, currency TEXT, amount INTEGER, day TEXT, state TEXT",
    "limit_days": "account_id TEXT, currency TEXT, day TEXT, amount INTEGER",
}


def _add_newer_tables(reader: Reader) -> None:
    """Tables that came later than the last start over this store are read as empty ones."""
    for table, columns in _NEWER_TABLES.items():
        if not reader.one("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)):
            reader.one(f"CREATE TEMP TABLE {table} ({columns})")
