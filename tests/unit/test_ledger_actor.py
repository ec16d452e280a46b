"""The Ledger over an in-memory store: commands in, outcomes, postings and balances out."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from actors.aml.messages import BeneficiaryBlocked, BeneficiaryCleared
from actors.directory.reaction import On
from actors.disbursement.messages import PaymentInitiated
from actors.execution.messages import ExecutionRejected, ExecutionStopped, PaymentExecuted, ReturnReceived
from actors.ledger import model, queries
from actors.ledger.actor import Ledger
from actors.ledger.messages import (
    AccountClosed,
    AccountDebited,
    AccountOpened,
    AccountRefused,
    BookReturn,
    CloseAccount,
    DebitAccount,
    DebitExpiryDue,
    DebitExpiryReached,
    DebitPosted,
    DebitRefused,
    DebitVoided,
    DepositMoney,
    MoneyDeposited,
    OpenAccount,
    PostDebit,
    PostingRefused,
    ReturnBooked,
    ReturnSuspended,
    VoidDebit,
    VoidRefused,
)
from actors.ledger.reactions import REACTIONS
from actors.messaging import codec
from actors.vocabulary.money import Money
from actors.vocabulary.order import Creditor, PaymentFacts, PaymentOrder
from actors.vocabulary.reason import Reason
from tests.fakes.turn import SAGA, ServiceBench

P1 = "P1-00"
SANCTIONED = Reason("RR04", "on a watchlist")
DEBIT = DebitAccount(debit_id=P1, account_id="ACC-1", amount=Money(500, "EUR"))
VOID = VoidDebit(debit_id=P1, reason=SANCTIONED)
ORDER = PaymentOrder(
    payment_id=P1,
    idempotency_key="K-1",
    debtor_account="ACC-1",
    creditor=Creditor(name="Example Ltd", account="TEST-1"),
    amount=Money(500, "EUR"),
    end_to_end_id=P1,
    uetr="00000000-0000-4000-8000-000000000001",
    remittance="",
    flow="choreographed",
    workflow="debit-first",
    workflow_version=1,
    batch_id=None,
    created_at=datetime(2030, 1, 1, tzinfo=UTC),
)
FACTS = PaymentFacts(order=ORDER, screening_id="S-1")


@pytest.fixture
def ledger() -> ServiceBench:
    """A ledger with 10.00 EUR on ACC-1."""
    bench = ServiceBench(Ledger)
    bench.tell(OpenAccount(account_id="ACC-1", currency="EUR", deposit=1_000))
    return bench


def balances(bench: ServiceBench, account_id: str = "ACC-1") -> tuple[str, str, str]:
    """Posted, pending, available."""
    shown = queries.account(bench.session, account_id)
    assert shown is not None
    return shown["posted"], shown["pending"], shown["available"]


def test_a_new_account_is_answered_and_published(ledger: ServiceBench) -> None:
    """Others keep their own copy of the contact, so they must hear of it."""
    turn = ledger.tell(OpenAccount(account_id="ACC-2", currency="JPY", owner="Example KK", email="pay@example.jp"))
    opened = AccountOpened(account_id="ACC-2", currency="JPY", owner="Example KK", email="pay@example.jp")
    assert turn.answers == [opened]
    assert turn.published == [opened]


def test_opening_the_same_account_again_changes_and_publishes_nothing(ledger: ServiceBench) -> None:
    """Loading a file of accounts twice must not deposit twice."""
    turn = ledger.tell(OpenAccount(account_id="ACC-1", currency="EUR", deposit=1_000))
    assert turn.answers == [AccountOpened(account_id="ACC-1", currency="EUR", already=True)]
    assert turn.published == []
    assert balances(ledger) == ("10.00", "0.00", "10.00")


def test_opening_it_with_other_terms_is_refused(ledger: ServiceBench) -> None:
    """The sentence names what differs."""
    turn = ledger.tell(OpenAccount(account_id="ACC-1", currency="USD"))
    error = "account ACC-1 is open already, with currency EUR, not USD"
    assert turn.answers == [AccountRefused(account_id="ACC-1", error=error)]


def test_a_deposit_comes_from_funding_and_is_booked_once(ledger: ServiceBench) -> None:
    """Double entry from the first cent; a repeat is harmless."""
    command = DepositMoney(deposit_id="D-1", account_id="ACC-1", amount=Money(250, "EUR"))
    for _ in range(2):
        assert ledger.tell(command).answers == [MoneyDeposited(deposit_id="D-1", account_id="ACC-1")]
    assert balances(ledger) == ("12.50", "0.00", "12.50")
    assert balances(ledger, "funding:EUR")[0] == "-12.50"


def test_a_deposits_id_stands_for_one_deposit(ledger: ServiceBench) -> None:
    """Other content under a known id is refused, with what the id stands for."""
    ledger.tell(DepositMoney(deposit_id="D-1", account_id="ACC-1", amount=Money(250, "EUR")))
    turn = ledger.tell(DepositMoney(deposit_id="D-1", account_id="ACC-1", amount=Money(251, "EUR")))
    error = "deposit D-1 stands for 2.50 EUR to ACC-1; take another id"
    assert turn.answers == [AccountRefused(account_id="ACC-1", error=error)]


def test_a_deposit_to_nobody_is_refused_and_leaves_nothing(ledger: ServiceBench) -> None:
    """Its id stays free for the corrected command."""
    turn = ledger.tell(DepositMoney(deposit_id="D-1", account_id="ACC-9", amount=Money(250, "EUR")))
    assert isinstance(turn.answers[0], AccountRefused)
    turn = ledger.tell(DepositMoney(deposit_id="D-1", account_id="ACC-1", amount=Money(250, "EUR")))
    assert isinstance(turn.answers[0], MoneyDeposited)


def test_an_empty_account_closes_once(ledger: ServiceBench) -> None:
    """Published when it changes, answered every time."""
    ledger.tell(OpenAccount(account_id="ACC-2", currency="EUR"))
    first, again = ledger.tell(CloseAccount(account_id="ACC-2")), ledger.tell(CloseAccount(account_id="ACC-2"))
    assert first.answers == again.answers == [AccountClosed(account_id="ACC-2")]
    assert (len(first.published), len(again.published)) == (1, 0)


def test_an_account_with_money_does_not_close(ledger: ServiceBench) -> None:
    """It says how much is left."""
    turn = ledger.tell(CloseAccount(account_id="ACC-1"))
    error = "account ACC-1 can't be closed: 10.00 EUR is still on it"
    assert turn.answers == [AccountRefused(account_id="ACC-1", error=error)]


def test_a_debit_lowers_what_is_available_and_posts_nothing(ledger: ServiceBench) -> None:
    """Two phases: the money is held, not gone."""
    turn = ledger.tell(DEBIT)
    assert turn.answers == [AccountDebited(debit_id=P1)]
    assert balances(ledger) == ("10.00", "5.00", "5.00")


def test_a_repeated_debit_holds_once_and_keeps_its_first_timer(ledger: ServiceBench) -> None:
    """Even when the first one has drained the account."""
    drain = DebitAccount(debit_id=P1, account_id="ACC-1", amount=Money(1_000, "EUR"))
    ledger.tell(drain)
    turn = ledger.tell(drain)
    assert turn.answers == [AccountDebited(debit_id=P1)]
    assert turn.timers == {}
    assert balances(ledger) == ("10.00", "10.00", "0.00")


def test_a_refused_debit_stays_refused_though_money_comes(ledger: ServiceBench) -> None:
    """One command has one answer."""
    command = DebitAccount(debit_id=P1, account_id="ACC-1", amount=Money(1_001, "EUR"))
    reason = Reason("AM04", "account ACC-1 has 10.00 EUR available, the payment takes 10.01 EUR")
    assert ledger.tell(command).answers == [DebitRefused(debit_id=P1, reason=reason)]
    ledger.tell(DepositMoney(deposit_id="D-1", account_id="ACC-1", amount=Money(1, "EUR")))
    assert ledger.tell(command).answers == [DebitRefused(debit_id=P1, reason=reason)]


def test_a_debit_of_an_unknown_account_is_refused_with_ac02(ledger: ServiceBench) -> None:
    """Facts end the payment with their code."""
    turn = ledger.tell(DebitAccount(debit_id=P1, account_id="ACC-9", amount=Money(1, "EUR")))
    assert turn.answers == [DebitRefused(debit_id=P1, reason=Reason("AC02", "there is no account ACC-9"))]


def test_posting_moves_the_money_into_clearing(ledger: ServiceBench) -> None:
    """The hold becomes two postings; its timer is no longer needed."""
    ledger.tell(DEBIT)
    turn = ledger.tell(PostDebit(debit_id=P1))
    assert turn.answers == [DebitPosted(debit_id=P1)]
    assert turn.timers == {f"expiry/{P1}": None}
    assert balances(ledger) == ("5.00", "0.00", "5.00")
    assert balances(ledger, "clearing:simulated:EUR")[0] == "5.00"
    assert queries.violations(ledger.session) == []


def test_posting_twice_posts_once(ledger: ServiceBench) -> None:
    """A rail that answers twice must not pay twice."""
    ledger.tell(DEBIT)
    ledger.tell(PostDebit(debit_id=P1))
    assert ledger.tell(PostDebit(debit_id=P1)).answers == [DebitPosted(debit_id=P1)]
    assert balances(ledger) == ("5.00", "0.00", "5.00")


def test_a_void_gives_the_money_back_once(ledger: ServiceBench) -> None:
    """A repeat is answered from the first, whatever reason it brings."""
    ledger.tell(DEBIT)
    voided = DebitVoided(debit_id=P1, reason=SANCTIONED, ending="rejected")
    assert ledger.tell(VOID).answers == [voided]
    later = VoidDebit(debit_id=P1, reason=Reason("CUST", "changed my mind"), ending="cancelled")
    assert ledger.tell(later).answers == [voided]
    assert balances(ledger) == ("10.00", "0.00", "10.00")


def test_a_void_that_overtakes_its_debit_leaves_a_tombstone(ledger: ServiceBench) -> None:
    """The late debit is refused with the void's reason and holds nothing."""
    voided = DebitVoided(debit_id=P1, reason=SANCTIONED, ending="rejected", never_made=True)
    assert ledger.tell(VOID).answers == [voided]
    assert ledger.tell(DEBIT).answers == [DebitRefused(debit_id=P1, reason=SANCTIONED)]
    assert ledger.tell(VOID).answers == [voided]
    assert balances(ledger) == ("10.00", "0.00", "10.00")


def test_voiding_a_refused_debit_says_that_nothing_was_held(ledger: ServiceBench) -> None:
    """Compensating a step that failed ends the payment as the void says."""
    ledger.tell(DebitAccount(debit_id=P1, account_id="ACC-9", amount=Money(1, "EUR")))
    turn = ledger.tell(VoidDebit(debit_id=P1, reason=SANCTIONED, ending="cancelled"))
    assert turn.answers == [DebitVoided(debit_id=P1, reason=SANCTIONED, ending="cancelled", never_made=True)]


def test_posted_money_cant_be_voided(ledger: ServiceBench) -> None:
    """A person must look."""
    ledger.tell(DEBIT)
    ledger.tell(PostDebit(debit_id=P1))
    turn = ledger.tell(VOID)
    assert isinstance(turn.answers[0], VoidRefused)
    assert balances(ledger) == ("5.00", "0.00", "5.00")


def test_voided_money_cant_be_posted(ledger: ServiceBench) -> None:
    """The bank paid what was given back: never booked by itself."""
    ledger.tell(DEBIT)
    ledger.tell(VOID)
    turn = ledger.tell(PostDebit(debit_id=P1))
    assert isinstance(turn.answers[0], PostingRefused)
    assert balances(ledger) == ("10.00", "0.00", "10.00")


def test_a_holds_time_is_announced_once_and_releases_nothing(ledger: ServiceBench) -> None:
    """A hold never releases itself: whoever drives the payment asks the gate."""
    turn = ledger.tell(
        DebitAccount(debit_id=P1, account_id="ACC-1", amount=Money(500, "EUR"), expires_after=timedelta(minutes=5))
    )
    timer = turn.timers[f"expiry/{P1}"]
    assert timer is not None
    after, tick = timer
    assert after == timedelta(minutes=5)
    turn = ledger.tell(tick, sender="ledger")
    assert (turn.answers, turn.answered_to) == ([DebitExpiryReached(debit_id=P1)], [SAGA])
    assert ledger.tell(tick, sender="ledger").answers == []
    assert balances(ledger) == ("10.00", "5.00", "5.00")


def test_the_configured_time_is_taken_where_the_command_names_none(ledger: ServiceBench) -> None:
    """Seven days, unless the settings say otherwise."""
    timer = ledger.tell(DEBIT).timers[f"expiry/{P1}"]
    assert timer is not None
    assert timer[0] == timedelta(days=7)


@pytest.mark.parametrize("ending", [PostDebit(debit_id=P1), VOID])
def test_the_expiry_of_a_settled_debit_is_no_news(ledger: ServiceBench, ending: PostDebit | VoidDebit) -> None:
    """A timer that fires in the same turn as the end must not wake anybody."""
    ledger.tell(DEBIT)
    ledger.tell(ending)
    assert ledger.tell(DebitExpiryDue(debit_id=P1, reply_to=SAGA), sender="ledger").answers == []


def test_in_the_choreographed_flow_the_expiry_is_published_with_the_facts(ledger: ServiceBench) -> None:
    """Those who react need the order and the evidence, as with any other event."""
    turn = ledger.hear(DebitAccount(debit_id=P1, account_id="ACC-1", amount=Money(500, "EUR"), facts=FACTS))
    evidence = PaymentFacts(order=ORDER, debit_id=P1, screening_id="S-1")
    assert turn.answers == [AccountDebited(debit_id=P1, facts=evidence)]
    timer = turn.timers[f"expiry/{P1}"]
    assert timer is not None
    codec.register(DebitExpiryDue)
    tick = codec.decode(codec.encode(timer[1]))  # as it comes back from the store
    turn = ledger.tell(tick, sender="ledger")
    assert (turn.answers, turn.answered_to) == ([DebitExpiryReached(debit_id=P1, facts=evidence)], [""])


def test_returned_money_is_on_the_account_again_once(ledger: ServiceBench) -> None:
    """New postings from clearing to debtor; the bank may repeat itself."""
    ledger.tell(DEBIT)
    ledger.tell(PostDebit(debit_id=P1))
    command = BookReturn(return_id="R-1", debit_id=P1, reason=Reason("AC04", "closed"))
    for _ in range(2):
        turn = ledger.tell(command)
        assert turn.answers == [ReturnBooked(return_id="R-1", debit_id=P1, reason=Reason("AC04", "closed"))]
    assert balances(ledger) == ("10.00", "0.00", "10.00")
    assert balances(ledger, "clearing:simulated:EUR")[0] == "0.00"
    shown = queries.account(ledger.session, "ACC-1")
    assert shown is not None
    assert sorted(line["amount"] for line in shown["postings"]) == ["-5.00", "10.00", "5.00"]
    assert queries.violations(ledger.session) == []


def test_money_returned_to_a_closed_account_waits_in_suspense(ledger: ServiceBench) -> None:
    """It left clearing, it reached nobody, and a person is told."""
    ledger.tell(DebitAccount(debit_id=P1, account_id="ACC-1", amount=Money(1_000, "EUR")))
    ledger.tell(PostDebit(debit_id=P1))
    ledger.tell(CloseAccount(account_id="ACC-1"))
    turn = ledger.tell(BookReturn(return_id="R-1", debit_id=P1, reason=Reason("AC04", "closed")))
    assert isinstance(turn.answers[0], ReturnSuspended)
    assert turn.answers[0].reason.code == "AC05"
    assert balances(ledger, "suspense:EUR")[0] == "10.00"
    assert balances(ledger, "clearing:simulated:EUR")[0] == "0.00"


def test_a_return_of_what_was_not_posted_books_nothing_and_may_be_sent_again(ledger: ServiceBench) -> None:
    """It is refused in words, not remembered: once the debit is posted, the same return is booked."""
    ledger.tell(DEBIT)
    command = BookReturn(return_id="R-1", debit_id=P1, reason=Reason("AC04", "closed"))
    assert isinstance(ledger.tell(command).answers[0], PostingRefused)
    assert balances(ledger) == ("10.00", "5.00", "5.00")
    ledger.tell(PostDebit(debit_id=P1))
    assert isinstance(ledger.tell(command).answers[0], ReturnBooked)


def test_a_return_that_overtakes_its_posting_fails_and_is_booked_when_it_is_tried_again(ledger: ServiceBench) -> None:
    """Where the posting is a dead letter, a refusal would lose the debtor's money; found by the simulator."""
    ledger.tell(DEBIT)
    command = BookReturn(return_id="R-1", debit_id=P1, reason=Reason("AC04", "closed"), facts=FACTS)
    with pytest.raises(model.PostingIsMissing, match="came before debit P1-00 was posted"):
        ledger.tell(command)
    ledger.tell(PostDebit(debit_id=P1, facts=FACTS))
    assert isinstance(ledger.tell(command).answers[0], ReturnBooked)
    assert balances(ledger) == ("10.00", "0.00", "10.00")


def test_a_return_of_what_was_voided_is_refused_whoever_says_it(ledger: ServiceBench) -> None:
    """That will never be made good: a person must look."""
    ledger.tell(DEBIT)
    ledger.tell(VOID)
    turn = ledger.tell(BookReturn(return_id="R-1", debit_id=P1, reason=Reason("AC04", "closed"), facts=FACTS))
    assert isinstance(turn.answers[0], PostingRefused)


@pytest.mark.parametrize("statement", ["UPDATE postings SET amount = 0", "DELETE FROM postings"])
def test_postings_cant_be_changed_by_anybody(ledger: ServiceBench, statement: str) -> None:
    """Corrections are new postings; the store itself says so."""
    with pytest.raises(sqlite3.IntegrityError, match="postings are immutable"):
        ledger.session.write(statement)


def reaction(event: object, workflow: str) -> list[On]:
    """What the ledger makes of `event` in that order of steps."""
    return [on for on in REACTIONS[workflow] if isinstance(event, on.event)]


@pytest.mark.parametrize(
    ("event", "workflow", "command"),
    [
        (
            PaymentInitiated(facts=FACTS),
            "debit-first",
            DebitAccount(debit_id=P1, account_id="ACC-1", amount=Money(500, "EUR"), facts=FACTS),
        ),
        (
            BeneficiaryCleared(screening_id="S-1", facts=FACTS),
            "screen-first",
            DebitAccount(debit_id=P1, account_id="ACC-1", amount=Money(500, "EUR"), facts=FACTS),
        ),
        (PaymentExecuted(instruction_id=P1, facts=FACTS), "debit-first", PostDebit(debit_id=P1, facts=FACTS)),
        (
            ExecutionRejected(instruction_id=P1, reason=SANCTIONED, facts=FACTS),
            "debit-first",
            VoidDebit(debit_id=P1, reason=SANCTIONED, facts=FACTS),
        ),
        (
            BeneficiaryBlocked(screening_id=P1, reason=SANCTIONED, facts=FACTS),
            "screen-first",
            VoidDebit(debit_id=P1, reason=SANCTIONED, facts=FACTS),
        ),
        (
            ExecutionStopped(instruction_id=P1, reason=SANCTIONED, ending="cancelled", facts=FACTS),
            "debit-first",
            VoidDebit(debit_id=P1, reason=SANCTIONED, ending="cancelled", facts=FACTS),
        ),
        (
            ReturnReceived(return_id="R-1", instruction_id=P1, reason=SANCTIONED, facts=FACTS),
            "debit-first",
            BookReturn(return_id="R-1", debit_id=P1, reason=SANCTIONED, facts=FACTS),
        ),
    ],
)
def test_the_ledger_reacts_with_its_own_command(event: object, workflow: str, command: object) -> None:
    """The choreographed flow's share: one event, one command, with the payment's id and facts."""
    (on,) = reaction(event, workflow)
    assert on.make(event) == command
    assert isinstance(command, on.command)


def test_what_starts_the_debit_depends_on_the_order_of_steps() -> None:
    """Debit first reacts to the start, screen first to the clearance; neither to both."""
    assert reaction(BeneficiaryCleared(screening_id="S-1", facts=FACTS), "debit-first") == []
    assert reaction(PaymentInitiated(facts=FACTS), "screen-first") == []
