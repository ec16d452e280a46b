"""Shops that give money back, at random by seed, and the people who approve what is over the limit."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from actors.approval.messages import DecideApproval
from actors.disbursement.messages import PaymentAccepted, RefundPayment
from actors.messaging.message import Message
from actors.simulation.cells import SimulatedCell, Violation
from actors.simulation.clients import Clients
from actors.simulation.faults import Faults
from actors.store.session import Row
from actors.vocabulary.money import Money
from actors.vocabulary.slots import slot_in

# What the bank sends back by itself is not refunded: who is first is nobody's to say.
COMPLETED: Final = """SELECT payment_id, amount, currency FROM tracker_payments WHERE status = 'completed'
    AND workflow <> 'refund' AND creditor_account NOT LIKE 'TEST-RETURN%' ORDER BY payment_id"""
ASKED: Final = "SELECT approval_id, payment_id FROM approvals WHERE status = 'open' ORDER BY approval_id"
APPROVERS: Final = ("Ada", "Grace", "Edsger")


class Refunds:
    """`accepted` gets the refunds that were acknowledged, by key, as it has the payments."""

    def __init__(
        self,
        chance: Random,
        faults: Faults,
        clients: Clients,
        about: Callable[[str, Message, str], None],
        accepted: dict[str, str],
        flow: str | None,
    ) -> None:
        self._chance = chance
        self._faults = faults
        self._clients = clients
        self._about = about
        self._accepted = accepted
        self._flow = flow
        self._keys = 0

    def stroll(self, cell: SimulatedCell) -> None:
        """Refund some payment of the cell, in full, in part or more than it was; say a word on what waits for one."""
        chance = self._chance
        completed = cell.disk.rows(COMPLETED)
        if completed and chance.random() < 0.5:
            self._ask(chance.choice(completed))
        for approval_id, payment_id in cell.disk.rows(ASKED):
            if chance.random() < 0.3:
                self._decide(approval_id, payment_id)

    def tidy_up(self, cell: SimulatedCell) -> bool:
        """Say the words that are still missing; whether there were any."""
        asked = cell.disk.rows(ASKED)
        for approval_id, payment_id in asked:
            self._decide(approval_id, payment_id)
        return bool(asked)

    def _ask(self, completed: Row) -> None:
        chance = self._chance
        payment_id, amount, currency = completed
        self._keys += 1
        key = f"refund-{self._keys}"
        part = chance.choice((None, None, max(1, amount // 2), max(1, amount // 2), amount + 1))
        command = RefundPayment(
            idempotency_key=key,
            refund_of=payment_id,
            amount=None if part is None else Money(part, currency),
            reason="it came back",
            flow=self._flow or chance.choice(("orchestrated", "choreographed")),
        )
        self._faults.count("payment refunded")

        def heard(message: Message) -> None:
            if isinstance(message, PaymentAccepted):
                known = self._accepted.setdefault(key, message.payment_id)
                if known != message.payment_id:
                    raise Violation(f"the key {key} has refunded twice: {known} and {message.payment_id}", known)

        self._clients.ask(command, "disbursement", slot_in(payment_id), heard)

    def _decide(self, approval_id: str, payment_id: str) -> None:
        word = DecideApproval(
            approval_id=approval_id,
            by=self._chance.choice(APPROVERS),
            approve=self._chance.random() < 0.8,
            reason="looked at it",
            payment_id=payment_id,
        )
        self._about(payment_id, word, "approval")
