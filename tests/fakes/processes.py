"""A core and a gateway without payments, for tests of the process layer in real processes."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from thespian.actors import Actor, ActorExitRequest, ThespianWatch, WatchMessage

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
    Stop,
    Stopped,
)
from actors.store.session import StoreRefused


class CannotOpen(StoreRefused):
    """As the real core raises it."""


class EchoCore:
    """Answers each frame with itself.

    A file `<name>.refuse` makes it refuse, `<name>.die` die, `<name>.blame` blame a message; the frame `hang` makes
    it hang, which `<name>.hangs` shows, `raise` raise.
    """

    def __init__(self, name: str, data: Path, incarnation: int) -> None:
        self.name, self.data, self.incarnation = name, data, incarnation
        self.buffered: list[tuple[str, bytes]] = []
        self.turns = 0
        self.event = -1

    def open(self) -> None:
        """Refuse if the test wants it."""
        refusal = self.data / f"{self.name}.refuse"
        if refusal.exists():
            raise CannotOpen(refusal.read_text())
        if (self.data / f"{self.name}.die").exists():
            os._exit(9)
        self.event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """The descriptor that says there is work."""
        return self.event

    def arrived(self, peer: str, payload: bytes) -> None:
        """Buffer it."""
        self.buffered.append((peer, payload))
        os.eventfd_write(self.event, 1)

    def run(self) -> list[tuple[str, bytes]]:
        """Echo what has arrived, or misbehave as told."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.event)
        taken, self.buffered = self.buffered, []
        self.turns += 1
        for _, payload in taken:
            if payload == b"hang":
                (self.data / f"{self.name}.hangs").touch()
                while True:
                    time.sleep(0.01)
            if payload == b"raise":
                raise RuntimeError("told to raise")
        return [(peer, payload) for peer, payload in taken]

    def report(self) -> dict[str, Any]:
        """How many turns there were."""
        return {"turns": self.turns}

    def blamed(self) -> str:
        """What the test has written."""
        blame = self.data / f"{self.name}.blame"
        return blame.read_text() if blame.exists() else ""

    def close(self) -> None:
        """Leave a mark that the close was orderly."""
        (self.data / f"{self.name}.closed").write_text(str(self.incarnation))
        os.close(self.event)


class FakeGateway(Actor):  # type: ignore[misc]  # thespian ships no types
    """Passes JSON lines between a Unix socket and the cells or the supervisor.

    `{"to": "cell-0", "payload": "..."}` is answered with the frame that comes back from that cell; anything
    with `do` goes to the supervisor; `{"peers": 1}` tells who is known.
    """

    def __init__(self) -> None:
        self.listening: socket.socket | None = None
        self.clients: dict[int, socket.socket] = {}
        self.waiting: dict[str, list[int]] = {}
        self.asked: dict[int, int] = {}
        self.peers: dict[str, Any] = {}
        self.introductions = 0

    def receiveMessage(self, message: Any, sender: Any) -> ThespianWatch:
        """Dispatch."""
        match message:
            case Configure():
                self.name = message.name
                self.supervisor = sender
                data = Path(message.data)
                processes.enter(data, message.name)
                (data / "socket").unlink(missing_ok=True)
                self.listening = socket.socket(socket.AF_UNIX)
                self.listening.bind(str(data / "socket"))
                self.listening.listen(8)
                self.send(sender, Ready(message.name, os.getpid(), message.incarnation))
            case Peers():
                self.peers = message.addresses
                self.introductions += 1
                self.waiting.clear()  # what was asked of a cell that is gone is never answered
            case Heartbeat():
                self.send(sender, Alive(self.name, message.number, {}))
            case WatchMessage():
                for descriptor in message.ready:
                    self._readable(descriptor)
            case Frame():
                if self.waiting.get(message.sender):
                    self._reply(self.waiting[message.sender].pop(0), {"payload": message.payload.decode()})
            case Controlled():
                self._reply(self.asked.pop(message.number), message.answer)
            case Stop():
                self.send(sender, Stopped(self.name))
                self.send(self.myAddress, ActorExitRequest())
        listening = [self.listening.fileno()] if self.listening else []
        return ThespianWatch([*listening, *self.clients])

    def _readable(self, descriptor: int) -> None:
        assert self.listening
        if descriptor == self.listening.fileno():
            client, _ = self.listening.accept()
            self.clients[client.fileno()] = client
            return
        line = self.clients[descriptor].recv(1 << 20)
        if not line:
            self.clients.pop(descriptor).close()
            return
        request = json.loads(line)
        if "do" in request:
            number = len(self.asked) + 1
            self.asked[number] = descriptor
            self.send(self.supervisor, Control(number, request))
        elif "peers" in request:
            self._reply(descriptor, {"peers": sorted(self.peers), "introductions": self.introductions})
        elif request["to"] in self.peers:
            self.waiting.setdefault(request["to"], []).append(descriptor)
            self.send(self.peers[request["to"]], Frame(self.name, request["payload"].encode(), request["to"]))
        else:
            self._reply(descriptor, {"error": "unknown peer"})

    def _reply(self, descriptor: int, answer: dict[str, Any]) -> None:
        if descriptor in self.clients:
            self.clients[descriptor].sendall(json.dumps(answer).encode() + b"\n")
