"""Cancelling, and settling what is in doubt: one payment, or all that a query finds."""

from __future__ import annotations

import argparse
from typing import Any, Final

from actors.admin.bulk import MANY, is_job, run_job, target_arguments
from actors.admin.command import DONE, Command, CommandFailed, Invocation, error_of
from actors.admin.persons import who
from actors.vocabulary.operators import CANCEL, SETTLE

_CANCEL_SECONDS: Final = 10.0


def cancel(invocation: Invocation) -> int:
    """Stop a payment before it is handed to the rail."""
    from actors.admin.reading import slot_of_id
    from actors.disbursement.messages import CancellationTaken, CancelPayment
    from actors.messaging.envelope import OPERATOR

    given = invocation.arguments
    if is_job(invocation, CANCEL):
        return run_job(invocation, CANCEL)
    slot = slot_of_id(given.payment_id, "payment")
    command = CancelPayment(payment_id=given.payment_id, reason=given.reason, by=who(given))
    with invocation.system() as client:
        reply = client.request(command, "disbursement", slot, kind=OPERATOR)
        if not isinstance(reply, CancellationTaken):
            raise CommandFailed(error_of(reply))
        _must_run(invocation, given.payment_id)
        ended = client.wait(given.payment_id, _CANCEL_SECONDS, types=_CANCELLED_OR_NOT)
    document = {"payment_id": given.payment_id, "status": _became(invocation, given.payment_id, ended)}
    if document["status"] != "cancelled":
        raise CommandFailed(_not_cancelled(invocation, document))
    invocation.screen.show(document, lambda _: invocation.screen.say(f"{given.payment_id} is cancelled"))
    return DONE


def settle(invocation: Invocation) -> int:
    """Record a person's evidence for a payment in doubt; the payment goes on from there."""
    from actors.admin.reading import slot_of_id
    from actors.execution.messages import ExecutionSettled, SettleExecution
    from actors.messaging.envelope import OPERATOR

    given = invocation.arguments
    if is_job(invocation, SETTLE):
        return run_job(invocation, SETTLE, "executed" if given.executed else "not-executed")
    slot = slot_of_id(given.payment_id, "payment")
    command = SettleExecution(payment_id=given.payment_id, executed=given.executed, reason=given.reason, by=who(given))
    with invocation.system() as client:
        reply = client.request(command, "execution", slot, kind=OPERATOR)
    if not isinstance(reply, ExecutionSettled):
        raise CommandFailed(error_of(reply))
    document = {"payment_id": reply.payment_id, "executed": reply.executed}
    word = "executed" if reply.executed else "not executed"
    invocation.screen.show(
        document, lambda _: invocation.screen.say(f"{reply.payment_id} is settled as {word}; it goes on from there")
    )
    return DONE


_CANCELLED_OR_NOT: Final = (
    "CancellationRefused",
    "PaymentCancelled",
    "PaymentCompleted",
    "PaymentRejected",
    "PaymentReturned",
)


def _must_run(invocation: Invocation, payment_id: str) -> None:
    """A paused payment takes the wish when it is resumed: nobody should wait for that here."""
    with invocation.reading() as reading:
        payment = reading.payment_without_timeline(payment_id)
    if payment and payment["paused"]:
        raise CommandFailed(
            f"{payment_id} is paused: the wish to cancel it waits with the rest; let it go on with resume {payment_id}"
        )


def _became(invocation: Invocation, payment_id: str, waited: str | None) -> str:
    if waited == "cancelled":
        return waited
    with invocation.reading() as reading:
        payment = reading.payment_without_timeline(payment_id)
    return str(payment["status"]) if payment else "unknown"


def _not_cancelled(invocation: Invocation, document: dict[str, Any]) -> str:
    payment_id = document["payment_id"]
    with invocation.reading() as reading:
        payment = reading.payment(payment_id)
    for entry in reversed(payment["timeline"] if payment else []):
        if entry["type"] == "CancellationRefused":
            return str(entry["data"]["error"])
    return f"{payment_id} is {document['status']}; whether it could be stopped, payment {payment_id} will tell"


def _settle_arguments(parser: argparse.ArgumentParser) -> None:
    target_arguments(parser)
    word = parser.add_mutually_exclusive_group(required=True)
    word.add_argument("--executed", action="store_true", dest="executed", help="the bank has paid")
    word.add_argument("--not-executed", action="store_false", dest="executed", help="it has not and will not")


COMMANDS = (
    Command(
        name="cancel",
        help="stop payments before they are handed to the bank",
        details=MANY,
        arguments=target_arguments,
        run=cancel,
    ),
    Command(
        name="settle",
        help="say what you know of payments in doubt; they go on from there",
        details=MANY,
        arguments=_settle_arguments,
        run=settle,
    ),
)
