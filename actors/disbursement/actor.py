"""Disbursement: takes orders once, starts payments, and publishes how the choreographed ones end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

from actors.disbursement import model, refunds
from actors.disbursement.messages import (
    BatchRegistered,
    CancellationRefused,
    CancellationRequested,
    CancellationTaken,
    CancelPayment,
    ClaimRefund,
    EndPayment,
    OrderRefused,
    PaymentAccepted,
    PaymentCancelled,
    PaymentCompleted,
    PaymentInitiated,
    PaymentNeedsAttention,
    PaymentRejected,
    PaymentRequested,
    PaymentReturned,
    RefundPayment,
    RefuseCancellation,
    RegisterBatch,
    StartPayment,
    SubmitPayment,
)
from actors.disbursement.store import MIGRATIONS, DisbursementStore
from actors.messaging import codec
from actors.messaging.codec import micros
from actors.messaging.envelope import CHOREOGRAPHED
from actors.messaging.message import Event, Message
from actors.messaging.system_messages import Await
from actors.runtime.service import CellContext, Handler, Service, Turn
from actors.vocabulary.offers import NotOffered, Offer
from actors.vocabulary.operators import CANCEL, OperatorRules
from actors.vocabulary.order import Creditor, PaymentFacts, PaymentOrder
from actors.vocabulary.reason import NARRATIVE, Reason
from actors.vocabulary.slots import slot_in, slot_of

UNSAID = Reason(NARRATIVE, "no reason was given")


class Disbursement(Service):
    """Intake and, for choreographed payments, the end."""

    name = "disbursement"
    migrations = MIGRATIONS

    def prepare(self, context: CellContext) -> None:
        """Take the session and the defaults."""
        codec.register(StartPayment)  # what the store keeps
        self.store = DisbursementStore(context.session)
        self.slots = context.slots
        self.flow = context.settings.disbursement.flow
        self.workflow = context.settings.disbursement.workflow
        self.offers = context.offers
        self._chosen: dict[tuple[str, str], Offer] = {}
        self.refund_period = timedelta(days=context.settings.disbursement.refund_days)
        self.rules = OperatorRules(context.settings.operators.names, context.settings.operators.four_eyes)

    def submit(self, command: SubmitPayment, turn: Turn) -> None:
        """Claim the key and hand the order to the debtor's partition; a known key is answered from its claim."""
        key = command.idempotency_key
        errors = model.form_errors(command)
        if slot_of(key) not in self.slots:
            errors = ["the order came to a partition that is not its idempotency key's: a client's mistake"]
        if errors:
            turn.answer(OrderRefused(idempotency_key=key, error="; ".join(errors)))
            return
        digest = model.digest(command)
        client, message_id = turn.envelope.sender, turn.envelope.message_id
        flow = command.flow or self.flow
        try:
            offer = self._offer(command, flow, turn)
        except NotOffered as refusal:
            # An order that was accepted stays so, whatever has become too late or is no longer offered since.
            if self.store.claimed(key) is None:
                turn.answer(OrderRefused(idempotency_key=key, error=str(refusal)))
            else:
                self._repeat(key, digest, message_id, client, command.wait_for, turn)
            return
        slot = slot_of(command.debtor_account)
        payment_id = turn.new_id("P", slot)
        if not self.store.claim(key, digest, payment_id, message_id):
            self._repeat(key, digest, message_id, client, command.wait_for, turn)
            return
        order = PaymentOrder(
            payment_id=payment_id,
            idempotency_key=key,
            debtor_account=command.debtor_account,
            creditor=Creditor(
                name=command.creditor_name,
                account=model.account_as_sent(command.creditor_account),
                country=command.creditor_country,
                email=command.creditor_email,
                date_of_birth=command.creditor_date_of_birth,
            ),
            amount=command.amount,
            end_to_end_id=command.end_to_end_id or payment_id,
            uetr=turn.new_uuid(),
            remittance=command.remittance,
            flow=flow,
            workflow=offer.name,
            workflow_version=offer.version,
            batch_id=command.batch_id,
            created_at=turn.now,
            execution_date=command.execution_date,
        )
        turn.send("disbursement", StartPayment(order=order), slot=slot, payment_id=payment_id)
        turn.answer(PaymentAccepted(payment_id=payment_id, idempotency_key=key))
        _wait(command.wait_for, payment_id, client, turn)

    def _offer(self, command: SubmitPayment, flow: str, turn: Turn) -> Offer:
        """The workflow that the order runs on: the one it asks for, or the configured one.

        Raises:
            NotOffered: it can't have that one, or not at the date it wants.
        """
        wanted, day = command.workflow or self.workflow, command.execution_date
        if day is None and (offer := self._chosen.get((flow, wanted))):
            return offer
        if errors := model.when_errors(command, turn.now.date()):
            raise NotOffered("; ".join(errors))
        offer = self.offers.for_order(flow, wanted, day)
        self._chosen[flow, wanted] = offer
        return offer

    def _repeat(
        self, key: str, digest: bytes, message_id: str, client: str, wait_for: tuple[str, ...], turn: Turn
    ) -> None:
        claim = self.store.claimed(key)
        assert claim is not None, f"key {key} is neither new nor claimed"
        known, payment_id, first = claim
        if known == digest:
            # A client that was not answered sends the very same message again: that is no second order.
            second = message_id != first
            accepted = PaymentAccepted(payment_id=payment_id, idempotency_key=key, duplicate=second)
            turn.answer(accepted, to=client)
            _wait(wait_for, payment_id, client, turn)
            return
        error = f"idempotency_key {key} belongs to payment {payment_id}, whose content is another"
        turn.answer(OrderRefused(idempotency_key=key, error=error, conflict=True), to=client)

    def refund(self, command: RefundPayment, turn: Turn) -> None:
        """Make of the payment, which lives here, the order that gives it back; its key is claimed elsewhere."""
        key, payment_id, envelope = command.idempotency_key, command.refund_of, turn.envelope
        known = self.store.order(payment_id)
        original = known[0] if known else None
        error = "; ".join(refunds.form_errors(command)) or refunds.why_not(payment_id, original, command)
        flow = command.flow or self.flow
        if original is None or error:
            turn.answer(OrderRefused(idempotency_key=key, error=error))
            return
        order = refunds.order_of(
            command,
            original,
            refund_id=turn.new_id("P", slot_in(payment_id)),
            uetr=turn.new_uuid(),
            flow=flow,
            version=self.offers.find(flow, refunds.WORKFLOW).version,
            period=self.refund_period,
            now=turn.now,
        )
        claim = ClaimRefund(
            order=order,
            digest=refunds.digest(command).hex(),
            client=envelope.sender,
            message_id=envelope.message_id,
            wait_for=command.wait_for,
        )
        turn.send("disbursement", claim, slot=slot_of(key))

    def claim_refund(self, command: ClaimRefund, turn: Turn) -> None:
        """Claim the key and hand the order back to where the payment lives; a known key is answered from its claim."""
        order, client = command.order, command.client
        key, payment_id = order.idempotency_key, order.payment_id
        digest = bytes.fromhex(command.digest)
        if not self.store.claim(key, digest, payment_id, command.message_id):
            self._repeat(key, digest, command.message_id, client, command.wait_for, turn)
            return
        turn.send("disbursement", StartPayment(order=order), slot=slot_in(payment_id), payment_id=payment_id)
        turn.answer(PaymentAccepted(payment_id=payment_id, idempotency_key=key), to=client)
        _wait(command.wait_for, payment_id, client, turn)

    def start(self, command: StartPayment, turn: Turn) -> None:
        """Keep the order and publish what starts it, once."""
        if not self.store.start(command):
            return
        order = command.order
        event: Event
        if order.flow == CHOREOGRAPHED:
            event = PaymentInitiated(facts=PaymentFacts(order=order))
        else:
            event = PaymentRequested(order=order)
        turn.publish(event, payment_id=order.payment_id, flow=order.flow, workflow=order.workflow)

    def end(self, command: EndPayment, turn: Turn) -> None:
        """Keep and publish what a choreographed payment has become, if that is news."""
        order, wanted = command.order, command.status
        known = self.store.status(order.payment_id)
        assert known is not None, f"payment {order.payment_id} ends before it started"
        current, code, text = known
        status = model.ending(current, wanted, reopens=command.reopens)
        # A payment that had ended keeps its end beside the call for a person: a repeat of that end is no news.
        kept = model.kept(current, wanted, status, reopens=command.reopens)
        known_reason = Reason(code or "", text or "")
        if status is None:
            if kept != current:
                self.store.end(order.payment_id, kept, known_reason)
            return
        reason = model.reason_of(current, wanted, status, command.reason)
        if kept == current and reason == known_reason:
            return
        self.store.end(order.payment_id, kept, reason)
        turn.publish(
            ended(status, order, reason or UNSAID),
            payment_id=order.payment_id,
            flow=order.flow,
            workflow=order.workflow,
        )

    def cancel(self, command: CancelPayment, turn: Turn) -> None:
        """Record a person's wish and ask the gate; refuse at once what is unknown or known to have ended."""
        payment_id = command.payment_id
        known = self.store.order(payment_id)
        error = self.rules.why_not_directly(CANCEL, command.by, turn.envelope.sender)
        error = error or model.why_not_cancelled(payment_id, known[1] if known else None)
        if known is None or error:
            turn.answer(CancellationRefused(payment_id=payment_id, error=error))
            return
        order, _ = known
        turn.publish(
            CancellationRequested(facts=PaymentFacts(order=order), reason=command.reason),
            payment_id=payment_id,
            flow=order.flow,
            workflow=order.workflow,
        )
        turn.answer(CancellationTaken(payment_id=payment_id))

    def refuse_cancellation(self, command: RefuseCancellation, turn: Turn) -> None:
        """Tell that the payment goes on."""
        turn.publish(CancellationRefused(payment_id=command.payment_id, error=command.error))

    def register_batch(self, command: RegisterBatch, turn: Turn) -> None:
        """Remember a submitted file."""
        self.store.register_batch(command.batch_id, command.file_name, command.orders, micros(turn.now))
        turn.answer(BatchRegistered(batch_id=command.batch_id))

    handlers: ClassVar[Mapping[type[Message], Handler]] = {
        SubmitPayment: submit,
        RefundPayment: refund,
        ClaimRefund: claim_refund,
        StartPayment: start,
        EndPayment: end,
        CancelPayment: cancel,
        RefuseCancellation: refuse_cancellation,
        RegisterBatch: register_batch,
    }


def ended(status: str, order: PaymentOrder, reason: Reason) -> Event:
    """The event that says what a payment has become."""
    if status == model.COMPLETED:
        return PaymentCompleted(order=order)
    if status == model.REJECTED:
        return PaymentRejected(order=order, reason=reason)
    if status == model.CANCELLED:
        return PaymentCancelled(order=order, reason=reason)
    if status == model.RETURNED:
        return PaymentReturned(order=order, reason=reason)
    return PaymentNeedsAttention(order=order, reason=reason)


def _wait(types: tuple[str, ...], payment_id: str, client: str, turn: Turn) -> None:
    """Let whoever gave the order hear how it goes on, from the partition where it does."""
    if types:
        question = Await(payment_id=payment_id, types=types, client=client)
        turn.send("waiting", question, slot=slot_in(payment_id), payment_id=payment_id)
