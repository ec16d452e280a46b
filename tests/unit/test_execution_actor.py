"""Execution on a bench: the gate, the rail's answers, doubt, and a person's evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from actors.execution import queries
from actors.execution.actor import RECOVERY_BATCH, Execution
from actors.execution.messages import (
    ACCEPTED,
    BY_QUERY,
    EXECUTED,
    NOT_RECEIVED,
    REJECTED,
    RETURNED,
    UNKNOWN,
    ConfirmAnswer,
    ExecutePayment,
    ExecutionContradicted,
    ExecutionInDoubt,
    ExecutionRejected,
    ExecutionSettled,
    ExecutionStopped,
    PaymentExecuted,
    PaymentSubmitted,
    QueryDue,
    QueryInstruction,
    RailAnswered,
    RecoveryDue,
    ReturnReceived,
    SettleExecution,
    SettlementRefused,
    StopRefused,
    SubmitInstruction,
)
from actors.execution.model import InstructionConflict, MissingEvidence
from actors.messaging.envelope import REPLY, TIMER
from actors.messaging.message import Command
from actors.runtime.service import Started
from actors.vocabulary.money import Money
from actors.vocabulary.reason import Reason
from tests.fakes.execution import CANCEL, CLOSED, EXPIRE, FACTS, PAY, PAYMENT
from tests.fakes.turn import SAGA, FakeTurn, ServiceBench


@pytest.fixture
def bench() -> ServiceBench:
    """Execution alone, over an empty store."""
    return ServiceBench(Execution)


def rail_says(bench: ServiceBench, verdict: str, **more: Any) -> FakeTurn:
    """Deliver the rail's word on the payment."""
    answer = RailAnswered(instruction_id=PAYMENT, verdict=verdict, **more)
    return bench.tell(answer, sender="outbox/rail", kind=REPLY)


def pass_time(bench: ServiceBench, turn: FakeTurn) -> FakeTurn:
    """Let the query's timer that `turn` set go off."""
    timer = turn.timers[f"query/{PAYMENT}"]
    assert timer is not None
    after, tick = timer
    bench.now += after
    return bench.tell(tick, sender="execution", kind=TIMER)


def into_doubt(bench: ServiceBench, turn: FakeTurn, verdict: str | None = UNKNOWN) -> FakeTurn:
    """Let time pass, the rail answering every query with `verdict`, until the payment is in doubt."""
    while not turn.answers:
        turn = pass_time(bench, turn)
        if verdict is not None and not turn.answers:
            rail_says(bench, verdict, source=BY_QUERY)
    return turn


def settle(bench: ServiceBench, executed: bool) -> FakeTurn:
    """Give a person's evidence."""
    evidence = SettleExecution(payment_id=PAYMENT, executed=executed, reason="the bank's statement")
    return bench.tell(evidence, sender="client/7")


def test_a_payment_with_evidence_is_handed_to_the_rail(bench: ServiceBench) -> None:
    """The instruction waits in the outbox, and the first query has its time."""
    turn = bench.tell(PAY)
    [(outbox, task)] = turn.tasks
    assert outbox == "rail"
    assert isinstance(task, SubmitInstruction)
    assert (task.instruction_id, task.amount, task.creditor_account) == (PAYMENT, Money(1250, "EUR"), "DE75")
    assert turn.timers[f"query/{PAYMENT}"] is not None
    assert turn.answers == []


@pytest.mark.parametrize("missing", ["debit_id", "screening_id"])
def test_an_instruction_without_evidence_is_a_defect(bench: ServiceBench, missing: str) -> None:
    """It is no outcome: it goes to the dead letters, where somebody sees it, and leaves no trace."""
    with pytest.raises(MissingEvidence):
        bench.tell(replace(PAY, **{missing: ""}))
    assert queries.execution_of(bench.session, PAYMENT) is None


def test_the_same_command_again_instructs_nothing(bench: ServiceBench) -> None:
    """One instruction a payment; while the rail is silent there is nothing to answer."""
    bench.tell(PAY)
    turn = bench.tell(PAY)
    assert (turn.tasks, turn.answers, turn.timers) == ([], [], {})


def test_the_same_command_again_gets_the_same_answer(bench: ServiceBench) -> None:
    """Whoever asks again learns what became of it."""
    bench.tell(PAY)
    first = rail_says(bench, REJECTED, reason=CLOSED)
    assert bench.tell(PAY).answers == first.answers


@pytest.mark.parametrize(
    "other", [replace(PAY, instruction_id="I-2"), replace(PAY, amount=Money(1251, "EUR"))], ids=["id", "amount"]
)
def test_a_second_instruction_for_a_payment_is_a_defect(bench: ServiceBench, other: ExecutePayment) -> None:
    """At most one instruction per payment, whatever it is called."""
    bench.tell(PAY)
    with pytest.raises(InstructionConflict):
        bench.tell(other)


def test_an_acceptance_is_a_submission_and_an_execution_ends_it(bench: ServiceBench) -> None:
    """The saga hears both, and the query's clock stops."""
    bench.tell(PAY)
    accepted, executed = rail_says(bench, ACCEPTED), rail_says(bench, EXECUTED)
    assert accepted.answers == [PaymentSubmitted(instruction_id=PAYMENT)]
    assert executed.answers == [PaymentExecuted(instruction_id=PAYMENT)]
    assert executed.answered_to == [SAGA]
    assert executed.timers == {f"query/{PAYMENT}": None}


def test_a_rejection_gives_the_banks_reason(bench: ServiceBench) -> None:
    """A proven rejection is what compensates."""
    bench.tell(PAY)
    turn = rail_says(bench, REJECTED, reason=CLOSED)
    assert turn.answers == [ExecutionRejected(instruction_id=PAYMENT, reason=CLOSED)]


def test_in_the_choreographed_flow_the_outcome_carries_the_facts(bench: ServiceBench) -> None:
    """Who reacts reads no other service's tables."""
    bench.hear(replace(PAY, facts=FACTS))
    turn = rail_says(bench, EXECUTED)
    assert turn.answers == [PaymentExecuted(instruction_id=PAYMENT, facts=FACTS)]
    assert turn.answered_to == [""]


@pytest.mark.parametrize("verdict", [ACCEPTED, EXECUTED, REJECTED])
def test_an_answer_given_twice_is_heard_once(bench: ServiceBench, verdict: str) -> None:
    """A rail may answer twice."""
    bench.tell(PAY)
    rail_says(bench, verdict)
    again = rail_says(bench, verdict)
    assert (again.answers, again.tasks) == ([], [])


def test_an_answer_for_something_unknown_changes_nothing(bench: ServiceBench, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, since somebody may want to know."""
    turn = rail_says(bench, EXECUTED)
    assert turn.answers == []
    assert "unknown instruction P1-00" in caplog.text


def test_a_closed_gate_refuses_the_late_instruction(bench: ServiceBench) -> None:
    """Nothing reaches the rail after a stop, and whoever asks hears why and what the payment became."""
    stopped = bench.tell(CANCEL)
    assert stopped.answers == [ExecutionStopped(instruction_id=PAYMENT, reason=CANCEL.reason, ending="cancelled")]
    late = bench.tell(PAY)
    assert late.answers == stopped.answers
    assert late.tasks == []


def test_the_first_stop_decides_the_ending(bench: ServiceBench) -> None:
    """Cancelled, then expired: it stays cancelled."""
    first = bench.tell(CANCEL)
    assert bench.tell(EXPIRE).answers == first.answers


@pytest.mark.parametrize("late", [CANCEL, EXPIRE, PAY])
def test_a_reaction_to_what_came_before_the_stop_says_nothing_again(bench: ServiceBench, late: Command) -> None:
    """A dead letter of a cancelled payment, retried: what was published is undone, and nobody is called for it."""
    first = bench.hear(replace(CANCEL, facts=FACTS))
    assert len(first.answers) == 1
    again = bench.hear(replace(late, facts=FACTS))  # type: ignore[call-arg]
    assert (again.answers, again.tasks) == ([], [])


@pytest.mark.parametrize("verdict", [None, ACCEPTED, EXECUTED, REJECTED])
def test_after_the_hand_over_a_stop_is_refused(bench: ServiceBench, verdict: str | None) -> None:
    """Already at the bank: the instruction stands until the rail's proof or a person's word."""
    bench.tell(PAY)
    if verdict:
        rail_says(bench, verdict)
    turn = bench.hear(replace(CANCEL, facts=FACTS))
    assert turn.answers == [StopRefused(instruction_id=PAYMENT, ending="cancelled", facts=FACTS)]


def test_a_silent_rail_is_asked(bench: ServiceBench) -> None:
    """And asked again later."""
    turn = pass_time(bench, bench.tell(PAY))
    assert turn.tasks == [("rail", QueryInstruction(instruction_id=PAYMENT, payment_id=PAYMENT))]
    assert isinstance(turn.timers[f"query/{PAYMENT}"], tuple)


def test_what_the_rail_never_got_is_sent_again_under_the_same_id(bench: ServiceBench) -> None:
    """Only a query's proof does that."""
    [first] = bench.tell(PAY).tasks
    turn = rail_says(bench, NOT_RECEIVED, source=BY_QUERY)
    assert turn.tasks == [first]
    assert rail_says(bench, EXECUTED).answers == [PaymentExecuted(instruction_id=PAYMENT)]


def test_a_rail_that_stays_silent_brings_the_payment_before_a_person(bench: ServiceBench) -> None:
    """Once, at its time, with the reason in words; the debit stands."""
    began = bench.now
    doubtful = into_doubt(bench, bench.tell(PAY))
    [doubt] = doubtful.answers
    assert isinstance(doubt, ExecutionInDoubt)
    assert (doubt.reason.code, doubtful.answered_to) == ("AB05", [SAGA])
    assert bench.now - began == timedelta(seconds=60)


def test_doubt_is_announced_once_and_the_rail_is_still_asked(bench: ServiceBench) -> None:
    """Late proof may come, so the queries go on, more slowly."""
    turn = into_doubt(bench, bench.tell(PAY))
    pauses = []
    for _ in range(12):
        timer = turn.timers[f"query/{PAYMENT}"]
        assert timer is not None
        pauses.append(timer[0])
        turn = pass_time(bench, turn)
        assert turn.answers == []
        assert len(turn.tasks) == 1
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=1)


def test_a_rail_that_cannot_be_reached_is_doubt_too(bench: ServiceBench) -> None:
    """Without any answer, even to queries, nobody knows."""
    [doubt] = into_doubt(bench, bench.tell(PAY), verdict=None).answers
    assert isinstance(doubt, ExecutionInDoubt)


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (EXECUTED, PaymentExecuted(instruction_id=PAYMENT, facts=FACTS)),
        (REJECTED, ExecutionRejected(instruction_id=PAYMENT, reason=CLOSED, facts=FACTS)),
    ],
)
def test_late_proof_settles_doubt(bench: ServiceBench, verdict: str, outcome: object) -> None:
    """Late answers settle a payment in doubt."""
    into_doubt(bench, bench.hear(replace(PAY, facts=FACTS)))
    turn = rail_says(bench, verdict, reason=CLOSED if verdict == REJECTED else None, source=BY_QUERY)
    assert turn.answers == [outcome]
    assert turn.timers == {f"query/{PAYMENT}": None}


def test_a_person_settles_doubt_as_executed(bench: ServiceBench) -> None:
    """The person hears that it is taken; the payment goes on from their word."""
    into_doubt(bench, bench.tell(PAY))
    turn = settle(bench, executed=True)
    assert turn.answers == [
        ExecutionSettled(payment_id=PAYMENT, executed=True),
        PaymentExecuted(instruction_id=PAYMENT, settled_by="client/7"),
    ]
    assert turn.answered_to == ["client/7", SAGA]
    assert turn.timers == {f"query/{PAYMENT}": None}


def test_a_person_settles_doubt_as_not_executed(bench: ServiceBench) -> None:
    """In the choreographed flow that is published, with the facts and the person's reason."""
    into_doubt(bench, bench.hear(replace(PAY, facts=FACTS)))
    turn = settle(bench, executed=False)
    reason = Reason("NARR", "the bank's statement")
    assert turn.answers[1] == ExecutionRejected(
        instruction_id=PAYMENT, reason=reason, settled_by="client/7", facts=FACTS
    )
    assert turn.answered_to == ["client/7", ""]


def test_a_settlement_repeated_has_no_second_effect(bench: ServiceBench) -> None:
    """An operator may press twice."""
    into_doubt(bench, bench.tell(PAY))
    settle(bench, executed=True)
    assert settle(bench, executed=True).answers == [ExecutionSettled(payment_id=PAYMENT, executed=True)]
    [refusal] = settle(bench, executed=False).answers
    assert isinstance(refusal, SettlementRefused)


def test_what_is_not_in_doubt_cannot_be_settled(bench: ServiceBench) -> None:
    """A sentence says why."""
    bench.tell(PAY)
    [refusal] = settle(bench, executed=True).answers
    assert isinstance(refusal, SettlementRefused)
    assert "not in doubt yet" in refusal.error


def test_an_instruction_that_may_still_leave_cannot_be_settled_as_not_executed(bench: ServiceBench) -> None:
    """It waits for a rail that is away, and would be executed after the money was given back."""
    into_doubt(bench, bench.tell(PAY), verdict=None)
    [refusal] = settle(bench, executed=False).answers
    assert isinstance(refusal, SettlementRefused)
    rail_says(bench, UNKNOWN, source=BY_QUERY)  # the rail is back, and has been reached
    assert isinstance(settle(bench, executed=False).answers[0], ExecutionSettled)


@pytest.mark.parametrize(("first", "second"), [(EXECUTED, REJECTED), (REJECTED, EXECUTED)])
def test_a_rail_that_contradicts_itself_is_shown_once(bench: ServiceBench, first: str, second: str) -> None:
    """A person must look; nothing else happens."""
    bench.tell(PAY)
    rail_says(bench, first)
    turn = rail_says(bench, second)
    [event] = turn.answers
    assert isinstance(event, ExecutionContradicted)
    assert (turn.tasks, turn.answered_to) == ([], [SAGA])
    assert rail_says(bench, second).answers == []
    assert rail_says(bench, first).answers == []


@pytest.mark.parametrize(("executed", "verdict"), [(True, REJECTED), (True, NOT_RECEIVED), (False, EXECUTED)])
def test_a_rail_that_contradicts_a_person_is_shown(bench: ServiceBench, executed: bool, verdict: str) -> None:
    """With the name of who settled it."""
    into_doubt(bench, bench.tell(PAY))
    settle(bench, executed)
    turn = rail_says(bench, verdict)
    [event] = turn.answers
    assert isinstance(event, ExecutionContradicted)
    assert "client/7" in event.reason.text
    assert turn.tasks == []


def test_an_answer_from_before_the_final_one_calls_nobody(bench: ServiceBench) -> None:
    """`not_received` that was a dead letter, retried after the bank had the instruction again and executed it."""
    bench.tell(PAY)
    rail_says(bench, EXECUTED)
    turn = rail_says(bench, NOT_RECEIVED, source=BY_QUERY)
    assert (turn.answers, turn.tasks) == ([], [])
    [event] = rail_says(bench, REJECTED).answers
    assert isinstance(event, ExecutionContradicted)


def test_a_rail_that_confirms_a_person_is_heard_in_silence(bench: ServiceBench) -> None:
    """Nothing is announced twice."""
    into_doubt(bench, bench.tell(PAY))
    settle(bench, executed=True)
    assert rail_says(bench, EXECUTED).answers == []


def test_a_return_is_announced_once(bench: ServiceBench) -> None:
    """Once per return id, and the rail hears that it need not repeat it."""
    bench.tell(PAY)
    rail_says(bench, EXECUTED)
    turn = rail_says(bench, RETURNED, reason=CLOSED, return_id="R1", confirm=True)
    assert turn.answers == [ReturnReceived(return_id="R1", instruction_id=PAYMENT, reason=CLOSED)]
    assert turn.tasks == [("rail", ConfirmAnswer(instruction_id=PAYMENT))]
    again = rail_says(bench, RETURNED, reason=CLOSED, return_id="R1", confirm=True)
    assert (again.answers, len(again.tasks)) == ([], 1)


def test_a_return_before_the_answer_proves_the_execution(bench: ServiceBench) -> None:
    """Executed first, then returned; the answer that follows says nothing new."""
    bench.tell(PAY)
    turn = rail_says(bench, RETURNED, reason=CLOSED, return_id="R1")
    assert [type(answer) for answer in turn.answers] == [PaymentExecuted, ReturnReceived]
    assert rail_says(bench, EXECUTED).answers == []


def test_a_return_of_a_rejected_payment_is_a_contradiction(bench: ServiceBench) -> None:
    """The debit was voided: nothing may be booked by itself."""
    bench.tell(PAY)
    rail_says(bench, REJECTED)
    turn = rail_says(bench, RETURNED, return_id="R1")
    assert [type(answer) for answer in turn.answers] == [ExecutionContradicted]
    assert rail_says(bench, RETURNED, return_id="R1").answers == []


def test_a_query_that_comes_after_the_answer_asks_nothing(bench: ServiceBench) -> None:
    """A timer that was already on its way is harmless."""
    bench.tell(PAY)
    rail_says(bench, EXECUTED)
    tick = QueryDue(payment_id=PAYMENT, instruction_id=PAYMENT, due=bench.now)
    turn = bench.tell(tick, sender="execution", kind=TIMER)
    assert (turn.tasks, turn.timers) == ([], {})


def test_after_a_start_the_rail_is_asked_a_bounded_number_at_a_time(bench: ServiceBench) -> None:
    """A hundred thousand may be in flight: no handler takes them all."""
    for number in range(RECOVERY_BATCH + 1):
        bench.tell(PAY, payment_id=f"P{number:06d}")
        bench.tell(RailAnswered(instruction_id=PAYMENT, verdict=ACCEPTED), payment_id=f"P{number:06d}")
    bench.tell(PAY, payment_id="Q-recorded")  # still in the outbox, whose worker asks by itself
    first = bench.tell(Started(downtime=timedelta(0)), sender="execution", kind=TIMER, payment_id="")
    assert len(first.tasks) == RECOVERY_BATCH
    timer = first.timers["recovery"]
    assert timer is not None
    assert timer[1] == RecoveryDue(after=f"P{RECOVERY_BATCH - 1:06d}")
    rest = bench.tell(timer[1], sender="execution", kind=TIMER, payment_id="")
    assert rest.tasks == [("rail", QueryInstruction(instruction_id=PAYMENT, payment_id=f"P{RECOVERY_BATCH:06d}"))]
    assert rest.timers == {}


def test_a_reader_finds_the_gate_and_the_doubtful(bench: ServiceBench) -> None:
    """What the shell and the console show."""
    into_doubt(bench, bench.tell(PAY))
    [shown] = queries.in_doubt(bench.session)
    assert shown == queries.execution_of(bench.session, PAYMENT)
    assert (shown["state"], shown["amount"], shown["reason"]) == ("in_doubt", "12.50", "AB05")
    assert [gate["payment_id"] for gate in queries.gates(bench.session)] == [PAYMENT]
    bench.tell(PAY, payment_id="P2-00")
    rail_says(bench, RETURNED, return_id="R1", reason=CLOSED)
    assert [found["return_id"] for found in queries.returns_of(bench.session, PAYMENT)] == ["R1"]
    assert queries.in_doubt(bench.session) == []
