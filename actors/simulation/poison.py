"""Handlers that raise when they are told to, and what each has handled: the real services, looked at from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from actors.messaging.envelope import Envelope
from actors.messaging.message import Message
from actors.runtime.service import Service, Turn
from actors.simulation.disk import Crash

DEADLY: Final = "crash: a message ends the process"


class Unwell(RuntimeError):
    """What a poisoned handler raises, after it has done its work."""


class Poison:
    """Which handlers raise, how often; `handled` collects what was handled since the transaction began."""

    def __init__(self) -> None:
        self.handled: list[tuple[str, str, Envelope]] = []
        self._times: dict[tuple[str, str], int] = {}
        self._struck: Callable[[], None] = lambda: None
        self._deadly: dict[tuple[str, str], str] = {}  # the message that it is to be, once it has come

    def give(self, service: str, message: str, times: int, struck: Callable[[], None]) -> None:
        """Let this service's handler of this message raise the next so many times; `struck` hears of the first."""
        self._times[service, message] = times
        self._struck = struck

    def make_deadly(self, service: str, message: str, struck: Callable[[], None]) -> None:
        """Let the next such message end its process, and end the next one, whenever it is handled again."""
        self._deadly[service, message] = ""
        self._struck = struck

    def cure(self) -> None:
        """Nobody raises any more, and nothing is deadly."""
        self._times.clear()
        self._deadly.clear()

    def given_to(self, service: type[Service]) -> type[Service]:
        """The same service under observation."""
        handlers = {kind: self._watched(service.name, kind, handler) for kind, handler in service.handlers.items()}
        return type(service.__name__, (service,), {"handlers": handlers})

    def _watched(self, service: str, kind: type[Message], handler: Any) -> Any:
        name = kind.__name__
        key = (service, name)
        times, deadly = self._times, self._deadly

        def handle(actor: Any, message: Message, turn: Turn) -> None:
            handler(actor, message, turn)
            if times and key in times:
                self._strike(key)
            if deadly and key in deadly:
                self._kill(key, turn.envelope.message_id)
            self.handled.append((service, name, turn.envelope))

        return handle

    def _kill(self, key: tuple[str, str], message_id: str) -> None:
        if not self._deadly[key]:
            self._deadly[key] = message_id
            struck, self._struck = self._struck, lambda: None
            struck()
        if self._deadly[key] == message_id:
            raise Crash(DEADLY)

    def _strike(self, key: tuple[str, str]) -> None:
        self._times[key] -= 1
        if self._times[key] <= 0:
            del self._times[key]
        struck, self._struck = self._struck, lambda: None
        struck()
        raise Unwell(f"{key[0]} can't take {key[1]} just now")
