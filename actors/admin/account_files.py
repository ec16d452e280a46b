"""Account files: CSV with a header; good lines become commands, each bad one a sentence. Opens nothing itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actors.admin.command import CommandFailed
from actors.ledger.messages import OpenAccount
from actors.vocabulary.money import BadAmount, parse_money

REQUIRED: Final = ("account_id", "currency")
OPTIONAL: Final = ("deposit", "overdraft", "owner", "email")


def read_accounts(path: Path) -> Iterator[tuple[int, OpenAccount | str]]:
    """Each line's number with the account it asks for, or with the sentence that says what is wrong with it.

    Raises:
        CommandFailed: the file can't be read, is no CSV, or has another header.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CommandFailed(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CommandFailed(f"{path} is not UTF-8 text (line {line}); save it as UTF-8") from error
    rows = csv.reader(text.splitlines(keepends=True), strict=True)
    header = _header(path, rows)
    seen: dict[str, int] = {}
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield rows.line_num, f"not valid CSV: {error}"
            continue
        if not any(cell.strip() for cell in row):
            continue
        account = _account(header, row)
        if isinstance(account, OpenAccount):
            first = seen.setdefault(account.account_id, rows.line_num)
            if first != rows.line_num:
                yield rows.line_num, f"account {account.account_id} is on line {first} already"
                continue
        yield rows.line_num, account


def _header(path: Path, rows: Iterator[list[str]]) -> list[str]:
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
    except csv.Error as error:
        raise CommandFailed(f"{path} is not CSV: {error}") from error
    known = {*REQUIRED, *OPTIONAL}
    if not set(REQUIRED) <= set(header) or not set(header) <= known or len(set(header)) < len(header):
        raise CommandFailed(f"{path} needs the header {','.join((*REQUIRED, *OPTIONAL))}, the last four optional")
    return header


def _account(header: list[str], row: list[str]) -> OpenAccount | str:
    if len(row) != len(header):
        return f"{len(row)} columns instead of {len(header)}"
    cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
    if not cells["account_id"]:
        return "no account_id"
    try:
        currency = cells["currency"]
        return OpenAccount(
            account_id=cells["account_id"],
            currency=currency,
            deposit=parse_money(cells.get("deposit") or "0", currency, zero_allowed=True).amount,
            overdraft=parse_money(cells.get("overdraft") or "0", currency, zero_allowed=True).amount,
            owner=cells.get("owner", ""),
            email=cells.get("email") or None,
        )
    except BadAmount as error:
        return str(error)
