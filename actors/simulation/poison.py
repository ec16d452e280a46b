"""Handlers that raise when they are told to, and what each has handled: the real services, looked at from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.messaging.envelope import Envelope
from actors.messaging.message import Message
from actors.runtime.service import Service, Turn


class Unwell(RuntimeError):
    """What a poisoned handler raises, after it has done its work."""


class Poison:
    """Which handlers raise, how often; `handled` collects what was handled since the transaction began."""

    def __init__(self) -> None:
        self.handled: list[tuple[str, str, Envelope]] = []
        self._times: dict[tuple[str, str], int] = {}
        self._struck: Callable[[], None] = lambda: None

    def give(self, service: str, message: str, times: int, struck: Callable[[], None]) -> None:
        """Let this service's handler of this message raise the next so many times; `struck` hears of the first."""
        self._times[service, message] = times
        self._struck = struck

    def cure(self) -> None:
        """Nobody raises any more."""
        self._times.clear()

    def given_to(self, service: type[Service]) -> type[Service]:
        """The same service under observation."""
        handlers = {kind: self._watched(service.name, kind, handler) for kind, handler in service.handlers.items()}
        return type(service.__name__, (service,), {"handlers": handlers})

    def _watched(self, service: str, kind: type[Message], handler: Any) -> Any:
        name = kind.__name__
        key = (service, name)
        times = self._times

        def handle(actor: Any, message: Message, turn: Turn) -> None:
            handler(actor, message, turn)
            if times and key in times:
                self._strike(key)
            self.handled.append((service, name, turn.envelope))

        return handle

    def _strike(self, key: tuple[str, str]) -> None:
        self._times[key] -= 1
        if self._times[key] <= 0:
            del self._times[key]
        struck, self._struck = self._struck, lambda: None
        struck()
        raise Unwell(f"{key[0]} can't take {key[1]} just now")
