"""Every outcome through one flow on a fresh store, with the persons who decide; the other flow has to match it."""

from __future__ import annotations

import time
from typing import Any, Final

from actors.admin.bench.system_under_test import BenchFailed, SystemUnderTest
from actors.admin.compare.books import Books, books
from actors.admin.compare.orders import ACCOUNTS, decision, mixed, settlement
from actors.admin.reading import Reading
from actors.admin.verify import verify_data
from actors.messaging.envelope import OPERATOR
from actors.vocabulary.slots import slot_in

PATIENCE_S: Final = 180.0
# A bank that is asked soon and given up soon, as in the demonstration; late answers come within that time.
SETTINGS: Final = (
    "execution.query_after_seconds=0.5", "execution.query_every_seconds=0.5", "execution.doubt_after_seconds=4",
    "notification.transport=none", "replication.enabled=false",
)  # fmt: skip
RESTING: Final = ("completed", "rejected", "cancelled", "returned", "needs_attention", "held")


def every_outcome(flow: str, payments: int) -> tuple[Books, list[Any]]:
    """Run all kinds of orders to their ends; what they left, and what `verify` finds wrong with it.

    Raises:
        BenchFailed: some did not come to rest.
    """
    with SystemUnderTest("embedded", SETTINGS) as system:
        system.open_accounts(ACCOUNTS)
        orders = mixed(payments, flow)
        system.submit(orders)
        system.wait_for(payments, RESTING, PATIENCE_S)
        _decide(system)
        _until_at_rest(system, {order.idempotency_key: order.remittance or "" for order in orders})
        verdict = verify_data(system.data)
        return books(system.data), verdict["violations"]


def _decide(system: SystemUnderTest) -> None:
    """What persons do about the held payments, and then about those in doubt."""
    from actors.aml.messages import DecideReview
    from actors.disbursement.messages import CancelPayment
    from actors.execution.messages import SettleExecution

    reading = Reading.open(system.data)
    try:
        held = {case["payment_id"]: case["case_id"] for case in reading.reviews()}
        for payment in reading.payments(status="held", limit=len(held) + 1):
            payment_id, what = payment["payment_id"], decision(payment["idempotency_key"])
            message: Any = CancelPayment(payment_id=payment_id, reason="ordered by mistake")
            if what != "cancel":
                message = DecideReview(
                    case_id=held[payment_id], decision=what, reason="looked at", payment_id=payment_id
                )
            target = "disbursement" if what == "cancel" else "aml"
            system.client.request(message, target, slot_in(payment_id), kind=OPERATOR)
        in_doubt = [
            payment
            for payment in reading.payments(status="needs_attention", limit=1_000_000)
            if payment["remittance"] == "never answered"
        ]
        for payment in in_doubt:
            what = settlement(payment["idempotency_key"])
            if what != "left":
                message = SettleExecution(
                    payment_id=payment["payment_id"], executed=what == "executed", reason="as the bank's statement says"
                )
                system.client.request(message, "execution", slot_in(payment["payment_id"]), kind=OPERATOR)
    finally:
        reading.close()


def _until_at_rest(system: SystemUnderTest, kinds: dict[str, str]) -> None:
    """Until every payment has come to where its kind ends: some are completed first and sent back after that."""
    deadline = time.monotonic() + PATIENCE_S
    wanted = {"sent back": "returned", "bank contradicts itself": "needs_attention"}
    while time.monotonic() < deadline:
        statuses = books(system.data).statuses
        moving = [
            key
            for key, kind in kinds.items()
            if statuses.get(key) not in RESTING
            or statuses[key] == "held"
            or (kind in wanted and statuses[key] != wanted[kind])
            or (kind == "never answered" and settlement(key) != "left" and statuses[key] == "needs_attention")
        ]
        if not moving:
            return
        time.sleep(0.1)
    raise BenchFailed(f"{len(moving)} payments did not come to their ends, {moving[0]} ({kinds[moving[0]]}) is one")
