"""The process actor round a cell's core: hands it frames, turns its descriptor, sends what it answers.

Knows no payment and holds no state of its own. Starts no turn on a frame: arrivals are buffered, and a
turn starts on the core's descriptor, so that a turn takes all that has come by then.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
from pathlib import Path
from typing import Any, NoReturn, Protocol

from thespian.actors import Actor, ActorExitRequest, ThespianWatch, WatchMessage

from actors.runtime import processes
from actors.runtime.control import Alive, Configure, Frame, Heartbeat, Peers, Ready, Refused, Stop, Stopped
from actors.runtime.neighbours import Neighbours
from actors.store.session import StoreRefused

log = logging.getLogger(__name__)

CORE_FAILED = 70  # the exit status (EX_SOFTWARE) of a cell whose core could not go on


class CellCore(Protocol):
    """What the shell needs of a core; `actors.runtime.core` has the real one."""

    def open(self) -> None:
        """Recover from the store; raises with a sentence when it can't."""

    def fileno(self) -> int:
        """A descriptor that is readable while there is work."""

    def arrived(self, peer: str, payload: bytes) -> None:
        """Buffer a frame and make the descriptor readable; never raises."""

    def run(self) -> list[tuple[str, bytes]]:
        """Run one turn; answers the frames to send as (peer, payload)."""

    def report(self) -> dict[str, Any]:
        """What `status` says about this cell."""

    def blamed(self) -> str:
        """The message on which the process before this one ended; empty where none is known."""

    def close(self) -> None:
        """Finish the turn in hand and close the store."""


def load(path: str) -> Any:
    """The object that `module:name` stands for."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


class Cell(Actor):  # type: ignore[misc]  # thespian ships no types
    """One operating-system process that hosts a core."""

    def __init__(self) -> None:
        self.name = "cell"
        self.core: CellCore | None = None
        self.incarnation = 0
        self.peers = Neighbours()

    def receiveMessage(self, message: Any, sender: Any) -> ThespianWatch:
        """Dispatch; never raises, since Thespian would run the message again and drop the watch for good."""
        try:
            handle = HANDLERS.get(type(message))
            if handle is not None:
                handle(self, message, sender)
        except Exception:
            try:
                log.exception("%s can't go on after a %s", self.name, type(message).__name__)
            finally:
                self._end()
        return ThespianWatch([self.core.fileno()] if self.core else [])

    def _end(self) -> NoReturn:
        """End this process at once: what it is after a restart is what its last commit says."""
        try:
            sys.stderr.flush()
        finally:
            os._exit(CORE_FAILED)

    def _configure(self, message: Configure, sender: Any) -> None:
        self.name, self.incarnation = message.name, message.incarnation
        data = Path(message.data)
        processes.enter(data, message.name)
        try:
            core: CellCore = load(message.core_factory)(message.name, data, message.incarnation)
            core.open()
        except Exception as failure:
            log.exception("%s could not be opened", message.name)
            self.send(sender, Refused(message.name, _sentence(message.name, failure), message.incarnation))
            return
        self.core = core
        _settle_memory()
        self.send(sender, Ready(message.name, os.getpid(), message.incarnation, core.blamed()))

    def _introduce(self, message: Peers, sender: Any) -> None:
        self.peers.told(message)

    def _take(self, message: Frame, sender: Any) -> None:
        if self.core and message.receiver in {"", self.name}:
            self.peers.heard(message, sender)
            self.core.arrived(message.sender, message.payload)

    def _turn(self, message: WatchMessage, sender: Any) -> None:
        if self.core and self.core.fileno() in message.ready:
            self._run()

    def _run(self) -> None:
        assert self.core is not None
        for peer, payload in self.core.run():
            address = self.peers.address(peer)
            if address is not None:  # otherwise the core's link sends it again
                self.send(address, Frame(self.name, payload, peer, self.incarnation))

    def _answer(self, message: Heartbeat, sender: Any) -> None:
        self.send(sender, Alive(self.name, message.number, self.core.report() if self.core else {}))

    def _stop(self, message: Stop, sender: Any) -> None:
        if self.core:
            if not message.now:
                self._run()
            self.core.close()
            self.core = None
        self.send(sender, Stopped(self.name))
        self.send(self.myAddress, ActorExitRequest())

    def _leave(self, message: ActorExitRequest, sender: Any) -> None:
        if self.core:
            core, self.core = self.core, None
            core.close()


HANDLERS: dict[type, Any] = {
    Configure: Cell._configure,
    Peers: Cell._introduce,
    Frame: Cell._take,
    WatchMessage: Cell._turn,
    Heartbeat: Cell._answer,
    Stop: Cell._stop,
    ActorExitRequest: Cell._leave,
}


def _settle_memory() -> None:
    """Let the garbage collector forget what lives as long as the process, and look for cycles less often.

    A payment makes hundreds of objects and almost no cycles: the collector's default took a tenth of a turn.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)


def _sentence(name: str, failure: Exception) -> str:
    """A core's own refusal is a sentence; anything else is named and the log pointed to."""
    if isinstance(failure, StoreRefused):
        return str(failure)
    return f"{name} could not start ({type(failure).__name__}: {failure}); see logs/{name}.log"
