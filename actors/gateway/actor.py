"""The process actor round the gateway's server: a thin shell that never raises, since Thespian would then
drop its watch for good.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

from thespian.actors import Actor, ActorExitRequest, ThespianWatch, WatchMessage

from actors.gateway.server import CannotOpen, Server
from actors.runtime import processes
from actors.runtime.control import (
    Alive,
    Configure,
    Control,
    Controlled,
    Frame,
    Heartbeat,
    Peers,
    Ready,
    Refused,
    Stop,
    Stopped,
)

log = logging.getLogger(__name__)


class GatewayActor(Actor):  # type: ignore[misc]  # thespian ships no types
    """The process through which every client reaches the cells."""

    def __init__(self) -> None:
        self.name = "gateway"
        self.incarnation = 0
        self.server: Server | None = None
        self.supervisor: Any = None
        self.peers: dict[str, Any] = {}

    def receiveMessage(self, message: Any, sender: Any) -> ThespianWatch:  # Thespian's name
        """Dispatch, then send what is due."""
        try:
            handle = HANDLERS.get(type(message))
            if handle is not None:
                handle(self, message, sender)
            self._send_due()
        except Exception:
            log.exception("%s failed at a %s", self.name, type(message).__name__)
        return ThespianWatch([self.server.fileno()] if self.server else [])

    def _send_due(self) -> None:
        if self.server is None:
            return
        for cell, payload in self.server.frames(time.monotonic()):
            address = self.peers.get(cell)
            if address is not None:  # a cell that is down gets it when it is back
                self.send(address, Frame(self.name, payload, cell, self.incarnation))
        for number, request in self.server.requests():
            self.send(self.supervisor, Control(number, request))

    def _configure(self, message: Configure, sender: Any) -> None:
        self.name, self.supervisor, self.incarnation = message.name, sender, message.incarnation
        data = Path(message.data)
        processes.enter(data, message.name)
        try:
            server = Server.of(data, message.incarnation)
            server.open()
        except CannotOpen as refusal:
            self.send(sender, Refused(message.name, str(refusal), message.incarnation))
            return
        self.server = server
        self.send(sender, Ready(message.name, os.getpid(), message.incarnation))

    def _introduce(self, message: Peers, sender: Any) -> None:
        self.peers = message.addresses
        if self.server:
            self.server.introduce(message.addresses, time.monotonic(), message.down)

    def _take(self, message: Frame, sender: Any) -> None:
        if self.server:
            self.server.arrived(message.sender, message.payload)

    def _watched(self, message: WatchMessage, sender: Any) -> None:
        if self.server:
            self.server.ready()

    def _controlled(self, message: Controlled, sender: Any) -> None:
        if self.server:
            self.server.controlled(message.number, message.answer)

    def _beat(self, message: Heartbeat, sender: Any) -> None:
        if self.server:
            self.server.tick(time.monotonic())
        self.send(sender, Alive(self.name, message.number, self.server.report() if self.server else {}))

    def _stop(self, message: Stop, sender: Any) -> None:
        self._close()
        self.send(sender, Stopped(self.name))
        self.send(self.myAddress, ActorExitRequest())

    def _leave(self, message: ActorExitRequest, sender: Any) -> None:
        self._close()

    def _close(self) -> None:
        server, self.server = self.server, None
        if server:
            server.close()


HANDLERS: dict[type, Any] = {
    Configure: GatewayActor._configure,
    Peers: GatewayActor._introduce,
    Frame: GatewayActor._take,
    WatchMessage: GatewayActor._watched,
    Controlled: GatewayActor._controlled,
    Heartbeat: GatewayActor._beat,
    Stop: GatewayActor._stop,
    ActorExitRequest: GatewayActor._leave,
}
