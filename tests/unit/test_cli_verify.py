"""`verify` finds what does not hold, names the payment, and finds nothing where all is well."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.admin.verify import LOOKS, Found, verify_data
from actors.directory import log
from actors.disbursement.messages import StartPayment
from actors.execution.simulated_rail import SCHEMA, journal_path
from actors.ledger.messages import AccountDebited, DebitAccount
from actors.messaging import codec
from actors.messaging.envelope import COMMAND, REPLY, Envelope
from actors.runtime.service import Record
from actors.store.sqlite import SqliteSession
from actors.vocabulary.money import Money
from tests.fakes.stores import MICROS, NOW, keep_payment, open_store, order, seal

codec.register(StartPayment, DebitAccount, AccountDebited)

PAID = "P1-00"
CLEARING = "clearing:simulated:EUR"


class World:
    """A stopped system's data in which one payment was paid; a test bends it and asks what is found."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.session: SqliteSession = open_store(data)
        path = journal_path(data, "cell-0")
        path.parent.mkdir()
        self.rail = sqlite3.connect(path, isolation_level=None)
        self.rail.execute("PRAGMA journal_mode = WAL")
        self.rail.executescript(SCHEMA)

    def write(self, sql: str, *parameters: object) -> None:
        """Change the cell's store."""
        self.session.write(sql, parameters)

    def accept(self, payment_id: str, status: str, reason: str | None = None) -> None:
        """An order accepted, started and seen by the tracker."""
        start = codec.encode(StartPayment(order=order(payment_id)))
        self.write("INSERT INTO claims VALUES (?, x'00', ?)", f"key-{payment_id}", payment_id)
        self.write("INSERT INTO orders (payment_id, start) VALUES (?, ?)", payment_id, start)
        keep_payment(self.session, payment_id, status, reason)

    def pay(self, payment_id: str) -> None:
        """Everything that a completed payment of 12.50 leaves behind."""
        self.accept(payment_id, "completed")
        self.debit(payment_id, "posted")
        for account, amount in (("ACC-1", -1250), (CLEARING, 1250)):
            self.post(account, payment_id, "payment", amount)
        self.screen(payment_id, "cleared")
        self.instruct(payment_id, "executed", "executed")

    def open_account(self, account: str, deposit: int) -> None:
        """An account with money on it."""
        for name in (account, "funding:EUR", CLEARING):
            self.write("INSERT INTO accounts (account_id, currency) VALUES (?, 'EUR')", name)
        self.post(account, "opening", "deposit", deposit)
        self.post("funding:EUR", "opening", "deposit", -deposit)

    def post(self, account: str, reference: str, kind: str, amount: int) -> None:
        """One posting, and what it does to the balance."""
        self.write("INSERT INTO postings VALUES (?, ?, ?, ?, ?, 'EUR')", account, MICROS, reference, kind, amount)
        self.write("UPDATE accounts SET posted = posted + ? WHERE account_id = ?", amount, account)

    def debit(self, payment_id: str, state: str) -> None:
        """A debit of 12.50."""
        self.write(
            "INSERT INTO debits (debit_id, account_id, clearing_id, amount, currency, state)"
            " VALUES (?, 'ACC-1', ?, 1250, 'EUR', ?)",
            payment_id,
            CLEARING,
            state,
        )
        if state == "pending":
            self.write("UPDATE accounts SET pending = pending + 1250 WHERE account_id = 'ACC-1'")

    def screen(self, payment_id: str, verdict: str) -> None:
        """A recorded screening."""
        self.write(
            "INSERT INTO aml_screenings VALUES (?, 'x', NULL, NULL, ?, '', NULL, '', ?, 0)", payment_id, verdict, MICROS
        )

    def instruct(self, payment_id: str, gate: str, journal: str | None) -> None:
        """A recorded instruction, and the rail's line about it."""
        self.write(
            "INSERT INTO executions (payment_id, instruction_id, state, reply_to, workflow, amount, currency,"
            " recorded_at, changed_at, command) VALUES (?, ?, ?, '', '', 1250, 'EUR', ?, ?, x'00')",
            payment_id,
            payment_id,
            gate,
            MICROS,
            MICROS,
        )
        if journal is not None:
            self.journal(payment_id, payment_id, journal)

    def journal(self, instruction_id: str, payment_id: str, state: str) -> None:
        """A line of the rail's journal."""
        self.rail.execute(
            "INSERT INTO instructions VALUES (?, ?, 1250, 'EUR', 'X', ?, 1, ?, NULL, 0, NULL)",
            (instruction_id, payment_id, state, MICROS),
        )

    def found(self) -> list[Found]:
        """What verify says."""
        seal(self.session)
        self.session.commit()
        document = verify_data(self.data, pause=lambda seconds: None)
        self.session.begin()
        assert document["ok"] is not bool(document["violations"])
        assert document["ok"] is all(check["ok"] for check in document["checks"])
        return [Found(**violation) for violation in document["violations"]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world in which all is well."""
    made = World(tmp_path)
    made.open_account("ACC-1", 100_000)
    made.pay(PAID)
    yield made
    made.session.close()
    made.rail.close()


def test_where_all_is_well_nothing_is_found(world: World) -> None:
    """And every check says how much it looked at."""
    assert world.found() == []
    document = verify_data(world.data)
    assert {check["name"]: check["checked"] for check in document["checks"]}["executed at most once"] == 1


def test_an_order_on_its_way_to_another_cell_is_not_lost(world: World) -> None:
    """It waits in a link, and will arrive."""
    message = StartPayment(order=order("P2-00"))
    envelope = Envelope("m", message, COMMAND, "disbursement", "disbursement")
    world.write("INSERT INTO claims VALUES ('key-2', x'00', 'P2-00')")
    world.write("INSERT INTO links_out VALUES ('cell-1', 1, ?)", codec.pack(codec.envelope_fields(envelope)))
    assert world.found() == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE debits SET state = 'pending'", "completed, but its debit is pending"),
        ("UPDATE debits SET state = 'refused'", "completed, but its debit is refused"),
        ("UPDATE tracker_payments SET status = 'rejected'", "rejected, but its debit is posted"),
        ("UPDATE tracker_payments SET status = 'cancelled'", "cancelled, but the rail executed it"),
        ("UPDATE executions SET state = 'in_doubt'", "in doubt, but its debit is posted"),
        ("UPDATE executions SET state = 'stopped'", "never recorded"),
        ("DELETE FROM executions", "never recorded"),
        ("UPDATE aml_screenings SET verdict = 'blocked'", "screened as blocked"),
        ("DELETE FROM aml_screenings", "screened as nothing"),
        ("DELETE FROM tracker_payments", "no status is known"),
        ("UPDATE tracker_payments SET status = 'executing', deadline = NULL", "without any deadline"),
        ("UPDATE tracker_payments SET status = 'needs_attention', reason = NULL", "nobody says why"),
        ("UPDATE tracker_payments SET status = 'held'", "no open case"),
        ("UPDATE tracker_payments SET amount = 1", "another amount"),
        ("DELETE FROM orders", "not started anywhere"),
        ("DELETE FROM claims", "stands for 0 idempotency keys"),
    ],
)
def test_what_does_not_hold_is_found_and_names_the_payment(world: World, sql: str, said: str) -> None:
    """Whoever reads it knows where to look."""
    world.write(sql)
    found = world.found()
    assert any(each.payment_id == PAID and said in each.text for each in found), found


def test_an_earlier_instruction_that_was_executed_after_all_is_found(world: World) -> None:
    """The next one was rejected and the debit voided: the money has left, and only the rail's journal tells."""
    columns = "instruction_id, payment_id, attempt, settled_by, recorded_at, rejected_at"
    kept = "SELECT instruction_id, payment_id, 1, '', 0, 0 FROM executions"
    world.write(f"INSERT INTO execution_attempts ({columns}) {kept}")
    world.write("UPDATE executions SET instruction_id = 'P1-00.2', attempt = 2, state = 'rejected'")
    world.write("UPDATE debits SET state = 'voided'")
    world.write("UPDATE tracker_payments SET status = 'rejected'")
    said = {each.text for each in world.found()}
    assert "rejected, but the rail executed an earlier instruction of it" in said
    assert not any("never recorded" in each for each in said)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE accounts SET posted = posted + 1 WHERE account_id = 'ACC-1'", "its postings sum to"),
        ("UPDATE accounts SET pending = 5 WHERE account_id = 'ACC-1'", "its pending debits sum to"),
        ("INSERT INTO postings VALUES ('ACC-1', 1, 'x', 'odd', 7, 'EUR')", "not to zero"),
        ("UPDATE accounts SET overdraft = -1000000 WHERE account_id = 'ACC-1'", "less than nothing"),
        ("UPDATE debits SET amount = 1", "its payments and returns make"),
    ],
)
def test_books_that_do_not_balance_are_found(world: World, sql: str, said: str) -> None:
    """Money neither appears nor vanishes."""
    world.write(sql)
    assert any(said in each.text for each in world.found())


def test_a_payment_that_the_rail_executed_twice_is_found(world: World) -> None:
    """Under whatever instruction."""
    world.journal("another", PAID, "executed")
    assert any("executed it 2 times" in each.text and each.payment_id == PAID for each in world.found())


def test_a_payment_posted_on_a_persons_word_holds(world: World) -> None:
    """The rail is silent, somebody has seen the statement."""
    world.rail.execute("UPDATE instructions SET state = 'unknown'")
    assert world.found()
    world.write("UPDATE executions SET settled_by = 'operator'")
    assert world.found() == []


def test_a_payment_in_doubt_holds_while_its_debit_is_pending(world: World) -> None:
    """It needs attention, with a reason; nothing is wrong with the books."""
    world.accept("P2-00", "needs_attention", "AB05")
    world.debit("P2-00", "pending")
    world.screen("P2-00", "cleared")
    world.instruct("P2-00", "in_doubt", "executed")
    assert world.found() == []


def test_a_message_without_a_recorded_cause_is_found(world: World) -> None:
    """A payment's events form one tree."""
    debit = DebitAccount(debit_id=PAID, account_id="ACC-1", amount=Money(1, "EUR"))
    sent = [
        Envelope("m-1", debit, COMMAND, "saga", "ledger", PAID, "c-0"),
        Envelope("m-2", AccountDebited(debit_id=PAID), REPLY, "ledger", "saga", PAID, "m-1"),
        Envelope("m-3", AccountDebited(debit_id=PAID), REPLY, "ledger", "saga", PAID, "m-9"),
    ]
    log.append(world.session, 1, NOW, [Record(at, NOW, each, None, ()) for at, each in enumerate(sent, 1)])
    (found,) = world.found()
    assert found == Found(
        "a payment's events form one tree", PAID, "AccountDebited names the cause m-9, which nobody recorded"
    )


def test_what_goes_away_by_itself_is_no_violation(world: World) -> None:
    """An answer on its way is looked at again before anything is said."""
    world.write("UPDATE tracker_payments SET status = 'executing', deadline = 1")
    seal(world.session)
    world.session.commit()
    looks = []

    def settle(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == LOOKS - 1:
            world.session.begin()
            world.write("UPDATE tracker_payments SET status = 'completed', deadline = NULL")
            world.session.commit()

    assert verify_data(world.data, pause=settle)["ok"]
    world.session.begin()


def test_a_cell_that_never_handed_anything_over_is_checked_too(tmp_path: Path) -> None:
    """There is no journal yet."""
    open_store(tmp_path).close()
    assert verify_data(tmp_path)["ok"]
