"""Paying, submitting files, and what became of payments."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any, Final

from actors.admin import arguments as kinds
from actors.admin.command import (
    DONE,
    FAILED,
    NOT_PAID,
    UNDECIDED,
    WRONG_USAGE,
    Command,
    CommandFailed,
    Interrupted,
    Invocation,
)
from actors.vocabulary.counts import counted

DEFAULT_WAIT_SECONDS: Final = 60.0
EXIT_OF_STATUS: Final = {
    "completed": DONE,
    "rejected": NOT_PAID,
    "cancelled": NOT_PAID,
    "returned": NOT_PAID,
}
CSV_COLUMNS: Final = (
    "payment_id", "idempotency_key", "status", "reason", "reason_text", "flow", "workflow", "debtor_account",
    "creditor_name", "creditor_account", "amount", "currency", "remittance", "end_to_end_id", "uetr", "batch_id",
    "created_at", "updated_at",
)  # fmt: skip


def pay(invocation: Invocation) -> int:
    """One payment; with `--wait` until it has ended or a person must decide."""
    from actors.admin.intake import check_form, order_from, pay_one, random_key

    given, screen = invocation.arguments, invocation.screen
    key = given.key or random_key()
    order = order_from(given, key)
    check_form(order)
    if given.key is None:
        screen.note(f"idempotency key {key} (repeat it safely with --key {key})")
    timeout = given.timeout or DEFAULT_WAIT_SECONDS
    try:
        with invocation.system() as client:
            document = pay_one(client, invocation.data, order, timeout if given.wait else None, given.timeout)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; whether the order was taken, the same again with --key {key} tells, and pays once"
        ) from None
    screen.show(document, lambda _: _payment_page(invocation, document))
    if not given.wait:
        return DONE
    return EXIT_OF_STATUS.get(document["status"], undecided(invocation, document, timeout))


def submit(invocation: Invocation) -> int:
    """A file of orders: good lines are taken, each bad line is reported."""
    from actors.admin.intake import Submission, read_file

    given, screen = invocation.arguments, invocation.screen
    orders, refused = read_file(given.file, given.flow)
    submission = Submission(given.file, given.flow, refused)
    if given.check:
        submission.check(orders)
    elif orders:
        try:
            with invocation.system() as client, screen.progress("orders", len(orders)) as advance:
                submission.send(
                    client,
                    orders,
                    advance,
                    lambda busy: advance.slowed(f"busy, again in {busy.retry_after_ms} ms: {busy.reason}"),
                )
            if submission.busy_answers:
                screen.note(f"the system was busy: it asked {submission.busy_answers:,} times to come again later")
            if given.wait:
                _wait_for_batch(invocation, submission, given.timeout or DEFAULT_WAIT_SECONDS)
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted after {submission.answered:,} of {counted(len(orders), 'order')} were answered; "
                "submit the same file again: no order is paid twice"
            ) from None
    document = submission.document()
    for line in document["refused"]:
        screen.note(f"line {line['line']}: {line['error']}")
    screen.show(document, lambda _: _submission_page(invocation, document, checked=given.check))
    if document["refused"]:
        return FAILED
    return _exit_of_batch(document["by_status"]) if given.wait and not given.check else DONE


def list_batches(invocation: Invocation) -> int:
    """Submitted files."""
    from actors.admin.tables import moment

    with invocation.reading() as reading:
        batches = reading.batches()
    columns = ("batch", "file", "submitted", ">orders", ">payments")
    rows = [
        (batch["batch_id"], batch["file_name"], moment(batch["created_at"]), batch["orders"], batch["payments"])
        for batch in batches
    ]
    invocation.screen.show(
        {"batches": batches}, lambda _: invocation.screen.table(columns, rows, empty="no file was submitted yet")
    )
    return DONE


def show_batch(invocation: Invocation) -> int:
    """One submitted file: counts and sums per currency and status."""
    from actors.admin.tables import moment

    batch_id = invocation.arguments.batch_id
    with invocation.reading() as reading:
        batch = reading.batch(batch_id)
    if batch is None:
        raise CommandFailed(f"there is no batch {batch_id}; see batch list")

    def render(batch: dict[str, Any]) -> None:
        screen = invocation.screen
        screen.facts(
            [
                ("batch", batch["batch_id"]),
                ("file", batch["file_name"]),
                ("submitted", moment(batch["created_at"])),
                ("orders", batch["orders"]),
                ("payments", batch["payments"]),
            ]
        )
        screen.say("")
        columns = ("currency", "status", ">payments", ">amount")
        screen.table(
            columns,
            [(row["currency"], row["status"], row["payments"], row["amount"]) for row in batch["by_status"]],
        )

    invocation.screen.show(batch, render)
    return DONE


def list_payments(invocation: Invocation) -> int:
    """Payments that meet every condition, the newest first."""
    from actors.admin.tables import payments_table, stuck_table

    given, screen = invocation.arguments, invocation.screen
    if given.csv and screen.as_json:
        raise CommandFailed("an answer is either --csv or --json: give one of them", WRONG_USAGE)
    with invocation.reading() as reading:
        payments = reading.payments(
            status=given.status,
            flow=given.flow,
            debtor=given.debtor,
            batch=given.batch,
            reason=given.reason,
            since=given.since,
            until=given.until,
            search=given.search,
            where=_where(invocation),
            limit=given.limit,
        )
    if given.csv:
        screen.csv(CSV_COLUMNS, ([_csv_cell(payment, column) for column in CSV_COLUMNS] for payment in payments))
        return DONE
    if given.stuck:
        now = datetime.now(UTC)
        for payment in payments:
            payment["seconds"] = max(0, int((now - datetime.fromisoformat(payment["updated_at"])).total_seconds()))
    table = stuck_table if given.stuck else payments_table
    screen.show({"payments": payments}, lambda _: table(screen, payments))
    if len(payments) == given.limit and not screen.as_json:
        screen.note(f"the newest {given.limit}; --limit N shows more")
    return DONE


def _where(invocation: Invocation) -> Any:
    """The condition of `--where` and `--stuck` together, or None."""
    from actors.admin.bulk import parsed

    given = invocation.arguments
    conditions = [parsed(query) for query in (given.where, "stuck" if given.stuck else None) if query is not None]
    return conditions[0].along_with(*conditions[1:]) if conditions else None


def show_payment(invocation: Invocation) -> int:
    """One payment with its whole timeline."""
    payment_id = invocation.arguments.payment_id
    with invocation.reading() as reading:
        payment = reading.payment(payment_id)
    if payment is None:
        raise CommandFailed(f"there is no payment {payment_id}; payments --search TEXT finds it by other words")
    invocation.screen.show(payment, lambda _: _payment_page(invocation, payment))
    return DONE


def undecided(invocation: Invocation, document: dict[str, Any], timeout: float) -> int:
    """The exit status of a payment that has not ended in time, and a word about how to go on."""
    if document["status"] not in ("held", "needs_attention", *EXIT_OF_STATUS):
        invocation.screen.note(f"not decided within {timeout:g} s; ask again with: payment {document['payment_id']}")
    return UNDECIDED


def _wait_for_batch(invocation: Invocation, submission: Any, timeout: float) -> None:
    from actors.admin.intake import wait_for_payments

    with (
        invocation.reading() as reading,
        invocation.screen.progress("payments", len(submission.payment_ids)) as advance,
    ):
        submission.by_status = wait_for_payments(reading, submission.payment_ids, timeout, advance)


def _exit_of_batch(by_status: dict[str, int]) -> int:
    """Precedence 4, 3, 0: what needs a person weighs more than what was not paid."""
    exits = {EXIT_OF_STATUS.get(status, UNDECIDED) for status, number in by_status.items() if number}
    return UNDECIDED if UNDECIDED in exits else NOT_PAID if NOT_PAID in exits else DONE


def _payment_page(invocation: Invocation, payment: dict[str, Any]) -> None:
    from actors.admin.tables import payment_page

    payment_page(invocation.screen, payment)


def _submission_page(invocation: Invocation, document: dict[str, Any], *, checked: bool) -> None:
    screen = invocation.screen
    number = document["accepted"] + document["duplicates"]
    taken = ("order is in order", "orders are in order") if checked else ("order was taken", "orders were taken")
    again = f", {document['duplicates']} of them known already" if document["duplicates"] else ""
    screen.say(f"{counted(number, *taken)}{again}")
    if refused := len(document["refused"]):
        screen.say(counted(refused, "line was refused", "lines were refused"))
    screen.facts(
        [
            ("batch", document["batch_id"]),
            *((f"sum {currency}", amount) for currency, amount in document["sums"].items()),
            *(document.get("by_status") or {}).items(),
        ]
    )


def _csv_cell(payment: dict[str, Any], column: str) -> Any:
    if column.startswith("creditor_"):
        return payment["creditor"].get(column.removeprefix("creditor_"))
    return payment.get(column)


def _pay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--debtor", metavar="ACC", type=kinds.account_id, required=True, help="the account that pays")
    parser.add_argument("--creditor", metavar="NAME", required=True, help="who is paid")
    parser.add_argument("--creditor-account", metavar="ID", required=True, help="IBAN or other account id")
    parser.add_argument("--amount", metavar="12.50", required=True, help="decimal, in the currency's units")
    parser.add_argument("--currency", metavar="EUR", required=True, help="ISO 4217 code")
    parser.add_argument("--country", metavar="CC", help="the creditor's country, ISO 3166-1 alpha-2")
    parser.add_argument("--email", metavar="ADDRESS", help="where the creditor's mail goes")
    parser.add_argument("--date-of-birth", metavar="DATE", help="the creditor's, YYYY-MM-DD, for screening")
    parser.add_argument("--remittance", metavar="TEXT", default="", help="what it is for")
    parser.add_argument("--end-to-end-id", metavar="ID", help="your own reference, passed on to the creditor")
    parser.add_argument("--flow", choices=kinds.FLOWS, help="how the payment is run (default: as configured)")
    parser.add_argument("--execution-date", metavar="DATE", help="not before that day (UTC), YYYY-MM-DD")
    parser.add_argument(
        "--workflow", metavar="NAME[@V]", help="what it runs on (default: as configured); workflow list shows them"
    )
    parser.add_argument("--key", type=kinds.key, metavar="KEY", help="idempotency key: one key is one payment")
    wait_arguments(parser, "until the payment ends or a person must decide")


def wait_arguments(parser: argparse.ArgumentParser, until: str) -> None:
    """`--wait` and `--timeout`."""
    parser.add_argument("--wait", action="store_true", help=f"wait {until}")
    parser.add_argument(
        "--timeout",
        type=kinds.seconds,
        metavar="S",
        help=f"wait, and try while the system is busy, at most so many seconds (default {DEFAULT_WAIT_SECONDS:g})",
    )


def _submit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=kinds.file, help="orders, .csv or .ndjson")
    parser.add_argument("--flow", choices=kinds.FLOWS, help="for lines that name none (default: as configured)")
    parser.add_argument("--check", action="store_true", help="only validate; nothing is sent")
    wait_arguments(parser, "until every payment ends or a person must decide")


def _payments_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--status", choices=kinds.STATUSES, metavar="S", help=", ".join(kinds.STATUSES))
    parser.add_argument("--flow", choices=kinds.FLOWS, metavar="F", help=" or ".join(kinds.FLOWS))
    parser.add_argument("--debtor", type=kinds.account_id, metavar="ACC", help="paid from this account")
    parser.add_argument("--batch", type=kinds.batch_id, metavar="ID", help="of this submitted file")
    parser.add_argument("--reason", metavar="CODE", type=str.upper, help="ended or stuck for this ISO code")
    parser.add_argument(
        "--since", type=kinds.point_in_time, metavar="T", help="accepted since 2030-01-31T12:00, or 15m, 2h, 3d ago"
    )
    parser.add_argument("--until", type=kinds.point_in_time, metavar="T", help="accepted before")
    parser.add_argument("--search", metavar="TEXT", help="anywhere in ids, names, accounts, remittance")
    parser.add_argument("--where", metavar="QUERY", help='what meets a query, "status=held and amount>1000"')
    parser.add_argument("--stuck", action="store_true", help="what no longer moves by itself, and for how long")
    parser.add_argument("--limit", type=kinds.count, default=100, metavar="N", help="at most so many (100)")
    parser.add_argument("--csv", action="store_true", help="as comma-separated values")


def _one_payment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("payment_id", metavar="ID", type=kinds.payment_id)


def _one_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("batch_id", metavar="ID", type=kinds.batch_id)


COMMANDS = (
    Command(
        name="pay",
        help="pay somebody",
        details="With --wait: exit 0 completed; 3 rejected, cancelled or returned; 4 held, needs attention, "
        "or out of time. Without --wait and --timeout a system that is busy says so, with the time after which to "
        "try again (exit 1).",
        arguments=_pay_arguments,
        run=pay,
    ),
    Command(
        name="submit",
        help="submit a file of orders",
        details="Good lines are taken, each bad line is reported with its number and the reason. "
        "Columns: idempotency_key,debtor_account,creditor_name,creditor_account,amount,currency and optionally "
        "creditor_country,creditor_email,creditor_date_of_birth,end_to_end_id,remittance,flow. "
        "Submitting a file again pays nothing twice.",
        arguments=_submit_arguments,
        run=submit,
    ),
    Command(name="batch list", help="submitted files", run=list_batches),
    Command(
        name="batch show",
        help="one submitted file: counts and sums per currency and status",
        arguments=_one_batch,
        run=show_batch,
    ),
    Command(name="payments", help="what became of payments", arguments=_payments_arguments, run=list_payments),
    Command(
        name="payment",
        help="one payment with its timeline: every command, reply and event",
        arguments=_one_payment,
        run=show_payment,
    ),
)
