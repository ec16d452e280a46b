"""A saga dies, or leaves memory, in the middle of its payment, and comes back from its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.aml.messages import DecideReview, ScreenBeneficiary
from actors.ledger.messages import DebitAccount, PostDebit, VoidDebit
from actors.messaging.message import Message
from actors.messaging.system_messages import ActorKilled, KillActor
from tests.fakes.bank import DEPOSIT, DOUBTFUL, Bank, Way

every_order = pytest.mark.parametrize("way", [Way("orchestrated", o) for o in ("debit-first", "screen-first")], ids=str)


@every_order
def test_a_saga_killed_while_a_person_decides_goes_on_from_the_decision(way: Way, tmp_path: Path) -> None:
    """The case knows who waits for it; the saga's row knows the rest."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        payment_id = bank.pay(name=DOUBTFUL)
        assert kill(bank, payment_id)
        bank.decide(payment_id, "clear")
        assert bank.until_status(payment_id, "completed") == "completed"


@every_order
def test_a_saga_killed_while_the_bank_has_the_payment_hears_the_answer(way: Way, tmp_path: Path) -> None:
    """Late, lost or rejected: the answer finds its saga."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        ids = [bank.pay(account) for account in ("TEST-LATE-5", "TEST-LOST", "TEST-LATE-100")]
        bank.rest()
        for payment_id in ids:
            assert kill(bank, payment_id)
        bank.pass_time(70)
        assert [bank.status(payment_id) for payment_id in ids] == ["completed", "completed", "needs_attention"]
        kill(bank, ids[2])
        bank.pass_time(60)
        assert bank.status(ids[2]) == "completed"


@every_order
@pytest.mark.parametrize(
    ("service", "failing", "account", "ends"),
    [
        ("ledger", DebitAccount, "TEST-OK", "completed"),
        ("aml", ScreenBeneficiary, "TEST-OK", "completed"),
        ("ledger", PostDebit, "TEST-OK", "completed"),
        ("ledger", VoidDebit, "TEST-REJECT-AC04", "rejected"),
    ],
)
def test_a_saga_killed_at_any_step_goes_on(
    service: str, failing: type[Message], account: str, ends: str, way: Way, tmp_path: Path
) -> None:
    """Its command waits at a service that fails for a moment; the answer wakes a new instance."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.fail(service, failing)
        payment_id = bank.pay(account)
        bank.rest()
        assert kill(bank, payment_id)
        bank.faults.mend()
        bank.pass_time(5)
        assert bank.status(payment_id) == ends


@every_order
def test_a_saga_killed_between_two_messages_of_one_turn_loses_nothing(way: Way, tmp_path: Path) -> None:
    """The kill is in the same frame as the decision: what the saga had done in the turn stands."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        ids = [bank.pay(name=DOUBTFUL) for _ in range(3)]
        for at, payment_id in enumerate(ids):
            messages: list[tuple[str, Message]] = [
                ("aml", DecideReview(case_id=bank.case(payment_id), decision="clear", reason="fine"))
            ]
            messages.insert(at % 2, ("actors", KillActor(name=f"payment/{payment_id}")))
            bank.cell.post_many(messages)
        bank.rest()
        assert [bank.status(payment_id) for payment_id in ids] == ["completed"] * 3
        assert bank.balance() == (DEPOSIT - 3_000, 0)


@every_order
def test_sagas_that_leave_memory_after_every_turn_end_the_same(way: Way, tmp_path: Path) -> None:
    """None is resident: each message makes the saga anew from its row."""
    with Bank(tmp_path, way, runtime={"resident_sagas": 0}) as bank:
        bank.open_account()
        accounts = ("TEST-OK", "TEST-REJECT-AC04", "TEST-LATE-5", "TEST-RETURN-MD07", "TEST-SILENT", "TEST-CONTRADICT")
        ids = [bank.pay(account) for account in accounts]
        held = bank.pay(name=DOUBTFUL)
        bank.rest()
        assert not bank.cell.core._system.residents
        bank.cancel(held)
        bank.pass_time(90)
        assert [bank.status(payment_id) for payment_id in ids] == [
            "completed", "rejected", "completed", "returned", "needs_attention", "needs_attention",
        ]  # fmt: skip
        assert bank.status(held) == "cancelled"


@every_order
def test_the_payment_service_dies_and_its_sagas_go_on(way: Way, tmp_path: Path) -> None:
    """The parent of all sagas holds nothing: the next payment brings it back."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        late = bank.pay("TEST-LATE-5")
        bank.rest()
        answer = bank.kill("payment")
        assert isinstance(answer, ActorKilled)
        assert answer.found
        kill(bank, late)
        bank.pass_time(10)
        after = bank.pay()
        bank.rest()
        assert (bank.status(late), bank.status(after)) == ("completed", "completed")


@every_order
def test_a_saga_comes_back_after_a_crash_with_its_clock(way: Way, tmp_path: Path) -> None:
    """The step's timeout is durable: nobody forgets to ask again, or to give up."""
    with Bank(tmp_path, way) as bank:
        bank.open_account()
        bank.faults.ignore("ledger", DebitAccount)
        payment_id = bank.pay()
        bank.rest()
        bank.crash(down_for=3_600)
        bank.pass_time(60)
        assert (bank.status(payment_id), bank.reason(payment_id)[0]) == ("rejected", "AB06")
        assert bank.debit(payment_id) == "never_made"


def kill(bank: Bank, payment_id: str) -> bool:
    """End the payment's saga at once."""
    answer = bank.kill(f"payment/{payment_id}")
    return isinstance(answer, ActorKilled) and answer.found
