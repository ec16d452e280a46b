"""People pause payments, services and the rail in a real cell, and let them go on: nothing is lost, nothing stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.admin.checking import check
from actors.admin.reading import Reading
from actors.disbursement.messages import SubmitPayment
from actors.ledger.messages import DebitAccount, PostDebit
from actors.messaging.message import Message
from actors.messaging.system_messages import PauseTarget, ResumeTarget, ServicePaused, TargetStanding
from actors.payment.messages import PauseSaga, RestartSaga, ResumeSaga, RetrySaga, SagaSteered, SteeringRefused
from actors.payment.workflow import WORKFLOWS
from tests.fakes.bank import DOUBTFUL, Bank, Way, every_way

CHOREOGRAPHED = Way("choreographed", "debit-first")
ORCHESTRATED = Way("orchestrated", "debit-first")


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
