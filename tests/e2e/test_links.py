"""Between two cells: a key is claimed in one, its payment runs in the other, and either may die at any moment."""

from __future__ import annotations

import os
import random
from pathlib import Path

from actors.disbursement.messages import OrderRefused, PaymentAccepted, SubmitPayment
from actors.gateway.client import NoAnswer, NotRunning
from actors.store.placement import spread
from actors.vocabulary.money import Money
from actors.vocabulary.slots import slot_in, slot_of
from tests.fakes.installation import ACCOUNTS, Installation, OrderFile, agree, end, open_accounts
from tests.fakes.running import eventually

PAYMENTS = int(os.environ.get("PAYSAGA_LINK_PAYMENTS", "600"))  # 4000 is the long version
KILLS = int(os.environ.get("PAYSAGA_LINK_KILLS", "5"))  # and 20
SEED = int(os.environ.get("PAYSAGA_LINK_SEED", "1"))
LINES_EACH = 12  # of the log, that a payment writes at least
ROUGH = {
    "execution.delay_ms": "[5, 300]",
    "execution.query_after_seconds": "1",
    "execution.doubt_after_seconds": "5",
    "supervision.intensity": "100",
    "supervision.backoff_maximum_seconds": "0.2",
}


def cell_of(text: str) -> int:
    """The cell that owns a key or an account."""
    return int(spread(2).cell_for("disbursement", slot_of(text))[-1])


def order(key: str, amount: int = 100) -> SubmitPayment:
    """A payment whose debtor lives in another cell than its key."""
    debtor = next(account for account in ACCOUNTS if cell_of(account) != cell_of(key))
    return SubmitPayment(
        idempotency_key=key,
        debtor_account=debtor,
        creditor_name="Ann",
        creditor_account="TEST-OK",
        amount=Money(amount, "EUR"),
    )


def test_a_key_of_another_cell_stands_for_one_payment(tmp_path: Path) -> None:
    """The claim is asked before the debtor's cell hears anything; it survives both cells."""
    orders = [order(f"far-{number}") for number in range(20)]
    with Installation(tmp_path / "data") as system:
        open_accounts(system)
        with system.client() as client:
            first = {each.idempotency_key: reply for each, reply in client.submit(orders)}
            eventually(lambda: system.statuses() == {"completed": len(orders)})
            for name in ("cell-0", "cell-1"):
                killed = system.kill(name)
                eventually(lambda: system.pids().get(name, killed.pid) != killed.pid)  # noqa: B023 -- at once
            second = {each.idempotency_key: reply for each, reply in client.submit(orders)}
            other = [reply for _, reply in client.submit([order(each.idempotency_key, 101) for each in orders])]
        for key, accepted in first.items():
            repeated = second[key]
            assert isinstance(accepted, PaymentAccepted)
            assert isinstance(repeated, PaymentAccepted)
            assert (accepted.duplicate, repeated.duplicate) == (False, True)
            assert accepted.payment_id == repeated.payment_id
            assert int(spread(2).cell_for("disbursement", slot_in(accepted.payment_id))[-1]) != cell_of(key)
        assert all(isinstance(reply, OrderRefused) and reply.conflict for reply in other)
        assert len(system.journal()) == len(orders)
        assert system.violations() == []


def test_kills_at_any_moment_lose_and_double_nothing(tmp_path: Path) -> None:
    """Cells and the gateway die while envelopes are in links, in frames, in stores and in between."""
    chance = random.Random(SEED)
    orders = OrderFile.write(tmp_path / "orders.csv", PAYMENTS)
    with Installation(tmp_path / "data", ROUGH) as system:
        open_accounts(system)
        submit = system.begin("submit", str(orders.path), "--wait", "--timeout", "120", "--json")
        # The moments are progress, not time, so that a slow machine has the same ones.
        for lines in sorted(chance.randrange(PAYMENTS * LINES_EACH) for _ in range(KILLS)):
            eventually(lambda: system.number("SELECT max(last_offset) FROM log_parts") >= lines, 60)  # noqa: B023
            victim = chance.choice(("cell-0", "cell-1", "cell-0", "cell-1", "gateway"))
            eventually(lambda: victim in system.pids(), 20)  # noqa: B023 -- at once
            killed = system.kill(victim)
            eventually(lambda: system.pids().get(victim, killed.pid) != killed.pid, 20)  # noqa: B023 -- at once
            if chance.random() < 0.7:  # otherwise the next blow may come while it still recovers
                eventually(lambda: _whole(system), 20)
        done = end(submit, 150)
        assert done.status == 4, done.err  # some are held, some need attention
        assert (done.json["accepted"], done.json["duplicates"], done.json["refused"]) == (PAYMENTS, 0, [])
        agree(system, orders)


def _whole(system: Installation) -> bool:
    try:
        return system.is_whole()
    except (NoAnswer, NotRunning):
        return False
