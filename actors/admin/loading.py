"""Sends many account commands and yields what became of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from actors.ledger.messages import AccountOpened, AccountRefused, OpenAccount
from actors.vocabulary.slots import slot_of


def open_accounts(client: Any, commands: Sequence[tuple[int, OpenAccount]]) -> Iterator[tuple[int, str | None, bool]]:
    """Open accounts; yields line, the error or None, and whether the account was open already."""
    for line, command in commands:
        reply = client.request(command, "ledger", slot_of(command.account_id))
        if isinstance(reply, AccountOpened):
            yield line, None, reply.already
        elif isinstance(reply, AccountRefused):
            yield line, reply.error, False
        else:
            yield line, getattr(reply, "cause", type(reply).__name__), False
