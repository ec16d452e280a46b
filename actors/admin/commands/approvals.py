"""Payments that people must agree to: who is asked, and a person's yes or no."""

from __future__ import annotations

import argparse
from typing import Any, Final

from actors.admin import arguments as kinds
from actors.admin.command import DONE, Command, CommandFailed, Invocation, error_of
from actors.admin.persons import by_argument, who

_COLUMNS: Final = ("approval", ">amount", "", "debtor", "creditor", "asked because", "agreed", ">missing", "due")


def list_approvals(invocation: Invocation) -> int:
    """Payments that wait for people, the longest waiting first."""
    from actors.admin.tables import moment

    with invocation.reading() as reading:
        waiting = reading.approvals()
    rows = [
        (
            each["approval_id"],
            each["amount"],
            each["currency"],
            each["debtor_account"],
            each["creditor_name"],
            each["why"],
            ", ".join(word["by"] for word in each["words"] if word["approve"]),
            each["missing"],
            "overdue" if each["overdue"] else moment(each["due_at"]),
        )
        for each in waiting
    ]
    invocation.screen.show(
        {"approvals": waiting}, lambda _: invocation.screen.table(_COLUMNS, rows, empty="nobody is asked to approve")
    )
    return DONE


def approve(invocation: Invocation) -> int:
    """Agree to a payment."""
    return _decide(invocation, approve=True)


def deny(invocation: Invocation) -> int:
    """Have a payment not made."""
    return _decide(invocation, approve=False)


def _decide(invocation: Invocation, *, approve: bool) -> int:
    from actors.admin.reading import slot_of_id
    from actors.approval.messages import ApprovalTaken, DecideApproval
    from actors.messaging.envelope import OPERATOR

    given, screen = invocation.arguments, invocation.screen
    with invocation.reading() as reading:
        payment_id = reading.payment_of_approval(given.approval_id) or given.approval_id
    command = DecideApproval(
        approval_id=given.approval_id, by=who(given), approve=approve, reason=given.reason, payment_id=payment_id
    )
    with invocation.system() as client:
        reply = client.request(command, "approval", slot_of_id(payment_id, "approval"), kind=OPERATOR)
    if not isinstance(reply, ApprovalTaken):
        raise CommandFailed(error_of(reply))
    document = {
        "approval_id": reply.approval_id,
        "payment_id": reply.payment_id,
        "by": command.by,
        "approve": approve,
        "status": reply.status,
        "missing": reply.missing,
        "decided_before": reply.decided or None,
    }
    screen.show(document, lambda document: screen.say(_sentence(document)))
    return DONE


def _sentence(document: dict[str, Any]) -> str:
    by, missing = document["by"], document["missing"]
    if document["decided_before"]:
        return f"{document['decided_before']}; this word changes nothing"
    if document["status"] == "open":
        more = "one more person has" if missing == 1 else f"{missing} more people have"
        return f"{document['approval_id']}: {by} agrees; {more} to"
    return f"{document['approval_id']}: {document['status']}; payment {document['payment_id']}"


def _decision_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("approval_id", metavar="ID", type=kinds.approval_id)
    by_argument(parser)
    parser.add_argument(
        "--reason", type=kinds.reason, metavar="TEXT", required=True, help="why; it is kept in the timeline"
    )


COMMANDS = (
    Command(name="approvals list", help="payments that wait for people to agree", run=list_approvals),
    Command(
        name="approvals approve",
        help="agree to a payment",
        details="It goes on when as many different people as it takes have agreed. A second yes of the same person "
        "does not count. Names are what people say they are called: see docs/how-to/approve-payments.md.",
        arguments=_decision_arguments,
        run=approve,
    ),
    Command(
        name="approvals deny",
        help="have a payment not made",
        details="One no is enough.",
        arguments=_decision_arguments,
        run=deny,
    ),
)
