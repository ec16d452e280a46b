"""Replication: each end copied into another database, never back in time, whatever is repeated or down."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.messaging import codec
from actors.messaging.codec import decode, encode
from actors.messaging.envelope import EVENT, Envelope
from actors.replication.actor import REPLICA, Replication
from actors.replication.messages import CopyPayment, CopyPayments, ReplicatePayment
from actors.replication.reactions import REACTIONS
from actors.replication.replica import CannotReplicate, Replica
from actors.replication.worker import ReplicationWorker
from actors.runtime.service import Answer, Handed
from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason
from config.settings import ReplicationSettings, Settings
from tests.fakes.orders import an_order
from tests.fakes.turn import FakeTurn, ServiceBench

codec.register(CopyPayments)

MIDNIGHT = 1_893_456_000_000_000  # 2030-01-01, UTC
LATE = Reason("AB06", "no answer from the bank")


def hear(bench: ServiceBench, message_id: str, status: str = "completed") -> FakeTurn:
    """An end of a payment, as the event `message_id` told it."""
    command = ReplicatePayment(status=status, order=an_order())
    return bench._run(command, Envelope(message_id, command, EVENT, "disbursement", "", "P000001-00"))


def version(turn: FakeTurn) -> int:
    """The version of the one copy that was handed over."""
    ((outbox, task),) = turn.tasks
    assert outbox == REPLICA
    assert isinstance(task, CopyPayments)
    assert decode(encode(task)) == task
    return task.copies[0].version


def test_a_repeated_event_gives_the_same_copy_and_a_later_one_a_newer() -> None:
    """A replayed log must not make old news newer than the truth."""
    bench = ServiceBench(Replication)
    first = version(hear(bench, "cell-0.1", "needs_attention"))
    bench.now += timedelta(seconds=1)
    second = version(hear(bench, "cell-0.9"))
    bench.now += timedelta(days=1)
    assert version(hear(bench, "cell-0.1", "needs_attention")) == first < second


def test_nothing_is_handed_over_where_replication_is_disabled() -> None:
    """The outbox would only grow."""
    bench = ServiceBench(Replication, Settings(replication=ReplicationSettings(enabled=False)))
    assert hear(bench, "cell-0.1").tasks == []


def test_the_copies_of_a_turn_go_as_one_task() -> None:
    """One row of the outbox, whatever the number of payments."""
    bench = ServiceBench(Replication)
    service = bench.service
    keep, FakeTurn.keep = FakeTurn.keep, lambda turn, actor: None  # type: ignore[method-assign]
    try:
        hear(bench, "cell-0.1")
        turn = hear(bench, "cell-0.2")
    finally:
        FakeTurn.keep = keep  # type: ignore[method-assign]
    service.write_back(turn)
    ((_, task),) = turn.tasks
    assert isinstance(task, CopyPayments)
    assert [each.version for each in task.copies] == [1, 2]


def test_every_end_is_copied_in_both_flows() -> None:
    """A saga publishes its ends too."""
    assert len(REACTIONS["*"]) == 5
    assert {on.flows for on in REACTIONS["*"]} == {("choreographed", "orchestrated")}


def copy(number: int = 1, status: str = "completed", version: int = 1, **changes: Any) -> CopyPayment:
    """One copy."""
    reason = LATE if status == "needs_attention" else None
    return CopyPayment(status=status, order=an_order(number, **changes), reason=reason, version=version, at=MIDNIGHT)


def rows(data: Path, columns: str = "payment_id, status") -> list[tuple[Any, ...]]:
    """What a report reads."""
    with sqlite3.connect(data / "replica" / "payments.db") as connection:
        return connection.execute(f"SELECT {columns} FROM payments ORDER BY payment_id").fetchall()


def test_a_copy_holds_the_order_and_what_became_of_it(tmp_path: Path) -> None:
    """A report needs no other source."""
    Replica("", tmp_path).write([copy(status="needs_attention")])
    columns = "status, reason, reason_text, amount_minor, amount, currency, creditor_name, created_at, updated_at"
    midnight = "2030-01-01T00:00:00+00:00"
    assert rows(tmp_path, columns) == [
        ("needs_attention", "AB06", LATE.text, 1250, "12.50", "EUR", "Erika Mustermann", midnight, midnight)
    ]


def test_an_older_copy_never_takes_a_newer_ones_place(tmp_path: Path) -> None:
    """Neither in one batch nor in two."""
    replica = Replica("", tmp_path)
    replica.write([copy(1, "completed", 2), copy(1, "needs_attention", 1)])
    assert rows(tmp_path) == [("P000001-00", "completed")]
    replica.write([copy(1, "needs_attention", 1)])
    assert rows(tmp_path) == [("P000001-00", "completed")]
    replica.write([copy(1, "returned", 3)])
    assert rows(tmp_path) == [("P000001-00", "returned")]


def test_copying_again_changes_nothing(tmp_path: Path) -> None:
    """The outbox gives a task at least once."""
    replica = Replica("", tmp_path)
    for _ in range(2):
        replica.write([copy(number) for number in range(3)])
    assert len(rows(tmp_path)) == 3


def test_amounts_keep_their_currencys_decimals(tmp_path: Path) -> None:
    """700 yen are 700, not 7.00."""
    Replica("", tmp_path).write([copy(amount=Money(700, "JPY"))])
    assert rows(tmp_path, "amount") == [("700",)]


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("no url", "is not a SQLAlchemy URL"),
        ("mysql://x", "mysql is not supported"),
        ("oracle+nothing://x", "oracle is not supported"),
        ("postgresql+nothing://u:secret@h/d", "no known driver"),
        ("postgresql+psycopg2://u:secret@h/d", "needs the Python package psycopg2"),
    ],
)
def test_a_url_that_cant_be_used_is_refused_with_one_sentence(url: str, part: str, tmp_path: Path) -> None:
    """At the start, without a password in the text."""
    with pytest.raises(CannotReplicate, match=part) as refused:
        ReplicationWorker.for_cell(Settings(data=str(tmp_path), replication=ReplicationSettings(url=url)), "cell-0")
    assert "secret" not in str(refused.value)


class Bench:
    """A worker on a SQLite replica, whose time the test moves."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        self.answers: list[Answer] = []
        self.worker = ReplicationWorker(Replica("", data), now=lambda: self.now, chance=lambda: 1.0)
        self.worker.open(self.answers.extend)

    def perform(self, *copies: CopyPayment) -> list[int | None]:
        """Hand over copies, numbered by their orders; returns which tasks are finished so far."""
        self.worker.perform(
            [Handed(int(each.order.payment_id[1:7]), CopyPayments(copies=(each,)), "", False) for each in copies]
        )
        return [answer.finishes for answer in self.answers]


def test_a_batch_is_written_and_finished(tmp_path: Path) -> None:
    """Larger batches than one transaction takes, too."""
    bench = Bench(tmp_path)
    assert len(bench.perform(*[copy(number) for number in range(2_500)])) == 2_500
    assert len(rows(tmp_path)) == 2_500


def test_while_the_replica_is_down_copies_wait_in_their_order(tmp_path: Path) -> None:
    """Nothing is lost, and nothing is tried before its time."""
    blocked = tmp_path / "replica"
    blocked.write_text("a file where the directory should be")
    bench = Bench(tmp_path)
    assert bench.perform(copy(1)) == []
    due = bench.worker.due(bench.now)
    assert due == bench.now + timedelta(milliseconds=200)
    blocked.unlink()
    assert bench.perform(copy(2)) == []
    bench.now = due
    assert bench.perform() == [1, 2]
    assert bench.worker.due(bench.now) is None
    assert len(rows(tmp_path)) == 2


def test_the_pauses_grow_while_the_replica_stays_down(tmp_path: Path) -> None:
    """A database that is being repaired is left in peace."""
    (tmp_path / "replica").write_text("in the way")
    bench = Bench(tmp_path)
    pauses = []
    bench.perform(copy(1))
    for _ in range(9):
        due = bench.worker.due(bench.now)
        assert due is not None
        pauses.append((due - bench.now).total_seconds())
        bench.now = due
        bench.perform()
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]


def test_a_replica_that_comes_back_gets_what_has_gathered_in_growing_batches(tmp_path: Path) -> None:
    """A database that has just been repaired is not trampled; nothing is lost, nothing overtakes."""
    blocked = tmp_path / "replica"
    blocked.write_text("in the way")
    bench = Bench(tmp_path)
    assert bench.perform(*[copy(number) for number in range(200)]) == []
    blocked.unlink()
    sizes = []
    while len(bench.answers) < 200:
        due = bench.worker.due(bench.now)
        assert due is not None
        assert due >= bench.now
        bench.now = due
        before = len(bench.answers)
        finished = bench.perform()
        sizes.append(len(finished) - before)
    assert sizes == [8, 16, 32, 64, 80]
    assert finished == list(range(200))
    assert bench.worker.due(bench.now) is None
