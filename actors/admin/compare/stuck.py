"""How a payment that is stuck halfway is found: the same faults in both flows, and what the system itself says."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from actors.admin.bench.system_under_test import BenchFailed
from actors.admin.command import Plan
from actors.admin.compare import faults
from actors.admin.compare.source import CHOREOGRAPHED, FLOWS, ORCHESTRATED
from actors.admin.reading import Reading
from actors.gateway.client import Client
from actors.vocabulary.money import Money
from actors.vocabulary.slots import slot_of

FACTOR: Final = 0.05  # of the shipped deadlines, so that nobody waits for minutes
LIMIT_S: Final = 60.0
_LOOK_S: Final = 0.05
_DEBTOR: Final = "COMPARE-STUCK"
_ENDED: Final = ("completed", "rejected", "cancelled", "returned", "needs_attention")


class Fault(NamedTuple):
    """One thing that goes wrong, the same in both flows, or the nearest that the other flow has."""

    name: str
    creditor: str = "Annelore Beispiel"
    account: str = "COMPARE-CREDITOR"
    unsubscribe: tuple[tuple[str, str, str], ...] = ()  # flow, service, event


FAULTS: Final = (
    Fault("AML's handler raises", creditor=faults.RAISES),
    Fault("AML takes the screening and never answers", creditor=faults.SILENT),
    Fault("the bank never answers", account="TEST-SILENT"),
    Fault(
        "the event that leads on has no subscriber",
        unsubscribe=((ORCHESTRATED, "payment", "PaymentRequested"), (CHOREOGRAPHED, "aml", "AccountDebited")),
    ),
)


def stuck(plan: Plan, note: Callable[[str], None]) -> list[dict[str, Any]]:
    """Each fault in both flows: what the payment's status and reason say, after how long, and where it is listed."""
    from actors.runtime.launch import start_system, stop_system
    from config.settings import SAMPLES, Settings, read_settings, write_effective

    shipped = Settings()
    quicker = {
        "payment.timeout_factor": FACTOR,
        "tracker.stalled_after_seconds": shipped.tracker.stalled_after_seconds * FACTOR,
        "tracker.executing_after_seconds": shipped.tracker.executing_after_seconds * FACTOR,
        "tracker.sweep_seconds": shipped.tracker.sweep_seconds * FACTOR,
        "execution.query_after_seconds": shipped.execution.query_after_seconds * FACTOR,
        "execution.query_every_seconds": shipped.execution.query_every_seconds * FACTOR,
        "execution.doubt_after_seconds": shipped.execution.doubt_after_seconds * FACTOR,
        "runtime.retry_initial_seconds": shipped.runtime.retry_initial_seconds * FACTOR,
        "runtime.retry_maximum_seconds": shipped.runtime.retry_maximum_seconds * FACTOR,
    }
    given = {name: str(value) for name, value in quicker.items()}
    given |= {"notification.transport": "none", "replication.enabled": "false", "log.level": "error",
              "aml.watchlists": f'["{SAMPLES / "watchlist.csv"}"]'}  # fmt: skip
    data = Path(tempfile.mkdtemp(prefix="paysaga-stuck-")).absolute()
    try:
        settings = read_settings(None, given).model_copy(update={"data": str(data)})
        write_effective(settings, data)
        # Kept by this process: should it be killed, nobody else would ever stop a throw-away system.
        start_system(replace(plan(settings, data), keeper=os.getpid(), core_factory=faults.CORE))
        with Client.connect(data) as client:
            _open_account(client)
            found = _round(client, data, [fault for fault in FAULTS if not fault.unsubscribe], note)
            # Afterwards, since nobody else may miss what is unsubscribed here.
            return found + _round(client, data, [fault for fault in FAULTS if fault.unsubscribe], note)
    finally:
        stop_system(data, now=True)
        shutil.rmtree(data, ignore_errors=True)


def _round(client: Client, data: Path, round_of: list[Fault], note: Callable[[str], None]) -> list[dict[str, Any]]:
    """One payment for each fault in each flow, all at once, until each has ended or a person is called."""
    from actors.directory.messages import Unsubscribe

    waiting: dict[str, tuple[Fault, str, float]] = {}
    for fault in round_of:
        note(f"stuck payments: {fault.name}")
        for _, service, event in fault.unsubscribe:
            client.broadcast(Unsubscribe(subscriber=service, event_types=(event,)), "directory")
        for flow in FLOWS:
            waiting[_pay(client, fault, flow)] = (fault, flow, time.monotonic())
    found: dict[str, float] = {}
    deadline = time.monotonic() + LIMIT_S
    reading = Reading.open(data)
    try:
        while len(found) < len(waiting) and time.monotonic() < deadline:
            for payment_id, status in reading.statuses(waiting).items():
                if status in _ENDED and payment_id not in found:
                    found[payment_id] = time.monotonic() - waiting[payment_id][2]
            time.sleep(_LOOK_S)
        listed = {each["payment_id"] for each in reading.dead_letters()}
        return [
            _seen(reading, payment_id, fault, flow, found.get(payment_id), payment_id in listed)
            for payment_id, (fault, flow, _) in waiting.items()
        ]
    finally:
        reading.close()


def _seen(
    reading: Reading, payment_id: str, fault: Fault, flow: str, after: float | None, listed: bool
) -> dict[str, Any]:
    """What anybody can read about the payment."""
    payment = reading.payment(payment_id) or {}
    debit = next(
        (row[0] for reader in reading.readers.values()
         for row in reader.all("SELECT state FROM debits WHERE debit_id = ?", (payment_id,))), "none",
    )  # fmt: skip
    timeline = payment.get("timeline") or [{"type": ""}]
    return {
        "fault": fault.name,
        "flow": flow,
        "status": payment.get("status"),
        "reason": payment.get("reason"),
        "reason_text": payment.get("reason_text"),
        "after_s": None if after is None else round(after, 1),
        "debit": debit,
        "needs_a_person": payment.get("status") == "needs_attention",
        "dead_letter": listed,
        "last_in_timeline": timeline[-1]["type"],
    }


def _pay(client: Client, fault: Fault, flow: str) -> str:
    from actors.disbursement.messages import PaymentAccepted, SubmitPayment

    key = f"stuck-{FAULTS.index(fault)}-{flow}"
    order = SubmitPayment(
        idempotency_key=key, debtor_account=_DEBTOR, creditor_name=fault.creditor, creditor_account=fault.account,
        amount=Money(1_000, "EUR"), flow=flow,
    )  # fmt: skip
    reply = client.pay(order, wait=False).answer
    if not isinstance(reply, PaymentAccepted):
        raise BenchFailed(f"an order was not accepted: {reply}")
    return reply.payment_id


def _open_account(client: Client) -> None:
    from actors.ledger.messages import AccountOpened, OpenAccount

    command = OpenAccount(account_id=_DEBTOR, currency="EUR", deposit=1_000_000)
    reply = client.request(command, "ledger", slot_of(_DEBTOR))
    if not isinstance(reply, AccountOpened):
        raise BenchFailed(f"account {_DEBTOR} could not be opened: {reply}")
