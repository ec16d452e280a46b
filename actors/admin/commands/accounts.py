"""Accounts: opening, loading, deposits, closing, balances."""

from __future__ import annotations

import argparse
from typing import Any
from uuid import uuid4

from actors.admin import arguments as kinds
from actors.admin.command import DONE, FAILED, WRONG_USAGE, Command, CommandFailed, Invocation
from actors.vocabulary.counts import counted


def open_account(invocation: Invocation) -> int:
    """Open one account."""
    from actors.ledger.messages import OpenAccount
    from actors.vocabulary.money import parse_money

    given = invocation.arguments
    command = OpenAccount(
        account_id=given.account_id,
        currency=given.currency,
        deposit=parse_money(given.deposit, given.currency, zero_allowed=True).amount,
        overdraft=parse_money(given.overdraft, given.currency, zero_allowed=True).amount,
        owner=given.owner,
        email=given.email,
    )
    reply = _ask_ledger(invocation, command)
    document = {"account_id": reply.account_id, "currency": reply.currency, "already_open": reply.already}
    text = "was already open, with the same terms" if reply.already else "is open"
    invocation.screen.show(
        document, lambda _: invocation.screen.say(f"account {reply.account_id} ({reply.currency}) {text}")
    )
    return DONE


def load(invocation: Invocation) -> int:
    """Open the accounts of a file; each bad line is reported, the good ones are taken."""
    from actors.admin.account_files import read_accounts
    from actors.admin.loading import open_accounts

    lines = list(read_accounts(invocation.arguments.file))
    screen = invocation.screen
    refused: list[dict[str, Any]] = [{"line": number, "error": what} for number, what in lines if isinstance(what, str)]
    commands = [(number, what) for number, what in lines if not isinstance(what, str)]
    opened = already = 0
    if commands:
        with screen.progress("accounts", len(commands)) as advance:
            for number, error, known in open_accounts(lambda: invocation.connect(invocation.data), commands):
                advance(1)
                if error:
                    refused.append({"line": number, "error": error})
                elif known:
                    already += 1
                else:
                    opened += 1
    refused.sort(key=lambda line: int(line["line"]))
    document = {"opened": opened, "already_open": already, "refused": refused}
    before = counted(already, "was open already", "were open already")
    screen.show(document, lambda _: screen.say(f"{counted(opened, 'account')} opened, {before}"))
    for line in refused:
        screen.note(f"line {line['line']}: {line['error']}")
    return FAILED if refused else DONE


def deposit(invocation: Invocation) -> int:
    """Book money from the funding account."""
    from actors.ledger.messages import DepositMoney
    from actors.vocabulary.money import parse_money

    given = invocation.arguments
    if given.amount_given and given.amount and given.amount_given != given.amount:
        raise CommandFailed(f"two amounts were given, {given.amount} and {given.amount_given}: give one", WRONG_USAGE)
    amount = given.amount_given or given.amount
    if amount is None:
        raise CommandFailed("how much? python system.py account deposit ID AMOUNT", 2)
    with invocation.reading() as reading:
        account = reading.account(given.account_id)
    currency = given.currency or (account["currency"] if account else None)
    if currency is None:
        raise CommandFailed(f"there is no account {given.account_id}; open it with account open")
    deposit_id = given.key or f"deposit-{uuid4()}"
    if given.key is None:
        invocation.screen.note(f"idempotency key {deposit_id} (repeat it safely with --key {deposit_id})")
    money = parse_money(amount, currency)
    _ask_ledger(invocation, DepositMoney(deposit_id=deposit_id, account_id=given.account_id, amount=money))
    document = {
        "deposit_id": deposit_id,
        "account_id": given.account_id,
        "amount": money.decimal,
        "currency": currency,
    }
    invocation.screen.show(document, lambda _: invocation.screen.say(f"{money} deposited on {given.account_id}"))
    return DONE


def close(invocation: Invocation) -> int:
    """Close an account without money or pending debits."""
    from actors.ledger.messages import CloseAccount

    account_id = invocation.arguments.account_id
    _ask_ledger(invocation, CloseAccount(account_id=account_id))
    document = {"account_id": account_id, "closed": True}
    invocation.screen.show(document, lambda _: invocation.screen.say(f"account {account_id} is closed"))
    return DONE


def list_accounts(invocation: Invocation) -> int:
    """All accounts with their balances."""
    given = invocation.arguments
    with invocation.reading() as reading:
        accounts = reading.accounts(internal=given.all)[: given.limit]
    invocation.screen.show({"accounts": accounts}, lambda _: _accounts_table(invocation, accounts))
    return DONE


def show(invocation: Invocation) -> int:
    """One account: balances and postings."""
    account_id = invocation.arguments.account_id
    with invocation.reading() as reading:
        account = reading.account(account_id)
    if account is None:
        raise CommandFailed(f"there is no account {account_id}; see account list")
    invocation.screen.show(account, lambda _: _account_page(invocation, account))
    return DONE


def _ask_ledger(invocation: Invocation, command: Any) -> Any:
    """Send to the ledger that owns the account; a refusal is a failure with its sentence."""
    from actors.ledger.messages import AccountRefused
    from actors.vocabulary.slots import slot_of

    with invocation.system() as client:
        reply = client.request(command, "ledger", slot_of(command.account_id))
    if isinstance(reply, AccountRefused):
        raise CommandFailed(reply.error)
    return reply


def _accounts_table(invocation: Invocation, accounts: list[dict[str, Any]]) -> None:
    columns = ("account", "owner", "currency", ">posted", ">pending", ">available", "state")
    rows = [
        (
            account["account_id"],
            account.get("owner"),
            account["currency"],
            account["posted"],
            account["pending"],
            account["available"],
            "closed" if account["closed"] else "open",
        )
        for account in accounts
    ]
    invocation.screen.table(columns, rows, empty="there are no accounts; open one with account open")


def _account_page(invocation: Invocation, account: dict[str, Any]) -> None:
    from actors.admin.tables import moment

    screen = invocation.screen
    screen.facts(
        [
            ("account", account["account_id"]),
            ("owner", account["owner"]),
            ("email", account["email"]),
            ("currency", account["currency"]),
            ("posted", account["posted"]),
            ("pending", account["pending"]),
            ("available", account["available"]),
            ("overdraft", account["overdraft"]),
            ("state", "closed" if account["closed"] else "open"),
        ]
    )
    if account["postings"]:
        screen.say("")
        screen.table(
            ("posted at", "kind", "reference", ">amount"),
            [(moment(row["at"]), row["kind"], row["reference"], row["amount"]) for row in account["postings"]],
        )


def _open_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account_id", metavar="ID", help="up to 34 letters, digits and . _ : / -")
    parser.add_argument("--currency", metavar="CUR", required=True, help="ISO 4217 code such as EUR")
    parser.add_argument("--deposit", metavar="AMOUNT", default="0", help="money to start with")
    parser.add_argument("--overdraft", metavar="AMOUNT", default="0", help="how far it may go below zero")
    parser.add_argument("--owner", metavar="NAME", default="", help="who it belongs to")
    parser.add_argument("--email", metavar="ADDRESS", help="where mails to the owner go")


def _deposit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account_id", metavar="ID", type=kinds.account_id)
    parser.add_argument("amount", metavar="AMOUNT", nargs="?", help="decimal, such as 12.50")
    parser.add_argument("--amount", metavar="AMOUNT", dest="amount_given", help="the same, as an option")
    parser.add_argument("--currency", metavar="CUR", help="refused unless it is the account's")
    parser.add_argument("--key", type=kinds.key, metavar="KEY", help="idempotency key: one key deposits once")


def _one_account(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account_id", metavar="ID", type=kinds.account_id)


def _load_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=kinds.file, help="CSV with a header")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=kinds.count, default=None, metavar="N", help="at most so many")
    parser.add_argument("--all", action="store_true", help="clearing, funding and suspense accounts too")


COMMANDS = (
    Command(name="account open", help="open an account", arguments=_open_arguments, run=open_account),
    Command(
        name="account load",
        help="open the accounts of a file",
        details="CSV with the columns account_id,currency,deposit,overdraft,owner,email; the last four are optional.",
        arguments=_load_arguments,
        run=load,
    ),
    Command(
        name="account deposit",
        help="book money from the funding account",
        arguments=_deposit_arguments,
        run=deposit,
    ),
    Command(
        name="account close",
        help="close an account that has neither money nor pending debits",
        arguments=_one_account,
        run=close,
    ),
    Command(name="account list", help="accounts with their balances", arguments=_list_arguments, run=list_accounts),
    Command(name="account show", help="one account: balances, postings", arguments=_one_account, run=show),
)
