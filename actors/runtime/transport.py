"""Thespian's TCP transport, made safe: loopback only, every frame's signature checked before decoding.

The frame is `signing`'s. Its epoch is when the sender began, its counter the moment of sending, both by
the machine's monotonic clock, so that a receiver refuses what it has seen, and what was sent before it
was born, without a handshake. An acknowledgement repeats the counter that it answers.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import socket
import struct
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

from thespian.actors import ActorAddress
from thespian.system.timing import ExpirationTimer
from thespian.system.transport import ExternalInterfaceTransportInit, ReceiveEnvelope, SendStatus
from thespian.system.transport.IPBase import TCPv4ActorAddress
from thespian.system.transport.TCPTransport import (
    ExternalTransportCopy,
    TCPEndpoint,
    TCPIncomingPersistent,
    TCPTransport,
)

from actors.runtime import processes
from actors.runtime.signing import (
    ACCEPTED,
    DATA,
    MAXIMUM_BODY_BYTES,
    UNREADABLE,
    FrameBuffer,
    FrameHeader,
    FrameRefused,
    seal,
)

LOOPBACK: Final = "127.0.0.1"
MAXIMUM_HALF_OPEN: Final = 128  # connections that have not yet sent a whole frame
LISTEN_DEPTH: Final = 512
HEADER_PERIOD: Final = timedelta(seconds=5)  # for a stranger to prove that it holds the key
BODY_PERIOD: Final = timedelta(seconds=60)
RETRY_PERIOD: Final = timedelta(milliseconds=50)  # Thespian's is 35 s
LOG_PERIOD: Final = timedelta(seconds=10)

LOGGER_INSTANCE: Final = -1  # the number Thespian gives to the process that writes its log

log = logging.getLogger(__name__)


class Endpoint(TCPEndpoint):  # type: ignore[misc]  # thespian ships no types
    """What a parent hands to the process it forks; also tells it whose death to die."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.parent = os.getpid()


class Incoming(TCPIncomingPersistent):  # type: ignore[misc]  # thespian ships no types
    """A connection that has yet to prove itself; it has little time for that."""

    def __init__(self, address: Any, sock: socket.socket, buffer: FrameBuffer) -> None:
        super().__init__(address, sock, buffer)
        self._expires = ExpirationTimer(HEADER_PERIOD)


class SignedTransport(TCPTransport):  # type: ignore[misc]  # thespian ships no types
    """Replaces those parts of `TCPTransport` that bind, accept, read, sign and acknowledge."""

    # The administrator's listening socket, made by the launcher and inherited by fork: a port that was
    # only looked up beforehand could be taken by another process in between.
    admin_socket: socket.socket | None = None

    # Every transport made in this process or inherited by fork from its parent.
    _known: ClassVar[list[SignedTransport]] = []

    def __init__(self, kind: Any, *args: Any) -> None:
        super(TCPTransport, self).__init__()  # TCPTransport's own would listen on all interfaces
        self._parentAddr = None
        self.txOnly = False
        assigned = None
        name = None
        if isinstance(kind, Endpoint):
            number, assigned, self._parentAddr, self._adminAddr, _, _ = kind.args
            is_admin = assigned is not None and assigned == self._adminAddr
            name = "admin" if is_admin else "logger" if number == LOGGER_INSTANCE else None
            if not is_admin:
                processes.die_with(kind.parent)
            self._close_inherited(keep=self.admin_socket if is_admin else None)
        elif isinstance(kind, ExternalInterfaceTransportInit):
            self._adminAddr = self.getAdminAddr(args[0])
        elif isinstance(kind, ExternalTransportCopy):
            self._adminAddr = args[0]
        else:
            raise TypeError(f"no transport can be made from {kind!r}")

        self._key = Path(os.environ[processes.KEY_FILE_VARIABLE]).read_bytes()
        self._epoch = self._counter = time.monotonic_ns()
        self._seen: dict[bytes, tuple[int, int]] = {}  # sender: last epoch and counter; grows by key holders only
        self.socket = self._listen(assigned)
        port = self.socket.getsockname()[1]
        self._me = _packed((LOOPBACK, port))
        self.myAddress = ActorAddress(TCPv4ActorAddress(LOOPBACK, port, external=True))
        self._transmitIntents: dict[int, Any] = {}
        self._waitingTransmits: list[Any] = []
        self._incomingSockets: dict[int, Any] = {}
        self._incomingEnvelopes: list[Any] = []
        self._finished_intents: list[Any] = []
        self._watches: list[int] = []
        self._openSockets: dict[Any, Any] = {}
        self._checkChildren = False
        self._shutdownSignalled = False
        self._refused = 0
        self._silent_until = 0.0
        self._known.append(self)
        if name:
            processes.enter(processes.data_directory(), name)

    def _close_inherited(self, keep: socket.socket | None) -> None:
        """Close what the parent of this forked process listens and talks on; Thespian leaves some open."""
        sockets = {self.admin_socket} if self.admin_socket else set()
        for transport in self._known:
            sockets |= {transport.socket, *(idle.socket for idle in transport._openSockets.values())}
            sockets |= {incoming.socket for incoming in transport._incomingSockets.values()}
        self._known.clear()
        for inherited in sockets - {keep, None}:
            # By number, and without a word to the other end, with which the parent still talks; Thespian may
            # have closed some of these numbers already, and none has been used again by now.
            descriptor = inherited.detach()
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _listen(self, assigned: Any) -> socket.socket:
        if assigned is not None and self.admin_socket is not None:
            return self.admin_socket
        listening = socket.create_server((LOOPBACK, 0), backlog=LISTEN_DEPTH)
        listening.setblocking(False)
        return listening

    # Addresses and processes

    def prepEndpoint(self, assignedLocalAddr: Any, capabilities: Any) -> Endpoint:
        """What a process to be forked needs to know; says also who its parent is."""
        return Endpoint(*super().prepEndpoint(assignedLocalAddr, capabilities).args)

    @staticmethod
    def probeAdmin(addr: Any) -> bool:
        """Never finds an administrator: a system is only ever made by `launch`, under its lock."""
        return False

    def external_transport_clone(self) -> SignedTransport:
        """A second transport of the same process, signed as well."""
        return type(self)(ExternalTransportCopy(), self._adminAddr, self.txOnly, False)

    # Sending

    def serializer(self, intent: Any) -> bytes:
        """Encode a message; it is signed when it is sent, each attempt anew."""
        intent.body = pickle.dumps((self.myAddress, intent.message), protocol=pickle.HIGHEST_PROTOCOL)
        if len(intent.body) > MAXIMUM_BODY_BYTES:
            raise ValueError(f"a message of {len(intent.body)} bytes exceeds {MAXIMUM_BODY_BYTES}")
        return bytes(intent.body)

    def _next_XMIT_2(self, intent: Any) -> Any:
        if hasattr(intent, "socket") and intent.amtSent == 0:
            self._counter = max(self._counter + 1, time.monotonic_ns())
            intent.counter = self._counter
            receiver = _packed(intent.targetAddr.addressDetails.sockname)
            intent.serMsg = seal(
                self._key,
                FrameHeader(DATA, len(intent.body), self._me, receiver, self._epoch, self._counter),
                intent.body,
            )
        going_on = super()._next_XMIT_2(intent)
        if going_on and intent.stage == self._XMITStepShutdownWrite:
            return self._nextTransmitStep(intent)  # nothing to wait for before the acknowledgement
        return going_on

    def _next_XMIT_3(self, intent: Any) -> bool:
        intent.ackbuf = self._buffer()
        intent.stage = self._XMITStepWaitForAck
        return True

    def _check_XMIT_4_done(self, intent: Any, rcv: bytes) -> Any:
        try:
            intent.ackbuf.addMore(rcv)
            if not intent.ackbuf.isDone():
                return True
            header = intent.ackbuf.header
            if header.kind == DATA:  # both sides have used one connection at once
                self._take(intent.ackbuf, intent.socket)
                intent.ackbuf = self._buffer()
                return True
            if (header.epoch, header.counter) != (self._epoch, intent.counter):
                raise FrameRefused("an acknowledgement of something else")
        except FrameRefused as why:
            self._note_refusal(str(why))
            intent.stage = self._XMITStepRetry
            return self._nextTransmitStep(intent)
        intent.result = SendStatus.Sent if header.kind == ACCEPTED else SendStatus.BadPacket
        intent.stage = self._XMITStepFinishCleanup
        return self._nextTransmitStep(intent)

    def _next_XMIT_6(self, intent: Any) -> Any:
        intent.transmit_retry_period = RETRY_PERIOD
        return super()._next_XMIT_6(intent)

    # Receiving

    def _acceptNewIncoming(self) -> None:
        try:
            connection, _ = self.socket.accept()
        except OSError:  # gone again before it was accepted
            self._check_indicators()
            return
        self._check_indicators()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self._incomingSockets) >= MAXIMUM_HALF_OPEN:
            self._put_out_the_oldest()
        self._incomingSockets[connection.fileno()] = Incoming(ActorAddress(None), connection, self._buffer())

    def _put_out_the_oldest(self) -> None:
        """Make room: a newcomer may be one of us, and the oldest stranger has had its time."""
        strangers = (
            descriptor
            for descriptor, incoming in self._incomingSockets.items()
            if getattr(incoming._rData, "header", None) is None
        )
        oldest = next(strangers, next(iter(self._incomingSockets)))
        self._incomingSockets.pop(oldest).close()
        self._note_refusal("too many connections without a frame")

    def _handleReadableIncoming(self, inc: Any, has_exclusive_flag: bool = False) -> Any:
        if not isinstance(inc._rData, FrameBuffer):
            # An idle connection of ours that speaks again: Thespian has made a buffer of its own for it.
            inc._rData = self._buffer()
            inc._expires = ExpirationTimer(HEADER_PERIOD)
        try:
            sender = self._read(inc)
        except BlockingIOError:
            return inc
        except (FrameRefused, OSError) as why:
            if isinstance(why, FrameRefused):
                self._note_refusal(str(why))
            inc.close()
            return None
        inc.fromAddress = sender
        self._finishIncoming(inc, sender)
        return None

    def _read(self, inc: Any) -> Any:
        """Read on until the frame is whole or nothing more is there (BlockingIOError)."""
        buffer = inc._rData
        if inc._expires.view().expired():
            raise FrameRefused("it took too long")
        while not buffer.isDone():
            known = buffer.header is not None
            data = inc.socket.recv(buffer.remainingAmount())
            if not data:
                if buffer.is_empty():
                    raise ConnectionResetError
                raise FrameRefused("it ended in the middle of a frame")
            buffer.addMore(data)
            if buffer.header is not None and not known:
                inc._expires = ExpirationTimer(BODY_PERIOD)
        return self._take(buffer, inc.socket)

    def _take(self, buffer: FrameBuffer, connection: socket.socket) -> Any:
        """Acknowledge a whole frame and put its message into the mailbox; answers who sent it."""
        header = buffer.header
        if header is None or header.kind != DATA:
            raise FrameRefused("an acknowledgement of nothing")
        self._fresh(header)  # once more: another connection may have brought it meanwhile
        self._seen[header.sender] = (header.epoch, header.counter)
        try:
            sender, message = pickle.loads(buffer.body)  # signed: by one of our own processes
            if _packed(sender.addressDetails.sockname) != header.sender:
                raise ValueError("two senders are named")
        except Exception as failure:
            self._answer(connection, header, UNREADABLE)
            raise FrameRefused(f"a signed frame can't be decoded: {failure!r}") from failure
        self._answer(connection, header, ACCEPTED)
        self._processReceivedEnvelope(ReceiveEnvelope(sender, message))
        return sender

    def _answer(self, connection: socket.socket, header: FrameHeader, kind: int) -> None:
        # If it can't be sent, the other side sends its frame again.
        with contextlib.suppress(OSError):
            connection.send(
                seal(self._key, FrameHeader(kind, 0, self._me, header.sender, header.epoch, header.counter))
            )

    def _buffer(self) -> FrameBuffer:
        return FrameBuffer(self._key, self._me, self._fresh)

    def _fresh(self, header: FrameHeader) -> None:
        latest = self._seen.get(header.sender, (0, 0))
        # What was sent before this process was born was meant for an earlier one on the same port.
        if header.counter <= self._epoch or (header.epoch, header.counter) <= latest:
            raise FrameRefused("it has been sent before")

    def _note_refusal(self, reason: str) -> None:
        """Log the first refusal at once and then how many there were, once in a period."""
        self._refused += 1
        now = time.monotonic()
        if now >= self._silent_until:
            log.warning("refused %d connection(s); the last one: %s", self._refused, reason)
            self._refused = 0
            self._silent_until = now + LOG_PERIOD.total_seconds()


def _packed(address: tuple[str, int]) -> bytes:
    return socket.inet_aton(address[0]) + struct.pack("!H", address[1])
