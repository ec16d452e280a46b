"""What a command is, what it is given, and how it ends; knows no particular command and imports nothing slow."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from actors.admin.reading import Reading
    from actors.admin.screen import Screen
    from actors.runtime.control import ProcessPlan
    from config.settings import Settings

DONE: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2
NOT_PAID: Final = 3  # rejected, cancelled or returned
UNDECIDED: Final = 4  # held, needs attention, or the time to wait was up
VIOLATED: Final = 5
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141  # what a shell reports of any program whose reader has gone

Arguments = argparse.Namespace
Plan = Callable[["Settings", Path], "ProcessPlan"]


class CommandFailed(Exception):
    """The command could not be done; the text is one line that says what to do."""

    def __init__(self, sentence: str, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.status = status


class Interrupted(CommandFailed):
    """Ctrl-C came while the command was at work; the text says what stands and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, INTERRUPTED)


class Connection(Protocol):
    """What commands need of a running system; `actors.gateway.client.Client` is one."""

    def request(self, message: Any, target: str, slot: int, timeout: float = ...) -> Any:
        """Send one message to an actor and return its reply."""

    def broadcast(self, message: Any, target: str, timeout: float = ...) -> list[Any]:
        """Send one message to every cell and return their replies."""

    def control(self, request: dict[str, Any], timeout: float = ...) -> dict[str, Any]:
        """Ask the supervisor."""

    def submit(self, orders: Any, timeout: float = ...) -> Iterator[Any]:
        """Send many orders; yields (order, reply) as they are answered."""

    def wait(self, payment_id: str, timeout: float = ...) -> str | None:
        """Wait until the payment ends or a person must decide; the status, or None when the time was up."""

    def close(self) -> None:
        """Disconnect."""


def no_arguments(parser: argparse.ArgumentParser) -> None:
    """For a command that takes none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: its words (`account open`), one line of help, its arguments, and what it does.

    `run` returns the exit status. `json` says that it answers with data, so that `--json` is offered.
    """

    name: str
    help: str
    run: Callable[[Invocation], int]
    arguments: Callable[[argparse.ArgumentParser], None] = no_arguments
    json: bool = True
    details: str = ""
    in_shell: bool = True

    @property
    def words(self) -> tuple[str, ...]:
        """The name's words, `("account", "open")`."""
        return tuple(self.name.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The first word that several commands share (`account`), with one line of help."""

    name: str
    help: str


@dataclass(slots=True)
class Invocation:
    """One run of a command: its arguments, the data directory, where to write, and how to reach the system."""

    arguments: Arguments
    data: Path
    screen: Screen
    plan: Plan
    connect: Callable[[Path], Any]
    environment: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def system(self) -> Iterator[Any]:
        """A connection to the running system.

        Raises:
            NotRunning: none runs in the data directory.
        """
        client = self.connect(self.data)
        try:
            yield client
        finally:
            client.close()

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """The stores of all cells, read-only; works whether the system runs or not.

        Raises:
            CommandFailed: there are none.
        """
        from actors.admin.reading import Reading

        reading = Reading.open(self.data)
        try:
            yield reading
        finally:
            reading.close()


def error_of(reply: Any) -> str:
    """The sentence of an answer that refuses or that reports a failure."""
    for name in ("error", "cause"):
        if getattr(reply, name, ""):
            return str(getattr(reply, name))
    return f"the answer was {type(reply).__name__}, which this program can't take: run the one that the system runs"
