"""Giving money back: the refund of a completed payment, in full or in part."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from actors.admin import arguments as kinds
from actors.admin.command import DONE, Command, CommandFailed, Interrupted, Invocation
from actors.admin.commands.payments import DEFAULT_WAIT_SECONDS, EXIT_OF_STATUS, undecided, wait_arguments

if TYPE_CHECKING:
    from actors.vocabulary.money import Money


def refund(invocation: Invocation) -> int:
    """One refund; with `--wait` until it has ended or a person must decide."""
    from actors.admin.intake import random_key, refund_one
    from actors.admin.tables import payment_page
    from actors.disbursement.messages import RefundPayment
    from actors.disbursement.refunds import form_errors

    given, screen = invocation.arguments, invocation.screen
    key = given.key or random_key()
    command = RefundPayment(
        idempotency_key=key,
        refund_of=given.payment_id,
        amount=_amount(_payment(invocation, given.payment_id), given.amount),
        reason=given.reason,
        flow=given.flow,
    )
    errors = form_errors(command)
    if errors:
        raise CommandFailed("; ".join(errors))
    if given.key is None:
        screen.note(f"idempotency key {key} (repeat it safely with --key {key})")
    timeout = given.timeout or DEFAULT_WAIT_SECONDS
    try:
        with invocation.system() as client:
            document = refund_one(client, invocation.data, command, timeout if given.wait else None, given.timeout)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; whether the refund was taken, the same again with --key {key} tells, and refunds once"
        ) from None
    screen.show(document, lambda _: payment_page(screen, document))
    if not given.wait:
        return DONE
    return EXIT_OF_STATUS.get(document["status"], undecided(invocation, document, timeout))


def _payment(invocation: Invocation, payment_id: str) -> dict[str, Any]:
    """The payment that is to be given back.

    Raises:
        CommandFailed: there is none, or it is a refund itself.
    """
    with invocation.reading() as reading:
        payment = reading.payment_without_timeline(payment_id)
    if payment is None:
        raise CommandFailed(f"there is no payment {payment_id}; payments --search TEXT finds it by other words")
    if payment["refund_of"]:
        raise CommandFailed(f"{payment_id} is itself the refund of {payment['refund_of']}; use pay to pay again")
    return payment


def _amount(payment: dict[str, Any], amount: str | None) -> Money | None:
    from actors.vocabulary.money import parse_money

    return None if amount is None else parse_money(amount, payment["currency"])


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("payment_id", metavar="ID", type=kinds.payment_id, help="the payment whose money goes back")
    parser.add_argument("--amount", metavar="12.50", help="in the payment's currency (default: what it was of)")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why; stands in the refund")
    parser.add_argument("--flow", choices=kinds.FLOWS, help="how the refund is run (default: as configured)")
    parser.add_argument("--key", type=kinds.key, metavar="KEY", help="idempotency key: one key is one refund")
    wait_arguments(parser, "until the refund ends or a person must decide")


COMMANDS = (
    Command(
        name="refund",
        help="give the money of a completed payment back to its debtor",
        details="In full, or with --amount in part, as often as something is left. The refund is a payment of its own "
        "that goes the other way, in either flow, whichever the payment went by. Exit as pay: with --wait 0 completed; "
        "3 rejected or cancelled; 4 held, needs attention, or out of time.",
        arguments=_arguments,
        run=refund,
    ),
)
