"""A hand-written client for tests of commands: answers from a script, and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class FakeClient:
    """Implements `actors.admin.command.Connection`. `answers` maps a message's class to its reply, or to a function."""

    answers: dict[type, Any] = field(default_factory=dict)
    controls: dict[str, dict[str, Any]] = field(default_factory=dict)
    waited_status: str | None = "completed"
    asked: list[tuple[str, int, Any]] = field(default_factory=list)  # target, slot, message
    waited: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    closed: bool = False
    busy: list[Any] = field(default_factory=list)

    def connect(self, data: Path) -> FakeClient:
        """Where `Client.connect` would be."""
        return self

    def request(
        self, message: Any, target: str, slot: int, timeout: float = 30, *, kind: str = "command",
        impatient: bool = False,
    ) -> Any:  # fmt: skip
        """The scripted reply."""
        self.asked.append((target, slot, message))
        return self._answer(message)

    def broadcast(self, message: Any, target: str, timeout: float = 30, *, kind: str = "command") -> list[Any]:
        """The scripted reply, as of one cell."""
        self.asked.append((target, -1, message))
        return [self._answer(message)]

    def home_of(self, actor: str, slot: int) -> str:
        """There is but one cell."""
        return "cell-0"

    def control(self, request: dict[str, Any], timeout: float = 30) -> dict[str, Any]:
        """The scripted answer of the supervisor."""
        return self.controls[request["do"]]

    def submit(
        self, orders: Iterable[Any], timeout: float = 30, *, told_busy: Callable[[Any], None] = lambda busy: None
    ) -> Iterator[tuple[Any, Any]]:
        """Each order with its scripted reply; first `told_busy` hears what `busy` says."""
        for busy in self.busy:
            told_busy(busy)
        for order in orders:
            self.asked.append(("disbursement", -1, order))
            yield order, self._answer(order)

    def stream(
        self, messages: Iterable[tuple[Any, str, int]], timeout: float = 30, *, window: int, kind: str = "command"
    ) -> Iterator[tuple[Any, Any]]:
        """Each message with its scripted reply."""
        for message, target, slot in messages:
            yield message, self.request(message, target, slot, timeout, kind=kind)

    def wait(self, payment_id: str, timeout: float = 30, *, types: tuple[str, ...] = ()) -> str | None:
        """The scripted status, at once."""
        self.waited.append(payment_id)
        return self.waited_status

    def close(self) -> None:
        """Remember it."""
        self.closed = True

    def _answer(self, message: Any) -> Any:
        answer = self.answers[type(message)]
        if isinstance(answer, BaseException):
            raise answer
        return answer(message) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]
