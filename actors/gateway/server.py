"""The gateway's sockets: many clients on one Unix socket, all of them behind one descriptor to watch.

Nothing here blocks, and nothing a client does ends more than its own connection.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import stat
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors.gateway import protocol
from actors.gateway.protocol import Incoming, envelopes_packet, packet
from actors.gateway.routing import Bounds, Correspondent, Replies, Routing
from actors.messaging.codec import CannotDecode
from actors.messaging.discovery import register_messages
from actors.store.placement import Placement, establish, recorded_placement
from actors.store.session import StoreRefused
from actors.vocabulary.slots import SLOTS

if TYPE_CHECKING:
    from config.settings import OverloadSettings

log = logging.getLogger(__name__)

READ_BYTES: Final = 256 * 1024  # of one client per round, so that none starves the others
CLIENTS: Final = 512
BACKLOG: Final = 128
CONTAINERS: Final = 65_536  # arrays and maps in one client's packet
GATHERED_BYTES: Final = 128 * 1024 * 1024  # of all clients' packets that are not whole yet
UNSENT_TOTAL_BYTES: Final = 256 * 1024 * 1024  # of what all clients have yet to read
CONTROLS: Final = 64  # requests to the supervisor that one client may have open
CONTROLS_TOTAL: Final = 512  # that all of them may have open
CONTROL_BYTES: Final = 64 * 1024  # of one such request
LOG_SECONDS: Final = 10
FIRST_PACKET_SECONDS: Final = 10  # for whoever connects to say something
PACKET_BYTES: Final = 1024 * 1024  # replies of one frame are sent in packets of about this size


class CannotOpen(Exception):
    """The gateway can't be opened; the text is one sentence that says what to do."""


@dataclass(eq=False, slots=True)
class Connection:
    """One client's connection."""

    socket: socket.socket
    client: Correspondent
    incoming: Incoming = field(default_factory=lambda: Incoming(CONTAINERS))
    unsent: bytearray = field(default_factory=bytearray)
    events: int = select.EPOLLIN
    paused: bool = False  # not read from, since too much of it is under way
    spoken: bool = False  # a whole packet has come
    accepted_at: float | None = None  # as `tick` counts; None until it has looked
    gathered: int = 0  # bytes of packets that are not whole yet
    asked: int = 0  # requests to the supervisor that are not answered


class Server:
    """Clients on one side, the frames for and from the cells on the other."""

    def __init__(
        self, data: Path, placement: Placement, routing: Routing, *, unsent_bytes: int = 64 * 1024 * 1024
    ) -> None:
        self.routing = routing
        self._data = data
        self._placement = placement
        self._unsent_bytes = unsent_bytes
        self._epoll = select.epoll()
        self._listening: socket.socket | None = None
        self._connections: dict[int, Connection] = {}
        self._of_client: dict[Correspondent, Connection] = {}
        self._requests: list[tuple[int, dict[str, Any]]] = []
        self._asked: dict[int, tuple[Connection, int]] = {}
        self._numbers = 0
        self._closed = 0
        self._quiet_until = 0.0
        self._gathered = 0
        self._unsent = 0

    @classmethod
    def of(cls, data: Path, incarnation: int) -> Server:
        """The server for the system in `data`, not yet open.

        Raises:
            CannotOpen: the directory is not laid out, or not for what the settings ask.
        """
        try:
            placement = recorded_placement(data) or _first_placement(data)
        except StoreRefused as refusal:
            raise CannotOpen(str(refusal)) from refusal
        token = f"{time.time_ns() // 1_000_000:x}."  # no reply to an earlier gateway's client is misled
        bounds = Bounds(queue_seconds=_overload(data).queue_seconds)
        return cls(data, placement, Routing(placement, incarnation=incarnation, token=token, bounds=bounds))

    def open(self) -> None:
        """Listen.

        Raises:
            CannotOpen: the socket can't be made.
        """
        register_messages()  # to know what a client may send
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.setblocking(False)
        try:
            with protocol.socket_address(self._data) as address:
                with contextlib.suppress(FileNotFoundError):
                    if stat.S_ISSOCK(os.lstat(address).st_mode):
                        os.unlink(address)  # left by an earlier gateway; the system's lock says that it is gone
                listening.bind(address)
                os.chmod(address, 0o600)  # nobody can connect before `listen`
            listening.listen(BACKLOG)
        except OSError as error:
            listening.close()
            raise CannotOpen(
                f"the socket in {self._data} can't be opened ({error.strerror}); check who owns the directory"
            ) from error
        self._listening = listening
        self._epoll.register(listening, select.EPOLLIN)

    def fileno(self) -> int:
        """A descriptor that is readable while there is something to do."""
        return self._epoll.fileno()

    def ready(self) -> None:
        """Do what the clients' sockets are ready for: accept, read, write on."""
        assert self._listening is not None
        self.routing.now = time.monotonic()
        for descriptor, events in self._epoll.poll(0):
            if descriptor == self._listening.fileno():
                self._accept(self._listening)
                continue
            connection = self._connections.get(descriptor)
            if connection is None:
                continue
            try:
                if events & select.EPOLLOUT:
                    self._flush(connection)
                if events & ~select.EPOLLOUT and descriptor in self._connections:
                    self._read(connection)
            except Exception:
                log.exception("a client's connection was closed")
                self._drop(connection)
        self._hand_out(self.routing.refusals())

    def frames(self, now: float) -> list[tuple[str, bytes]]:
        """What to send to the cells now."""
        return self.routing.due(now)

    def requests(self) -> list[tuple[int, dict[str, Any]]]:
        """What operators ask of the supervisor, since the last call, as (number, request)."""
        requests, self._requests = self._requests, []
        return requests

    def arrived(self, cell: str, payload: bytes) -> None:
        """Take a cell's frame and hand its replies to their clients."""
        try:
            replies = self.routing.answered(cell, payload)
        except CannotDecode:
            log.exception("a frame from %s can't be read", cell)
            return
        self._hand_out(replies)
        self._resume()

    def controlled(self, number: int, answer: dict[str, Any]) -> None:
        """Hand the supervisor's answer to whoever asked."""
        asked = self._asked.pop(number, None)
        if asked is not None:
            connection, theirs = asked
            connection.asked -= 1
            self._send(connection, packet(protocol.CONTROLLED, theirs, answer))
            self._resume()

    def introduce(self, addresses: Mapping[str, Any], now: float, down: Collection[str] = ()) -> None:
        """Take note of where the cells are, and tell the clients which of them have been replaced, or never will be."""
        for cell in self.routing.introduce(addresses, now, down):
            note = packet(protocol.RESTARTED, cell)
            for connection in list(self._connections.values()):
                self._send(connection, note)
        self._hand_out(self.routing.refusals())
        self._resume()

    def tick(self, now: float) -> None:
        """Give up what has waited too long; about once a second."""
        self.routing.tick(now)
        self._hand_out(self.routing.refusals())
        self._resume()
        for connection in [each for each in self._connections.values() if not each.spoken]:
            if connection.accepted_at is None:
                connection.accepted_at = now
            elif now - connection.accepted_at > FIRST_PACKET_SECONDS:
                self._put_out(connection, "it said nothing")

    def report(self) -> dict[str, Any]:
        """What `status` says about the gateway."""
        return self.routing.report()

    def close(self) -> None:
        """Close every connection and take the socket away."""
        if self._listening is not None:
            with contextlib.suppress(OSError), protocol.socket_address(self._data) as address:
                os.unlink(address)
            self._listening.close()
            self._listening = None
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._epoll.close()

    # Connections

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:  # none left, or none to be had at present
                return
            if len(self._connections) >= CLIENTS and not self._make_room():
                accepted.close()
                continue
            accepted.setblocking(False)
            connection = Connection(accepted, self.routing.meet())
            self._connections[accepted.fileno()] = connection
            self._of_client[connection.client] = connection
            self._epoll.register(accepted, select.EPOLLIN)

    def _make_room(self) -> bool:
        """Put out the oldest of those that have not said a word; whether there was one."""
        silent = next((each for each in self._connections.values() if not each.spoken), None)
        if silent is None:
            return False
        self._put_out(silent, "too many connections that say nothing")
        return True

    def _put_out(self, connection: Connection, why: str) -> None:
        self._note(why)
        self._drop(connection)

    def _note(self, why: str) -> None:
        """Log the first connection that was closed at once, and then how many there were, once in a while."""
        self._closed += 1
        now = time.monotonic()
        if now >= self._quiet_until:
            log.warning("%d client connection(s) closed; the last one: %s", self._closed, why)
            self._closed, self._quiet_until = 0, now + LOG_SECONDS

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        connection.incoming.feed(data)
        self._take(connection)

    def _take(self, connection: Connection) -> None:
        """Act on the whole packets that have come, unless too much of this client is under way already."""
        try:
            while not self._is_full(connection):
                values = connection.incoming.packet()
                if values is None:
                    break
                connection.spoken = True
                self._act(connection, values)
        except CannotDecode as error:
            self._put_out(connection, str(error))
            return
        if connection.socket.fileno() not in self._connections:  # put out while it was answered
            return
        connection.paused = self._is_full(connection)
        self._watch(connection)
        self._gathered += connection.incoming.waiting_bytes - connection.gathered
        connection.gathered = connection.incoming.waiting_bytes
        if self._gathered > GATHERED_BYTES:
            greatest = max(self._connections.values(), key=lambda each: each.gathered)
            self._put_out(greatest, "too much of packets that don't end")

    def _is_full(self, connection: Connection) -> bool:
        """Whether nothing more is to be read from it for now."""
        return connection.asked >= CONTROLS or self.routing.is_full(connection.client)

    def _act(self, connection: Connection, values: list[Any]) -> None:
        match values:
            case [protocol.SEND, list(envelopes)]:
                self.routing.accept(connection.client, envelopes)
            case [protocol.CONTROL, int(number), dict(request)]:
                if len(packet(protocol.CONTROL, request)) > CONTROL_BYTES:
                    raise CannotDecode(f"a request to the supervisor has at most {CONTROL_BYTES} bytes")
                if len(self._asked) >= CONTROLS_TOTAL:
                    busy = {"error": "too much is asked of the supervisor just now; ask again"}
                    self._send(connection, packet(protocol.CONTROLLED, number, busy))
                    return
                self._numbers += 1
                connection.asked += 1
                self._asked[self._numbers] = (connection, number)
                self._requests.append((self._numbers, request))
            case [protocol.HELLO]:
                self._send(connection, packet(protocol.WELCOME, self._facts()))
            case _:
                raise CannotDecode(f"no packet of the kind {values[0][:20]!r} looks like this")

    def _facts(self) -> dict[str, Any]:
        return {
            "version": protocol.VERSION,
            "cells": list(self._placement.names),
            "slots": SLOTS,
            "groups": self._placement.record(),
            "data": str(self._data),
        }

    def _resume(self) -> None:
        """Read again from those of whom enough has been handled."""
        for connection in list(self._connections.values()):
            if connection.paused and not self._is_full(connection):
                self._take(connection)

    def _hand_out(self, replies: Replies) -> None:
        for client, envelopes in replies.items():
            connection = self._of_client.get(client)
            if connection is None:
                continue
            for part in _parts(envelopes):
                self._send(connection, part)

    def _send(self, connection: Connection, data: bytes) -> None:
        if connection.socket.fileno() not in self._connections:
            return
        connection.unsent += data
        self._unsent += len(data)
        if len(connection.unsent) == len(data):  # otherwise it goes once the socket takes more
            self._flush(connection)
        if len(connection.unsent) > self._unsent_bytes:
            self._put_out(connection, "it doesn't read its replies")
        elif self._unsent > UNSENT_TOTAL_BYTES:
            greatest = max(self._connections.values(), key=lambda each: len(each.unsent))
            self._put_out(greatest, "too much waits for those who don't read their replies")

    def _flush(self, connection: Connection) -> None:
        try:
            sent = connection.socket.send(connection.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(connection)
            return
        del connection.unsent[:sent]
        self._unsent -= sent
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        events = (0 if connection.paused else select.EPOLLIN) | (select.EPOLLOUT if connection.unsent else 0)
        if events != connection.events and connection.socket.fileno() in self._connections:
            connection.events = events
            self._epoll.modify(connection.socket, events)

    def _drop(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        if self._connections.pop(descriptor, None) is None:
            return
        self._of_client.pop(connection.client, None)
        self._gathered -= connection.gathered
        self._unsent -= len(connection.unsent)
        self.routing.forget(connection.client)
        self._asked = {number: asked for number, asked in self._asked.items() if asked[0] is not connection}
        self._epoll.unregister(descriptor)
        connection.socket.close()


def _overload(data: Path) -> OverloadSettings:
    """What the running system was started with; the defaults where nothing was written down."""
    from config.settings import BadSettings, OverloadSettings, effective_settings

    try:
        return effective_settings(data).overload
    except BadSettings:
        return OverloadSettings()


def _first_placement(data: Path) -> Placement:
    """At a first start the gateway may be here before the first cell has recorded where everything lives."""
    from actors.topology import placed
    from config.settings import BadSettings, effective_settings

    try:
        settings = effective_settings(data)
    except BadSettings as refusal:
        raise CannotOpen(str(refusal)) from refusal
    return establish(data, placed(settings.topology))


def _parts(envelopes: list[bytes]) -> list[bytes]:
    """The replies as packets, none of them much longer than `PACKET_BYTES` unless one reply is."""
    parts: list[bytes] = []
    part: list[bytes] = []
    size = 0
    for envelope in envelopes:
        if part and size + len(envelope) > PACKET_BYTES:
            parts.append(envelopes_packet(protocol.REPLIES, part))
            part, size = [], 0
        part.append(envelope)
        size += len(envelope)
    parts.append(envelopes_packet(protocol.REPLIES, part))
    return parts
