"""The order of steps is switched under a thousand payments in flight: each keeps the order it started with."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actors.aml.messages import ScreenBeneficiary
from actors.execution.messages import ExecutePayment, RailAnswered
from actors.ledger.messages import DebitAccount, PostDebit, VoidDebit
from actors.messaging.message import Message
from tests.fakes.bank import BLOCKED, DEPOSIT, DOUBTFUL, GOOD, WAYS, Bank, Way

OTHER = {"debit-first": "screen-first", "screen-first": "debit-first"}
EACH = 100
SLOW: dict[str, Any] = {  # nothing is tried again, asked or given up before the crash, however slow the machine
    "runtime": {"retry_initial_seconds": 60},
    "payment": {"timeout_factor": 100},
    "execution": {"query_after_seconds": 60, "doubt_after_seconds": 6_000},
    "tracker": {"stalled_after_seconds": 6_000},
}
# Where a payment stands still: the handler that fails, and the order that gets there.
STAGES: tuple[tuple[str, type[Message] | None, dict[str, str]], ...] = (
    ("ledger", DebitAccount, {}),
    ("aml", ScreenBeneficiary, {}),
    ("aml", ScreenBeneficiary, {"name": BLOCKED}),
    ("aml", None, {"name": DOUBTFUL}),  # held
    ("execution", ExecutePayment, {}),
    ("execution", RailAnswered, {}),
    ("execution", None, {"creditor_account": "TEST-LATE-60"}),  # at the rail
    ("execution", None, {"creditor_account": "TEST-NOTRECEIVED"}),  # lost on its way there
    ("ledger", PostDebit, {}),
    ("ledger", VoidDebit, {"creditor_account": "TEST-REJECT-AC04"}),
)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_payments_in_flight_keep_their_order_when_the_setting_changes(way: Way, tmp_path: Path) -> None:
    """Stopped at every stage, a crash, the other setting: none is paid unscreened, none is stranded."""
    with Bank(tmp_path, way, **SLOW) as bank:
        bank.open_account()
        ids: list[str] = []
        for at, (service, failing, order) in enumerate(STAGES):
            if failing is not None:
                bank.faults.fail(service, failing)
            ids += bank.pay_all([bank.order(**{"amount": 10, "name": GOOD, **order}) for _ in range(EACH)])  # type: ignore[arg-type]
            parked = EACH * sum(stage[1] is not None for stage in STAGES[: at + 1])
            bank.cell.until(lambda parked=parked: standing_still(bank, parked))  # type: ignore[misc]
            bank.faults.mend()
        assert len(ids) == 1_000
        assert "completed" not in bank.statuses().values(), "each was to stand still somewhere"
        held = [payment_id for payment_id in ids if bank.status(payment_id) == "held"]
        assert len(held) == EACH

        bank.crash(disbursement={"workflow": OTHER[way.order]})
        after = bank.pay(amount=10)
        bank.pass_time(300)
        for payment_id in held:
            bank.decide(payment_id, "clear")
        bank.rest()

        assert Counter(map(bank.status, ids)) == {"completed": 8 * EACH, "rejected": 2 * EACH}
        assert bank.status(after) == "completed"
        workflows = dict(bank.cell.ask("SELECT payment_id, workflow FROM tracker_payments"))
        assert {workflows[payment_id] for payment_id in ids} == {way.order}
        assert workflows[after] == OTHER[way.order]
        assert bank.balance() == (DEPOSIT - 10 * (8 * EACH + 1), 0)
        for payment_id in ids[::50]:
            assert steps(bank, payment_id) in ([], expected(way.order)), payment_id


def standing_still(bank: Bank, parked: int) -> bool:
    """So many messages wait for another try, and the rail has taken what it was given."""
    waiting = bank.cell.ask("SELECT count(*) FROM parked")[0][0]
    return waiting == parked and not any(bank.cell.core.report()["outboxes"].values())


def steps(bank: Bank, payment_id: str) -> list[str]:
    """In which order evidence was gathered for the instruction; nothing where there was none."""
    story = bank.story(payment_id)
    if "SubmitInstruction" not in story:
        return []
    until = story.index("SubmitInstruction")
    evidence = [name for name in story[:until] if name in ("AccountDebited", "BeneficiaryCleared")]
    return list(dict.fromkeys(evidence))


def expected(order: str) -> list[str]:
    """In which order it is gathered by this order of steps."""
    evidence = ["AccountDebited", "BeneficiaryCleared"]
    return evidence if order == "debit-first" else evidence[::-1]
