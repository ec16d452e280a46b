"""People pause payments, services and the rail in a real cell, and let them go on: nothing is lost, nothing stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from actors.admin import verify
from actors.admin.checking import check
from actors.admin.reading import Reading
from actors.aml.messages import ScreenBeneficiary
from actors.disbursement.messages import StartPayment, SubmitPayment
from actors.disbursement.store import DisbursementStore
from actors.ledger.messages import DebitAccount, PostDebit
from actors.messaging.message import Message
from actors.messaging.system_messages import (
    PauseTarget,
    PaymentPaused,
    PaymentResumed,
    ResumeTarget,
    ServicePaused,
    TargetStanding,
)
from actors.payment.messages import (
    PauseSaga,
    RestartSaga,
    ResumeSaga,
    RetrySaga,
    SagaSteered,
    StartSaga,
    SteeringRefused,
    StepTimedOut,
)
from actors.payment.workflow import WORKFLOWS
from actors.runtime.pauses import PauseKeeper
from actors.runtime.service import Handler, Turn
from tests.fakes.bank import DOUBTFUL, Bank, Way, every_way

CHOREOGRAPHED = Way("choreographed", "debit-first")
ORCHESTRATED = Way("orchestrated", "debit-first")
IMPATIENT = {"stalled_after_seconds": 30, "executing_after_seconds": 60, "sweep_seconds": 1}


def steer(bank: Bank, command: type[Message], payment_id: str, **more: str) -> Message:
    """Ada does it."""
    made = command(payment_id=payment_id, by="Ada", reason="a look", **more)  # type: ignore[call-arg]
    return bank.cell.tell("payment", made, payment_id=payment_id)


def target(bank: Bank, command: type[Message], name: str, kind: str = "service", **more: str) -> TargetStanding:
    """Ada does it to a service or the rail."""
    made = command(kind=kind, name=name, by="Ada", reason="a look", **more)  # type: ignore[call-arg]
    answer = bank.cell.tell("pauses", made)
    assert isinstance(answer, TargetStanding)
    assert answer.error == ""
    return answer


@every_way
def test_a_paused_payment_stands_until_it_is_resumed(way: Way, tmp_path: Path) -> None:
    """A person's decision, a crash and an hour later it has not moved; then it goes through."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        assert isinstance(steer(bank, PauseSaga, payment_id), SagaSteered)
        bank.decide(payment_id, "clear")
        bank.rest()
        bank.crash()
        bank.pass_time(3_600)
        assert bank.journal(payment_id) is None
        assert bank.status(payment_id) not in ("needs_attention", "completed")
        steer(bank, ResumeSaga, payment_id)
        assert bank.until_status(payment_id, "completed") == "completed"
        assert "PauseSaga" in bank.story(payment_id)


@every_way
def test_a_wish_to_cancel_waits_with_the_rest(way: Way, tmp_path: Path) -> None:
    """Nobody moves it until the payment is resumed."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        steer(bank, PauseSaga, payment_id)
        bank.cancel(payment_id)
        bank.rest()
        assert bank.status(payment_id) == "held"
        steer(bank, ResumeSaga, payment_id)
        assert bank.until_status(payment_id, "cancelled") == "cancelled"


def test_a_wish_to_cancel_goes_before_what_would_have_paid(tmp_path: Path) -> None:
    """Nothing had left when somebody wished it; resuming is no reason to pay. The journal replays as it was."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        steer(bank, PauseSaga, payment_id)
        bank.decide(payment_id, "clear")
        bank.cancel(payment_id)
        bank.cancel(payment_id)
        bank.rest()
        steer(bank, ResumeSaga, payment_id)
        assert bank.until_status(payment_id, "cancelled") == "cancelled"
        assert bank.journal(payment_id) is None
        bank.rest()
        reading = Reading.open(bank.data)
        try:
            assert check(reading, [payment_id], lambda by: None, workflows=WORKFLOWS).found == []
        finally:
            reading.close()


@every_way
@pytest.mark.parametrize("service", ["ledger", "aml", "execution"])
def test_a_paused_service_gets_nothing_and_nobodys_time_runs_out(service: str, way: Way, tmp_path: Path) -> None:
    """What would go there waits in order, over a crash and an hour, without anybody being called."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        target(bank, PauseTarget, service)
        ids = [bank.pay() for _ in range(3)]
        bank.rest()
        bank.crash()
        bank.pass_time(3_600)
        assert not {"completed", "needs_attention", "rejected"} & {bank.status(each) for each in ids}
        target(bank, ResumeTarget, service)
        assert [bank.until_status(each, "completed") for each in ids] == ["completed"] * 3


def test_who_asks_a_paused_service_hears_so(tmp_path: Path) -> None:
    """A sentence, at once, rather than a wait."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        bank.open_account()
        assert "since" in target(bank, PauseTarget, "disbursement").done
        assert target(bank, PauseTarget, "disbursement").done.startswith("already")
        order: SubmitPayment = bank.order()
        answer = bank.cell.tell("disbursement", order)
        assert isinstance(answer, ServicePaused)
        assert "disbursement is paused since" in answer.error
        target(bank, ResumeTarget, "disbursement")
        assert target(bank, ResumeTarget, "disbursement").done == ""


def test_a_service_that_is_not_there_is_not_paused(tmp_path: Path) -> None:
    """The sentence names those that are."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        answer = bank.cell.tell("pauses", PauseTarget(kind="service", name="tracker", by="Ada", reason="x"))
        assert isinstance(answer, TargetStanding)
        assert "there are" in answer.error


@every_way
def test_while_a_service_is_paused_others_payments_are_still_called_stalled(way: Way, tmp_path: Path) -> None:
    """Who has paused the ledger must hear of what screening has forgotten."""
    with Bank(tmp_path, way, tracker=IMPATIENT) as bank:
        bank.open_account()
        bank.faults.ignore("aml", ScreenBeneficiary)
        bank.faults.ignore("payment/", StepTimedOut)  # a saga without a clock: only the tracker is left to see it
        forgotten = bank.pay()
        bank.rest()
        target(bank, PauseTarget, "ledger")
        bank.pass_time(120)
        assert bank.status(forgotten) == "needs_attention"
        assert {"PaymentInitiated", "PaymentRequested", "AccountDebited", "ScreenBeneficiary"} & set(
            bank.reason(forgotten)[1].split()
        )
        bank.faults.mend()
        target(bank, ResumeTarget, "ledger")
        bank.cancel(forgotten)
        assert bank.until_status(forgotten, "cancelled") == "cancelled"


@every_way
def test_what_waits_for_what_is_paused_is_not_called_stalled(way: Way, tmp_path: Path) -> None:
    """However long: whoever has paused it knows."""
    with Bank(tmp_path, way, tracker=IMPATIENT) as bank:
        bank.open_account()
        for service in ("ledger", "aml", "execution", "payment"):
            target(bank, PauseTarget, service)
            payment_id = bank.pay()
            bank.pass_time(600)
            assert bank.status(payment_id) != "needs_attention", service
            target(bank, ResumeTarget, service)
            assert bank.until_status(payment_id, "completed") == "completed"
        target(bank, PauseTarget, "rail", "rail", service="execution")
        payment_id = bank.pay()
        bank.pass_time(600)
        assert bank.status(payment_id) == "executing"
        target(bank, ResumeTarget, "rail", "rail")
        assert bank.until_status(payment_id, "completed") == "completed"


@every_way
def test_a_paused_rail_is_left_alone_and_doubt_does_not_begin(way: Way, tmp_path: Path) -> None:
    """An hour later the bank has heard nothing, and nobody was called; then it executes once."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        target(bank, PauseTarget, "rail", "rail", service="execution")
        payment_id = bank.pay()
        bank.cell.until(lambda: bank.gate(payment_id) == "recorded")
        bank.pass_time(1_800)
        bank.crash()
        bank.pass_time(1_800)
        assert bank.journal(payment_id) is None
        assert bank.status(payment_id) == "executing"
        target(bank, ResumeTarget, "rail", "rail")
        assert bank.until_status(payment_id, "completed") == "completed"


def claimed(bank: Bank, prefix: str = "P1") -> tuple[str, StartPayment]:
    """A payment that was accepted, and what is still on its way to where its debtor lives."""
    order = bank.order_of(bank.pay())
    late = replace(order, payment_id=order.payment_id.replace("P0", prefix, 1), idempotency_key=prefix)
    session = bank.cell.core._session
    session.begin()
    DisbursementStore(session).claim(late.idempotency_key, b"digest", late.payment_id, "client-1-99")
    session.commit()
    return late.payment_id, StartPayment(order=late)


@pytest.mark.parametrize("paused_first", [True, False], ids=["paused first", "in one turn"])
@pytest.mark.parametrize("cancelled", [False, True], ids=["", "cancelled"])
def test_an_orchestrated_payment_that_was_paused_before_it_began_does_not_begin(
    tmp_path: Path, paused_first: bool, cancelled: bool
) -> None:
    """Where services live apart, what starts it may still be on its way when somebody pauses it."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        bank.open_account()
        payment_id, begins = claimed(bank)
        start = ("disbursement", begins)
        pause = ("payment", PauseSaga(payment_id=payment_id, by="Ada", reason="a look"))
        bank.cell.post_many([pause, start] if paused_first else [start, pause], payment_id=payment_id)
        bank.rest()
        bank.crash()
        bank.pass_time(3_600)
        assert "DebitAccount" not in bank.story(payment_id)
        assert bank.status(payment_id) == "received"
        if cancelled:
            bank.cancel(payment_id)
        steer(bank, ResumeSaga, payment_id)
        ends = "cancelled" if cancelled else "completed"
        assert bank.until_status(payment_id, ends) == ends
        assert (bank.journal(payment_id) is None) == cancelled
        bank.rest()
        reading = Reading.open(bank.data)
        try:
            found = check(reading, [payment_id], lambda by: None, workflows=WORKFLOWS)
        finally:
            reading.close()
        assert found.found == []


def test_what_was_said_just_before_a_payment_begins_counts_in_that_very_turn(tmp_path: Path) -> None:
    """The event about it is heard later in the turn than the first command would be sent."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        bank.open_account()
        (paused, first), (resumed, second) = claimed(bank, "P1"), claimed(bank, "P2")
        steer(bank, PauseSaga, resumed)
        for payment_id, begins, command in ((paused, first, PauseSaga), (resumed, second, ResumeSaga)):
            said = command(payment_id=payment_id, by="Ada", reason="a look")
            saga = (f"payment/{payment_id}", StartSaga(order=begins.order))
            bank.cell.post_many([("payment", said), saga], payment_id=payment_id)
            bank.rest()
        assert "DebitAccount" not in bank.story(paused)
        assert "DebitAccount" in bank.story(resumed)
        steer(bank, ResumeSaga, paused)
        bank.cell.post_many([("disbursement", first), ("disbursement", second)])  # which had begun without it
        assert bank.until_status(paused, "completed") == bank.until_status(resumed, "completed")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> set[type[Message]]:
    """The events that a cell's `pauses` can't take just now."""
    wrong: set[type[Message]] = set()
    for event in (PaymentPaused, PaymentResumed):
        handler = PauseKeeper.handlers[event]

        def handle(keeper: PauseKeeper, message: Message, turn: Turn, handler: Handler = handler) -> None:
            if type(message) in wrong:
                raise RuntimeError("a cell that can't take it")
            handler(keeper, message, turn)

        monkeypatch.setitem(PauseKeeper.handlers, event, handle)
    return wrong


def test_a_pause_that_comes_from_the_dead_letters_after_the_resumption_is_no_pause(
    tmp_path: Path, broken: set[type[Message]]
) -> None:
    """Whoever retries all dead letters must not stop what somebody else has let go on."""
    with Bank(tmp_path, CHOREOGRAPHED) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        broken.add(PaymentPaused)
        steer(bank, PauseSaga, payment_id)
        bank.pass_time(60)
        broken.clear()
        steer(bank, ResumeSaga, payment_id)
        assert bank.retry_dead_letters() == 1
        bank.rest()
        bank.decide(payment_id, "clear")
        assert bank.until_status(payment_id, "completed") == "completed"


def test_a_resumption_that_comes_from_the_dead_letters_does_not_end_a_later_pause(
    tmp_path: Path, broken: set[type[Message]]
) -> None:
    """It was said of the pause before."""
    with Bank(tmp_path, CHOREOGRAPHED) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        steer(bank, PauseSaga, payment_id)
        broken.add(PaymentResumed)
        steer(bank, ResumeSaga, payment_id)
        bank.pass_time(60)
        broken.clear()
        steer(bank, PauseSaga, payment_id)
        assert bank.retry_dead_letters() == 1
        bank.decide(payment_id, "clear")
        bank.rest()
        assert bank.gate(payment_id) == ""
        steer(bank, ResumeSaga, payment_id)
        assert bank.until_status(payment_id, "completed") == "completed"


@every_way
def test_who_pauses_twice_or_resumes_what_goes_on_hears_so(way: Way, tmp_path: Path) -> None:
    """Bob must not think that the pause is his, nor that anything goes on because of him."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        bank.rest()
        resumed = steer(bank, ResumeSaga, payment_id)
        assert isinstance(resumed, SagaSteered)
        assert resumed.done == f"{payment_id} is not paused"
        steer(bank, PauseSaga, payment_id)
        again = bank.cell.tell(
            "payment", PauseSaga(payment_id=payment_id, by="Bob", reason="mine"), payment_id=payment_id
        )
        assert isinstance(again, SagaSteered)
        assert again.done.startswith(f"{payment_id} is paused already, since ")
        assert again.done.endswith("by Ada: a look")
        assert bank.story(payment_id).count("PaymentPaused") == 1


def test_a_retried_payment_has_its_dead_letters_delivered_again(tmp_path: Path) -> None:
    """In the choreographed flow nobody else would: the service is mended, and the payment goes on."""
    with Bank(tmp_path, CHOREOGRAPHED) as bank:
        bank.open_account()
        bank.faults.fail("ledger", DebitAccount)
        payment_id = bank.pay()
        bank.pass_time(60)
        assert bank.status(payment_id) == "needs_attention"
        bank.faults.mend()
        assert isinstance(steer(bank, RetrySaga, payment_id), SagaSteered)
        assert bank.until_status(payment_id, "completed") == "completed"


def test_a_retried_saga_does_not_wait_for_its_timer(tmp_path: Path) -> None:
    """The posting that failed is made at once, though its letter is dead."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        bank.open_account()
        bank.faults.fail("ledger", PostDebit)
        payment_id = bank.pay()
        bank.pass_time(2)
        bank.faults.mend()
        steer(bank, RetrySaga, payment_id)
        assert bank.until_status(payment_id, "completed") == "completed"


@every_way
def test_retrying_what_is_in_doubt_asks_the_bank_at_once(way: Way, tmp_path: Path) -> None:
    """The next query by itself is minutes away; the answer is there, and nothing is paid twice."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay("TEST-SILENT")
        bank.pass_time(120)
        assert bank.status(payment_id) == "needs_attention"
        queries = bank.story(payment_id).count("QueryInstruction")
        steer(bank, RetrySaga, payment_id)
        bank.rest()
        assert bank.story(payment_id).count("QueryInstruction") == queries + 1
        assert bank.journal(payment_id)[1] == 1  # type: ignore[index]
        bank.settle(payment_id, executed=True)


def test_an_orchestrated_payment_is_restarted_and_a_choreographed_one_has_no_steps(tmp_path: Path) -> None:
    """The sentence says what to do instead."""
    with Bank(tmp_path, ORCHESTRATED) as bank:
        bank.open_account()
        held = bank.pay(name=DOUBTFUL)
        other = bank.pay(name=DOUBTFUL, flow="choreographed")
        bank.rest()
        assert isinstance(steer(bank, RestartSaga, held, step="debit-account"), SagaSteered)
        refused = steer(bank, RestartSaga, other, step="debit-account")
        assert isinstance(refused, SteeringRefused)
        assert "choreographed" in refused.error
        bank.rest()
        assert bank.status(held) == "held"
        for payment_id in (held, other):
            bank.decide(payment_id, "clear")
            assert bank.until_status(payment_id, "completed") == "completed"


def test_what_is_kept_back_is_no_violation(tmp_path: Path) -> None:
    """The ledger has posted, and Disbursement is not told so yet: that was wanted, and excuses no other payment."""
    with Bank(tmp_path, CHOREOGRAPHED) as bank:
        bank.open_account()
        payment_id, other = bank.pay("TEST-LATE-3"), bank.pay()
        bank.rest()
        target(bank, PauseTarget, "disbursement")
        bank.pass_time(5)
        assert (bank.debit(payment_id), bank.status(payment_id)) == ("posted", "executing")
        assert verify.look(bank.data)[0] == []
        bank.cell.core._session.begin()
        bank.cell.core._session.write("UPDATE tracker_payments SET status = 'executing' WHERE payment_id = ?", (other,))
        bank.cell.core._session.commit()
        assert {found.payment_id for found in verify.look(bank.data)[0]} == {other}
        bank.cell.core._session.begin()
        bank.cell.core._session.write("UPDATE tracker_payments SET status = 'completed' WHERE payment_id = ?", (other,))
        bank.cell.core._session.commit()
        target(bank, ResumeTarget, "disbursement")
        assert bank.until_status(payment_id, "completed") == "completed"
