"""The Tracker as an actor: a row for each payment, counters, deadlines, and what can be asked of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actors.assembly import load_messages
from actors.directory.messages import ReactionFailed
from actors.disbursement.messages import (
    PaymentCancelled,
    PaymentCompleted,
    PaymentInitiated,
    PaymentNeedsAttention,
    PaymentRejected,
    StartPayment,
)
from actors.execution.messages import ExecutionStopped
from actors.ledger.messages import AccountDebited
from actors.messaging.envelope import COMMAND, EVENT, Envelope
from actors.messaging.message import Message
from actors.notification.messages import MailSkipped
from actors.runtime.service import CellContext, Observed, Record, Started
from actors.tracker import queries
from actors.tracker.actor import SWEEP, Tracker
from actors.tracker.messages import PaymentStalled, SweepDeadlines
from actors.vocabulary.order import PaymentFacts, PaymentOrder
from actors.vocabulary.reason import Reason
from config.settings import Settings, TrackerSettings
from tests.fakes.orders import an_order
from tests.fakes.turn import FakeTurn, ServiceBench

SETTINGS = Settings(tracker=TrackerSettings(stalled_after_seconds=30, executing_after_seconds=180, sweep_seconds=1))
load_messages()


class Reactions:
    """The directory's knowledge of who is missing, as the test says it."""

    def __init__(self, **missing: tuple[str, ...]) -> None:
        self._missing = missing

    def missing(self, event_type: str, workflow: str) -> tuple[str, ...]:
        """What `Subscriptions.missing` would say."""
        return self._missing.get(event_type, ())


@pytest.fixture
def bench() -> ServiceBench:
    """A tracker that nobody has told anything."""
    return ServiceBench(Tracker, SETTINGS, reactions=Reactions(AccountDebited=("aml",)))


def line(bench: ServiceBench, order: PaymentOrder, message: Message, progress: str | None) -> Record:
    """A line of the log about `order`."""
    kind = COMMAND if isinstance(message, StartPayment) else EVENT
    envelope = Envelope("m", message, kind, "a", "b", order.payment_id, flow=order.flow, workflow=order.workflow)
    return Record(1, bench.now, envelope, progress, ("aml",))


def observe(bench: ServiceBench, *lines: Record) -> FakeTurn:
    """One turn's lines."""
    return bench.tell(Observed(records=lines), payment_id="")


def begin(bench: ServiceBench, *orders: PaymentOrder, status: str = "received") -> FakeTurn:
    """Payments that have started in one turn."""
    lines = [line(bench, each, PaymentInitiated(facts=PaymentFacts(order=each)), status) for each in orders]
    return observe(bench, *lines)


def complete(bench: ServiceBench, order: PaymentOrder) -> FakeTurn:
    """The payment's end."""
    return observe(bench, line(bench, order, PaymentCompleted(order=order), "completed"))


def reject(bench: ServiceBench, order: PaymentOrder, code: str = "AM04") -> FakeTurn:
    """The payment's other end."""
    event = PaymentRejected(order=order, reason=Reason(code, "not enough money"))
    return observe(bench, line(bench, order, event, "rejected"))


def shown(bench: ServiceBench, order: PaymentOrder) -> dict[str, Any]:
    """What a user sees."""
    found = queries.payment(bench.session, order.payment_id)
    assert found is not None
    return found


def test_a_payment_is_shown_with_its_order_and_status(bench: ServiceBench) -> None:
    """These are the names that scripts rely on."""
    order = an_order(creditor={"email": "erika@example.org", "country": "DE"}, batch_id="B1")
    begin(bench, order)
    assert shown(bench, order) == {
        "payment_id": order.payment_id,
        "idempotency_key": "key-1",
        "duplicate": False,
        "status": "received",
        "reason": None,
        "reason_text": "",
        "flow": "choreographed",
        "workflow": "debit-first",
        "workflow_version": 1,
        "batch_id": "B1",
        "end_to_end_id": "E2E-1",
        "uetr": order.uetr,
        "debtor_account": "ACC-1",
        "creditor": {
            "name": "Erika Mustermann",
            "account": "DE02",
            "country": "DE",
            "email": "erika@example.org",
            "date_of_birth": None,
        },
        "remittance": "Invoice 4711",
        "amount": "12.50",
        "currency": "EUR",
        "created_at": "2030-01-01T00:00:00+00:00",
        "updated_at": "2030-01-01T00:00:00+00:00",
    }


def test_the_counters_agree_with_the_rows(bench: ServiceBench) -> None:
    """`status` reads them instead of counting all payments."""
    orders = [an_order(number) for number in range(600)]
    begin(bench, *orders)
    complete(bench, orders[0])
    complete(bench, orders[0])
    reject(bench, orders[1])
    counted = queries.counts(bench.session)
    assert {status: number for status, number in counted.items() if number} == {
        "received": 598,
        "completed": 1,
        "rejected": 1,
    }
    assert len(queries.payments(bench.session, limit=1000)) == 600


def test_a_whole_payment_in_one_turn_is_one_row_with_its_end(bench: ServiceBench) -> None:
    """Most payments start and are handed to the rail within one turn."""
    order = an_order()
    lines = [
        line(bench, order, StartPayment(order=order), "received"),
        line(bench, order, PaymentInitiated(facts=PaymentFacts(order=order)), "debiting"),
        line(bench, order, PaymentCompleted(order=order), "completed"),
        line(bench, order, MailSkipped(party="debtor", reason="none"), None),
    ]
    turn = observe(bench, *lines)
    assert shown(bench, order)["status"] == "completed"
    assert turn.timers == {}


def test_a_replayed_log_changes_nothing(bench: ServiceBench) -> None:
    """The tracker may be told to read the log again from its beginning."""
    order = an_order()
    begin(bench, order)
    complete(bench, order)
    before = (shown(bench, order), queries.counts(bench.session))
    bench.now += timedelta(days=1)
    begin(bench, order)
    assert (shown(bench, order), queries.counts(bench.session)) == before


def test_a_payment_of_another_partition_is_left_to_the_tracker_there() -> None:
    """An order is accepted where its key lives, and only passed on from there."""
    bench = ServiceBench(Tracker, SETTINGS)
    bench.service.prepare(CellContext("cell-1", SETTINGS, bench.session, {}, frozenset({1})))
    begin(bench, an_order(payment_id="P1-02"), an_order(payment_id="P1-01"))
    assert [each["payment_id"] for each in queries.payments(bench.session)] == ["P1-01"]


def test_a_choreographed_payment_that_halts_is_announced_with_what_is_missing(bench: ServiceBench) -> None:
    """The announcement comes back through the log and makes the status."""
    order = an_order()
    begin(bench, order)
    observe(bench, line(bench, order, AccountDebited(debit_id="x"), "debiting"))
    bench.now += timedelta(seconds=31)
    (stalled,) = bench.tell(SweepDeadlines(), payment_id="").published
    assert isinstance(stalled, PaymentStalled)
    assert stalled.missing == "aml"
    text = "nobody answered AccountDebited within 30 s: the reaction of aml is missing"
    assert stalled.reason.text == text
    observe(bench, line(bench, order, stalled, "needs_attention"))
    assert (shown(bench, order)["status"], shown(bench, order)["reason_text"]) == ("needs_attention", text)


def test_a_halt_is_announced_once(bench: ServiceBench) -> None:
    """The next sweep finds nothing to wait for."""
    begin(bench, an_order())
    bench.now += timedelta(seconds=31)
    assert len(bench.tell(SweepDeadlines(), payment_id="").published) == 1
    turn = bench.tell(SweepDeadlines(), payment_id="")
    assert (turn.published, turn.timers) == ([], {})


def test_a_payment_that_moves_on_after_its_halt_is_followed(bench: ServiceBench) -> None:
    """Somebody subscribed the missing reaction again."""
    order = an_order()
    begin(bench, order)
    bench.now += timedelta(seconds=31)
    (stalled,) = bench.tell(SweepDeadlines(), payment_id="").published
    observe(bench, line(bench, order, stalled, "needs_attention"))
    complete(bench, order)
    assert shown(bench, order)["status"] == "completed"


def test_a_payment_that_keeps_moving_is_not_announced(bench: ServiceBench) -> None:
    """Each line starts the clock anew."""
    order = an_order()
    begin(bench, order)
    bench.now += timedelta(seconds=20)
    observe(bench, line(bench, order, AccountDebited(debit_id="x"), "screening"))
    bench.now += timedelta(seconds=20)
    assert bench.tell(SweepDeadlines(), payment_id="").published == []


@pytest.mark.parametrize("status", ["held", "needs_attention", "completed"])
def test_nobody_is_called_for_a_payment_that_waits_for_a_person_or_has_ended(bench: ServiceBench, status: str) -> None:
    """AML watches the reviews; the rest waits for nothing."""
    turn = begin(bench, an_order(), status=status)
    assert turn.timers == {}
    bench.now += timedelta(days=30)
    assert bench.tell(SweepDeadlines(), payment_id="").published == []


def test_many_halted_payments_are_announced_in_bounded_sweeps(bench: ServiceBench) -> None:
    """One turn must not publish a hundred thousand events."""
    begin(bench, *[an_order(number) for number in range(201)])
    bench.now += timedelta(seconds=31)
    turn = bench.tell(SweepDeadlines(), payment_id="")
    assert len(turn.published) == 200
    assert turn.timers == {SWEEP: (timedelta(0), SweepDeadlines())}
    assert len(bench.tell(SweepDeadlines(), payment_id="").published) == 1


def test_sweeping_starts_with_the_first_open_payment_and_waits_for_the_next_deadline(bench: ServiceBench) -> None:
    """An idle system wakes for nothing, and a busy one sets no timer each turn."""
    assert begin(bench, an_order(1)).timers == {SWEEP: (timedelta(seconds=1), SweepDeadlines())}
    assert begin(bench, an_order(2)).timers == {}
    bench.now += timedelta(seconds=1)
    turn = bench.tell(SweepDeadlines(), payment_id="")
    assert turn.timers == {SWEEP: (timedelta(seconds=29), SweepDeadlines())}


def test_a_payment_that_needs_attention_has_done_so_since_it_first_did(bench: ServiceBench) -> None:
    """The oldest doubts would otherwise stand last in the list of what is stuck: the bank is asked again and again."""
    order = an_order()
    begin(bench, order, status="executing")
    bench.now += timedelta(seconds=10)
    doubt = PaymentNeedsAttention(order=order, reason=Reason("AB05", "no final answer"))
    observe(bench, line(bench, order, doubt, "needs_attention"))
    since = shown(bench, order)["updated_at"]
    bench.now += timedelta(seconds=60)
    observe(bench, line(bench, order, AccountDebited(debit_id=order.payment_id), None))
    again = PaymentNeedsAttention(order=order, reason=Reason("AB05", "still no answer"))
    observe(bench, line(bench, order, again, "needs_attention"))
    assert shown(bench, order)["updated_at"] == since
    assert shown(bench, order)["reason_text"] == "still no answer"
    complete(bench, order)
    assert shown(bench, order)["updated_at"] > since


def test_deadlines_are_prolonged_by_the_downtime(bench: ServiceBench) -> None:
    """Nobody could answer while the cell was down."""
    begin(bench, an_order())
    bench.now += timedelta(hours=1)
    bench.tell(Started(downtime=timedelta(hours=1)), payment_id="")
    assert bench.tell(SweepDeadlines(), payment_id="").published == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [3, 2, 1]),
        ({"limit": 1}, [3]),
        ({"status": "rejected"}, [2]),
        ({"status": "received"}, [3]),
        ({"status": "completed"}, [1]),
        ({"flow": "orchestrated"}, [1]),
        ({"debtor": "ACC-9"}, [3]),
        ({"batch": "B1"}, [2]),
        ({"reason": "AM04"}, [2]),
        ({"search": "mUSTer"}, [3, 2]),
        ({"search": "100%"}, []),
        ({"search": "E2E-1"}, [1]),
        ({"since": an_order().created_at + timedelta(hours=1)}, [3]),
        ({"until": an_order().created_at + timedelta(hours=1)}, [2, 1]),
        ({"status": "rejected", "flow": "orchestrated"}, []),
    ],
)
def test_payments_are_found_by_what_is_known_of_them(
    bench: ServiceBench, asked: dict[str, Any], found: list[int]
) -> None:
    """Conditions add up; the newest comes first."""
    first = an_order(1, flow="orchestrated", creditor={"name": "Kurt Klein"})
    second = an_order(2, batch_id="B1")
    third = an_order(3, debtor_account="ACC-9", created_at=an_order().created_at + timedelta(hours=2))
    begin(bench, first, second, third)
    complete(bench, first)
    reject(bench, second)
    numbers = [int(each["payment_id"][1:7]) for each in queries.payments(bench.session, **asked)]
    assert numbers == found


def test_a_batch_is_summed_by_currency_and_status(bench: ServiceBench) -> None:
    """Whoever submitted a file asks for these sums."""
    orders = [an_order(number, batch_id="B1") for number in range(3)]
    begin(bench, *orders, an_order(9))
    complete(bench, orders[0])
    assert queries.by_batch(bench.session, "B1") == [
        {"batch_id": "B1", "currency": "EUR", "status": "completed", "payments": 1, "amount": "12.50"},
        {"batch_id": "B1", "currency": "EUR", "status": "received", "payments": 2, "amount": "25.00"},
    ]


# Lines of other cells


def earlier(record: Record, seconds: float) -> Record:
    """The same line, as another cell logged it before this turn."""
    return record._replace(at=record.at - timedelta(seconds=seconds))


def started(bench: ServiceBench, order: PaymentOrder) -> Record:
    """The line that tells the order."""
    return line(bench, order, PaymentInitiated(facts=PaymentFacts(order=order)), "debiting")


def debited(bench: ServiceBench, order: PaymentOrder) -> Record:
    """A line that doesn't."""
    return line(bench, order, AccountDebited(debit_id=order.payment_id), "screening")


def kept(bench: ServiceBench) -> int:
    """How many lines wait for their payment's order."""
    return len(bench.session.all("SELECT 1 FROM tracker_early"))


def test_a_line_that_comes_before_its_payments_order_is_kept_until_that_comes(bench: ServiceBench) -> None:
    """Two cells' links are not equally fast, and no line may be lost by that."""
    order = an_order()
    observe(bench, earlier(debited(bench, order), 1))
    assert (queries.payment(bench.session, order.payment_id), kept(bench)) == (None, 1)
    observe(bench, earlier(started(bench, order), 2))
    assert (shown(bench, order)["status"], kept(bench)) == ("screening", 0)


def test_an_early_line_is_taken_up_by_a_row_that_a_line_of_the_trackers_own_cell_makes(bench: ServiceBench) -> None:
    """Where the tracker lives together with another service, the first that tells the order may come from there."""
    order = an_order()
    observe(bench, earlier(debited(bench, order), 1))
    observe(bench, started(bench, order))
    assert (shown(bench, order)["status"], kept(bench)) == ("debiting", 0)


def test_lines_of_other_cells_count_in_the_order_of_their_moments(bench: ServiceBench) -> None:
    """Whichever came first."""
    order = an_order()
    lines = (earlier(debited(bench, order), 1), earlier(started(bench, order), 2))
    observe(bench, *lines)
    assert shown(bench, order)["status"] == "screening"


def test_a_late_line_leads_no_payment_back(bench: ServiceBench) -> None:
    """A call for a person is not undone by what was known before it."""
    order = an_order()
    reason = Reason("AB05", "the bank is silent")
    observe(bench, earlier(started(bench, order), 9))
    stuck = line(bench, order, PaymentNeedsAttention(order=order, reason=reason), "needs_attention")
    observe(bench, earlier(stuck, 1))
    observe(bench, earlier(debited(bench, order), 5))
    assert (shown(bench, order)["status"], shown(bench, order)["reason"]) == ("needs_attention", "AB05")


def test_an_end_counts_though_a_line_that_came_of_it_was_here_before(bench: ServiceBench) -> None:
    """The mail about a payment may be heard of before its completion."""
    order = an_order()
    begin(bench, order, status="executing")
    mail = line(bench, order, MailSkipped(party="creditor", reason="no address"), None)
    done = line(bench, order, PaymentCompleted(order=order), "completed")
    bench.now += timedelta(seconds=9)
    observe(bench, mail._replace(at=bench.now - timedelta(seconds=1)))
    observe(bench, done._replace(at=bench.now - timedelta(seconds=2)))
    assert shown(bench, order)["status"] == "completed"


def test_what_was_heard_of_nothing_for_too_long_is_believed_when_it_is_heard(bench: ServiceBench) -> None:
    """A cell that was cut off has gone on all the while."""
    order = an_order()
    begin(bench, order)
    bench.now += timedelta(seconds=60)
    reason = Reason("NARR", "nothing was heard")
    stalled = PaymentStalled(payment_id=order.payment_id, last_message="PaymentInitiated", missing="", reason=reason)
    observe(bench, line(bench, order, stalled, "needs_attention"))
    observe(bench, earlier(line(bench, order, PaymentCompleted(order=order), "completed"), 30))
    assert shown(bench, order)["status"] == "completed"


def test_a_call_after_a_silence_is_not_undone_by_what_was_known_before_it(bench: ServiceBench) -> None:
    """What was heard of nothing may be undone by any line; a reason that somebody gave may not."""
    order = an_order()
    begin(bench, order)
    bench.now += timedelta(seconds=60)
    (stalled,) = bench.tell(SweepDeadlines(), payment_id="").published
    observe(bench, line(bench, order, stalled, "needs_attention"))
    bench.now += timedelta(seconds=60)
    stuck = PaymentNeedsAttention(order=order, reason=Reason("AB05", "the bank is silent"))
    observe(bench, earlier(line(bench, order, stuck, "needs_attention"), 1))
    observe(bench, earlier(debited(bench, order), 5))
    assert (shown(bench, order)["status"], shown(bench, order)["reason"]) == ("needs_attention", "AB05")


@pytest.mark.parametrize("silent", [False, True])
def test_an_end_counts_though_a_younger_line_of_another_cell_was_heard_before(
    bench: ServiceBench, silent: bool
) -> None:
    """A gate that is closed says so again to whoever comes late, maybe after the end; found by the simulator."""
    order = an_order()
    begin(bench, order)
    bench.now += timedelta(seconds=60)
    stopped = ExecutionStopped(instruction_id=order.payment_id, reason=Reason("CUST", "a mistake"), ending="cancelled")
    observe(bench, earlier(line(bench, order, stopped, "compensating"), 20))
    if silent:
        bench.now += timedelta(seconds=60)
        (stalled,) = bench.tell(SweepDeadlines(), payment_id="").published
        observe(bench, line(bench, order, stalled, "needs_attention"))
        assert shown(bench, order)["status"] == "needs_attention"
    end = PaymentCancelled(order=order, reason=Reason("CUST", "a mistake"))
    observe(bench, earlier(line(bench, order, end, "cancelled"), 90 if silent else 30))
    assert shown(bench, order)["status"] == "cancelled"


@pytest.mark.parametrize("subscriber", ["tracker", "notification"])
def test_an_end_that_is_heard_after_a_failure_to_take_it_counts(bench: ServiceBench, subscriber: str) -> None:
    """The tracker's letter is retried, or the end came over a slower link than the failure of a mail about it."""
    order = an_order()
    begin(bench, order, status="executing")
    bench.now += timedelta(seconds=9)
    done = line(bench, order, PaymentCompleted(order=order), "completed")
    missed = ReactionFailed(subscriber=subscriber, event_type="PaymentCompleted", dead_letter_id="D1", cause="x")
    failed = line(bench, order, missed, "needs_attention")
    observe(bench, earlier(failed, 1))
    called = "needs_attention" if subscriber == "tracker" else "executing"
    assert shown(bench, order)["status"] == called
    observe(bench, earlier(done, 2))
    assert shown(bench, order)["status"] == "completed"


def test_nobody_is_called_for_a_silence_that_ends_in_the_same_turn(bench: ServiceBench) -> None:
    """A frame of a cell whose clock is ahead brings the end and passes the deadline; found by the simulator."""
    order = an_order()
    begin(bench, order)
    bench.now += timedelta(seconds=60)
    turn = bench.tell(SweepDeadlines(), payment_id="")
    (stalled,) = [event for event in turn.published if isinstance(event, PaymentStalled)]
    done = line(bench, order, PaymentCompleted(order=order), "completed")
    observe(bench, earlier(done, 30), line(bench, order, stalled, "needs_attention"))
    assert shown(bench, order)["status"] == "completed"


def test_lines_of_a_payment_that_never_was_are_forgotten_after_a_day(bench: ServiceBench) -> None:
    """A mistyped id fills no table for ever."""
    observe(bench, earlier(debited(bench, an_order()), 1))
    bench.now += timedelta(hours=25)
    bench.tell(Started(downtime=timedelta(0)), payment_id="")
    assert kept(bench) == 0


def test_what_stands_is_told_to_whoever_asks_later(bench: ServiceBench) -> None:
    """A client that asks after the end is answered at once."""
    order = an_order()
    begin(bench, order)
    tracker: Any = bench.service
    assert tracker.standing(order.payment_id, ("PaymentCompleted", "PaymentRejected")) is None
    complete(bench, order)
    assert tracker.standing(order.payment_id, ("PaymentCompleted", "PaymentRejected")) == (
        "PaymentCompleted", "completed",
    )  # fmt: skip
    assert tracker.standing("P-none-00", ("PaymentCompleted",)) is None
