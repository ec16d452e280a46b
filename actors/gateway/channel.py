"""A client's way to a running system: what is posted is sent until it is answered, over one socket after another.

Whatever is unanswered when a socket breaks, or a cell is replaced, is sent again: every command may be repeated. For
one thread; knows no payment.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import random
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from actors.gateway import protocol
from actors.gateway.protocol import Incoming, envelopes_packet, packet
from actors.messaging import codec
from actors.messaging.codec import CannotDecode
from actors.messaging.envelope import COMMAND, Envelope
from actors.messaging.message import Message
from actors.messaging.system_messages import Busy, Failed
from actors.store.placement import placement_from, spread

RECONNECT_EVERY_S: Final = 0.05
READ_BYTES: Final = 1024 * 1024
PACKET_BYTES: Final = 64 * 1024  # so that the gateway passes on the first while the last are still written
_TARGET: Final = Envelope._fields.index("target")


class NotRunning(Exception):
    """No system can be reached in the data directory; the text is one sentence."""


class NoAnswer(Exception):
    """No answer came in time; what was asked may have been done. The text is one sentence.

    `partial` are the answers of those who did answer a broadcast.
    """

    def __init__(self, sentence: str, partial: tuple[Message, ...] = ()) -> None:
        super().__init__(sentence)
        self.partial = partial


@dataclass(eq=False, slots=True)
class Unanswered:
    """One envelope whose reply has not come."""

    message_id: str
    name: str  # of its message's class
    packed: bytes
    inbox: deque[Answered]  # where its reply goes
    item: Any = None  # what the caller knows it by
    awaits: frozenset[type[Message]] = frozenset()  # all of these come, in any order, since several cells send them
    heard: set[type[Message]] = field(default_factory=set)
    places: list[int] = field(default_factory=list)  # on this socket, counted from 1, one each time it was sent
    waits: bool = False  # to be sent (again)
    busy: Busy | None = None  # the last word of the gateway
    due: float = 0.0  # monotonic seconds; when it is sent (again)
    impatient: bool = False  # a `Busy` is its answer, rather than a reason to send it again


class Answered(NamedTuple):
    """A reply, and what it answers."""

    unanswered: Unanswered
    reply: Message


class Channel:
    """One, to the system that runs in `data`. `told_busy` hears of every `Busy` after which something is sent again."""

    def __init__(self, data: Path, random_source: random.Random | None = None) -> None:
        self.data = data
        self.facts: dict[str, Any] = {}
        self.placement = spread(1)  # until the gateway says where everything lives
        self.told_busy: Callable[[Busy], None] = lambda busy: None
        self._random = random_source or random.Random()
        self._name = os.urandom(6).hex()  # a part of every message id of this client
        self._numbers = itertools.count(1)
        self._socket: socket.socket | None = None
        self._incoming = Incoming()
        self._unsent = bytearray()
        self._sent = 0  # envelopes on this socket
        self._unanswered: dict[int, Unanswered] = {}  # by their place on this socket
        self._waiting: deque[Unanswered] = deque()  # not sent, or to be sent again
        self._controlled: dict[int, dict[str, Any]] = {}
        self._welcomed = False

    def open(self, deadline: float) -> None:
        """Connect, by `deadline` (monotonic seconds); a gateway that is away for a moment is waited for.

        Raises:
            NotRunning: no system runs there, or it doesn't answer in time.
        """
        while True:
            try:
                self._connect(deadline)
                return
            except NotRunning:
                if time.monotonic() >= deadline or not self._is_only_away():
                    raise
            time.sleep(RECONNECT_EVERY_S)

    def close(self) -> None:
        """Disconnect; what was sent goes on."""
        self._disconnect()
        self._waiting.clear()

    @property
    def backlogged(self) -> bool:
        """Whether something waits to be sent, or to be sent again."""
        return bool(self._waiting)

    def post(
        self,
        message: Message,
        target: str,
        slot: int,
        inbox: deque[Answered],
        *,
        kind: str = COMMAND,
        item: Any = None,
        awaits: frozenset[type[Message]] = frozenset(),
        impatient: bool = False,
    ) -> Unanswered:
        """Have a message sent with the next `exchange`; its reply comes into `inbox`.

        Raises:
            ValueError: it is too long.
        """
        envelope = Envelope(
            message_id=f"client-{self._name}-{next(self._numbers)}",
            message=message,
            kind=kind,
            sender="",  # the gateway's to fill in
            target=target,
            payment_id=getattr(message, "payment_id", ""),
            slot=slot,
        )
        packed = codec.pack(codec.envelope_fields(envelope))
        if len(packed) > protocol.MAXIMUM_ENVELOPE_BYTES:
            raise ValueError(f"a {type(message).__name__} of {len(packed)} bytes is too long to be sent")
        unanswered = Unanswered(
            envelope.message_id, type(message).__name__, packed, inbox, item, awaits, impatient=impatient
        )
        self._wait_to_send(unanswered)
        return unanswered

    def give_up(self, unanswered: Unanswered) -> None:
        """Wait for its reply no longer; it may have been done."""
        for place in unanswered.places:
            self._unanswered.pop(place, None)
        unanswered.places = []
        if unanswered.waits:
            unanswered.waits = False
            with contextlib.suppress(ValueError):  # closed meanwhile
                self._waiting.remove(unanswered)

    def sentence(self, unanswered: Unanswered, timeout: float) -> str:
        """What to say when no reply has come within `timeout` seconds."""
        if self._socket is None:
            return f"the system in {self.data} can't be reached any more; start it again, then repeat"
        why = f" ({unanswered.busy.reason})" if unanswered.busy else ""
        return f"no answer to {unanswered.name} within {timeout:g} s{why}; it may be repeated without harm"

    def control(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Ask the supervisor.

        Raises:
            NoAnswer: none came within `timeout` seconds, or the socket broke; it may have been done.
        """
        deadline = time.monotonic() + timeout
        self._reconnect(deadline)
        number, asked_on = next(self._numbers), self._socket
        if asked_on is not None:
            self._unsent += packet(protocol.CONTROL, number, request)
        while self._socket is asked_on is not None:
            self.exchange(deadline)
            if number in self._controlled:
                return self._controlled.pop(number)
            if time.monotonic() >= deadline:
                raise NoAnswer(f"the supervisor did not answer within {timeout:g} s; see logs/supervisor.log")
        raise NoAnswer("the connection to the system broke before the supervisor answered; ask again")

    def exchange(self, deadline: float) -> None:
        """Send what is due, wait until something comes or `deadline`; answers go to their inboxes."""
        self._reconnect(deadline)
        if self._socket is None:
            return
        try:
            due = self._send_due(deadline)
            events = select.POLLIN | (select.POLLOUT if self._unsent else 0)
            poll = select.poll()
            poll.register(self._socket, events)
            wait_ms = (min(deadline, due) - time.monotonic()) * 1000
            for _, ready in poll.poll(max(0, math.ceil(wait_ms))):
                if ready & select.POLLOUT:
                    self._flush()
                if ready & ~select.POLLOUT:
                    self._read()
        except (OSError, ValueError):  # broken, or not our protocol
            self._disconnect()
        except BaseException:  # Ctrl-C in the middle: a packet may be half read
            self._disconnect()
            raise

    # The socket

    def _connect(self, deadline: float) -> None:
        while True:
            try:
                self._socket = _opened(self.data)
                break
            except BlockingIOError:  # more clients are knocking than the gateway has yet let in
                if time.monotonic() >= deadline:
                    raise NotRunning(f"the system in {self.data} takes no connections; see its logs") from None
                time.sleep(RECONNECT_EVERY_S)
        self._unsent += packet(protocol.HELLO)
        while not self._welcomed:
            self.exchange(deadline)
            if self._socket is None or (not self._welcomed and time.monotonic() >= deadline):
                self._disconnect()
                raise NotRunning(f"the system in {self.data} does not answer; see its logs, or stop and start it")
        if self.facts.get("version") != protocol.VERSION:
            self._disconnect()
            raise NotRunning(f"the system in {self.data} runs another version of this program: restart it")

    def _reconnect(self, deadline: float) -> None:
        """Try until `deadline`; leaves the client unconnected if it was in vain."""
        while self._socket is None:
            try:
                self._connect(deadline)
            except NotRunning:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                time.sleep(min(RECONNECT_EVERY_S, left))

    def _disconnect(self) -> None:
        """Everything unanswered is to be sent again, over the next socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._incoming, self._unsent, self._sent, self._welcomed = Incoming(), bytearray(), 0, False
        self._send_again()
        for unanswered in self._unanswered.values():
            unanswered.places = []  # they were the socket's
        self._unanswered = {}

    def _send_again(self) -> None:
        """Everything under way goes once more. An answer to the first time counts all the same: a cell that is killed
        again and again may never come to answer the last."""
        again = [unanswered for unanswered in dict.fromkeys(self._unanswered.values()) if not unanswered.waits]
        for unanswered in again:
            unanswered.waits = True
        self._waiting.extendleft(reversed(again))

    def _send_due(self, never: float) -> float:
        """Put what is due on its way; when the next will be due."""
        if not self._welcomed:
            self._flush()
            return never
        now = time.monotonic()
        later: list[Unanswered] = []
        packed: list[bytes] = []
        size = 0
        while self._waiting:
            unanswered = self._waiting.popleft()
            if unanswered.due > now:
                later.append(unanswered)
                continue
            if packed and size + len(unanswered.packed) > PACKET_BYTES:
                self._unsent += envelopes_packet(protocol.SEND, packed)
                packed, size = [], 0
            self._sent += 1
            unanswered.waits = False
            unanswered.places.append(self._sent)
            self._unanswered[self._sent] = unanswered
            packed.append(unanswered.packed)
            size += len(unanswered.packed)
        if packed:
            self._unsent += envelopes_packet(protocol.SEND, packed)
        self._waiting.extend(later)
        self._flush()
        return min((each.due for each in later), default=never)

    def _flush(self) -> None:
        assert self._socket is not None
        if self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                return
            del self._unsent[:sent]

    def _read(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError
        self._incoming.feed(data)
        while (values := self._incoming.packet()) is not None:
            match values:
                case [protocol.REPLIES, list(envelopes)]:
                    for fields in envelopes:
                        self._answered(fields)
                case [protocol.CONTROLLED, int(number), dict(answer)]:
                    self._controlled[number] = answer
                case [protocol.WELCOME, dict(facts)]:
                    self.facts, self._welcomed = facts, True
                    if facts.get("version") == protocol.VERSION:
                        self.placement = placement_from(facts["groups"])
                case [protocol.RESTARTED, str()]:
                    self._send_again()
                case _:
                    raise CannotDecode(f"no packet of the kind {values[0]!r} is known")

    def _answered(self, fields: list[Any]) -> None:
        place = int(fields[_TARGET].rpartition("/")[2])
        unanswered = self._unanswered.get(place)
        if unanswered is None:  # given up, or answered before
            return
        try:
            reply = codec.envelope_from(fields).message
        except CannotDecode as error:
            cause = f"the answer can't be read: {error}"
            reply = Failed(failed_message_id=unanswered.message_id, failed_type=unanswered.name, cause=cause)
        unanswered.heard.add(type(reply))
        if isinstance(reply, Busy) and not unanswered.impatient:
            self.told_busy(reply)
            unanswered.busy = reply
            unanswered.due = time.monotonic() + reply.retry_after_ms / 1000 * self._random.uniform(0.5, 1.5)
            self.give_up(unanswered)
            self._wait_to_send(unanswered)
        else:
            if type(reply) not in unanswered.awaits or unanswered.heard >= unanswered.awaits:
                self.give_up(unanswered)
            unanswered.inbox.append(Answered(unanswered, reply))

    def _wait_to_send(self, unanswered: Unanswered) -> None:
        unanswered.waits = True
        self._waiting.append(unanswered)

    def _is_only_away(self) -> bool:
        """Whether it is the gateway alone that can't be reached: its system lives, and will replace it."""
        from actors.runtime.launch import serves

        another_version = self.facts.get("version", protocol.VERSION) != protocol.VERSION
        return not another_version and serves(self.data)


def _opened(data: Path) -> socket.socket:
    """A connected socket.

    Raises:
        NotRunning: nobody listens there.
        BlockingIOError: the listener's queue is full.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        with protocol.socket_address(data) as address:
            connection.connect(address)
    except BlockingIOError:
        connection.close()
        raise
    except PermissionError:
        connection.close()
        raise NotRunning(f"the system in {data} belongs to another user") from None
    except OSError:
        connection.close()
        raise NotRunning(f"no system runs in {data}: start one with `python system.py start --data {data}`") from None
    return connection
