"""Sends many account commands, a few at a time, and yields what became of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any, Final

from actors.admin.command import error_of
from actors.ledger.messages import AccountOpened, AccountRefused, OpenAccount
from actors.vocabulary.slots import slot_of

CONNECTIONS: Final = 16  # commands that arrive together share a commit
_LOOK_SECONDS: Final = 0.1
Line = tuple[int, OpenAccount]
Opened = tuple[int, str | None, bool]  # line, the error or None, whether it was open already


def open_accounts(connect: Callable[[], Any], commands: Sequence[Line]) -> Iterator[Opened]:
    """Open accounts, in no particular order; every connection that `connect` makes is closed again.

    Left early (Ctrl-C), it ends what is under way and begins nothing more.
    """
    workers = min(CONNECTIONS, max(1, len(commands) // 4))
    results: deque[Opened] = deque()
    stop: list[bool] = []
    with ThreadPoolExecutor(workers) as pool:
        shares = [commands[start::workers] for start in range(workers)]
        under_way = {pool.submit(_open_share, connect, share, results, stop) for share in shares if share}
        try:
            while under_way:
                done, under_way = wait(under_way, _LOOK_SECONDS, FIRST_COMPLETED)
                while results:
                    yield results.popleft()
                for each in done:
                    each.result()
        finally:
            stop.append(True)


def _open_share(connect: Callable[[], Any], share: Sequence[Line], results: deque[Opened], stop: list[bool]) -> None:
    client = connect()
    try:
        for line, command in share:
            if stop:
                return
            results.append(_outcome(line, client.request(command, "ledger", slot_of(command.account_id))))
    finally:
        client.close()


def _outcome(line: int, reply: Any) -> Opened:
    if isinstance(reply, AccountOpened):
        return line, None, reply.already
    if isinstance(reply, AccountRefused):
        return line, reply.error, False
    return line, error_of(reply), False
