"""The library that speaks to a running system through its socket; starts nothing, knows no actor's inside.

Synchronous, for one thread. Whatever is unanswered when a connection breaks, or a cell is replaced, is sent
again: every command may be repeated.
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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from actors.disbursement.messages import PaymentAccepted, SubmitPayment
from actors.gateway import protocol
from actors.gateway.protocol import Incoming, envelopes_packet, packet
from actors.messaging import codec
from actors.messaging.codec import CannotDecode
from actors.messaging.discovery import register_messages
from actors.messaging.envelope import COMMAND, Envelope
from actors.messaging.message import Message
from actors.messaging.system_messages import Await, Awaited, Busy, Failed
from actors.store.placement import placement_from, spread
from actors.vocabulary.slots import slot_in, slot_of

DEFAULT_TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 10.0
RECONNECT_EVERY_S: Final = 0.05
READ_BYTES: Final = 1024 * 1024
PACKET_BYTES: Final = 64 * 1024  # so that the gateway passes on the first while the last are still written
_BOTH: Final = frozenset((PaymentAccepted, Awaited))
_TARGET: Final = Envelope._fields.index("target")
WINDOW: Final = 2_000  # unanswered orders of one `submit`; the gateway stops reading at 4,096

# What ends a payment, or needs a person, by message type.
DECIDED: Final = (
    "PaymentCompleted",
    "PaymentRejected",
    "PaymentCancelled",
    "PaymentReturned",
    "PaymentNeedsAttention",
    "PaymentStalled",
    "BeneficiaryHeld",
    "ApprovalRequested",
    "ReactionFailed",
)


class NotRunning(Exception):
    """No system can be reached in the data directory; the text is one sentence."""


class NoAnswer(Exception):
    """No answer came in time; what was asked may have been done. The text is one sentence.

    `partial` are the answers of those who did answer a broadcast.
    """

    def __init__(self, sentence: str, partial: tuple[Message, ...] = ()) -> None:
        super().__init__(sentence)
        self.partial = partial


class Paid(NamedTuple):
    """What became of an order: the answer to it, and the status it waited for (None: not in time)."""

    answer: Message
    status: str | None = None


@dataclass(eq=False, slots=True)
class Unanswered:
    """One envelope whose reply has not come."""

    message_id: str
    type: str
    packed: bytes
    inbox: deque[Answered]  # where its reply goes
    item: Any = None  # what the caller knows it by
    follows: bool = False  # `PaymentAccepted` and `Awaited` both come, in either order: two cells send them
    heard: set[Any] = field(default_factory=set)  # of which of the two classes one has come
    places: list[int] = field(default_factory=list)  # on this connection, counted from 1, one each time it was sent
    waits: bool = False  # to be sent (again)
    busy: Busy | None = None  # the last word of the gateway
    due: float = 0.0  # monotonic seconds; when it is sent (again)
    impatient: bool = False  # a `Busy` is its answer, rather than a reason to send it again


class Answered(NamedTuple):
    """A reply, and what it answers."""

    unanswered: Unanswered
    reply: Message


class Client:
    """One connection to a running system."""

    def __init__(self, data: Path, random_source: random.Random | None = None) -> None:
        self.data = data
        self.facts: dict[str, Any] = {}
        self.placement = spread(1)  # until the gateway says where everything lives
        self._random = random_source or random.Random()
        self._name = os.urandom(6).hex()  # a part of every message id of this client
        self._numbers = itertools.count(1)
        self._socket: socket.socket | None = None
        self._incoming = Incoming()
        self._unsent = bytearray()
        self._sent = 0  # envelopes on this connection
        self._unanswered: dict[int, Unanswered] = {}  # by their place on this connection
        self._waiting: deque[Unanswered] = deque()  # not sent, or to be sent again
        self._controlled: dict[int, dict[str, Any]] = {}
        self._welcomed = False
        self._told_busy: Callable[[Busy], None] = lambda busy: None

    @classmethod
    def connect(cls, data: Path, timeout: float = CONNECT_TIMEOUT_S) -> Client:
        """A client of the system that runs in `data`.

        Raises:
            NotRunning: none does, or it doesn't answer within `timeout` seconds.
        """
        register_messages()
        client = cls(Path(data).absolute())
        deadline = time.monotonic() + timeout
        while True:
            try:
                client._connect(deadline)
                return client
            except NotRunning:
                if time.monotonic() >= deadline or not _is_only_away(client):
                    raise
            time.sleep(RECONNECT_EVERY_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect; what was sent goes on."""
        self._disconnect()
        self._waiting.clear()

    # What one can ask

    def request(
        self,
        message: Message,
        target: str,
        slot: int,
        timeout: float = DEFAULT_TIMEOUT_S,
        *,
        kind: str = COMMAND,
        impatient: bool = False,
    ) -> Message:
        """Send one message to the actor `target` of the cell that owns `slot`, and return its reply.

        Told `Busy` it tries again, in time, until `timeout`; where `impatient`, the `Busy` is the reply.

        Raises:
            NoAnswer: none came within `timeout` seconds.
        """
        inbox: deque[Answered] = deque()
        unanswered = self._post(message, target, slot, inbox, kind=kind, impatient=impatient)
        deadline = time.monotonic() + timeout
        try:
            while not inbox:
                self._exchange(deadline)
                if not inbox and time.monotonic() >= deadline:
                    raise NoAnswer(self._sentence(unanswered, timeout))
        finally:
            self._give_up(unanswered)
        return inbox[0].reply

    def broadcast(
        self, message: Message, target: str, timeout: float = DEFAULT_TIMEOUT_S, *, kind: str = COMMAND
    ) -> list[Message]:
        """Send one message to the actor `target` of every cell that hosts it; the replies, in the order of the cells.

        Raises:
            NoAnswer: a cell gave none within `timeout` seconds.
        """
        inbox: deque[Answered] = deque()
        deadline = time.monotonic() + timeout
        everywhere = [
            self._post(message, f"{target}@{cell}", 0, inbox, kind=kind) for cell in self.placement.cells_of(target)
        ]
        try:
            while len(inbox) < len(everywhere):
                self._exchange(deadline)
                if len(inbox) < len(everywhere) and time.monotonic() >= deadline:
                    answered = [each.unanswered for each in inbox]
                    missing = next(each for each in everywhere if each not in answered)
                    raise NoAnswer(self._sentence(missing, timeout), tuple(each.reply for each in inbox))
        finally:
            for each in everywhere:
                self._give_up(each)
        replies = dict(inbox)
        return [replies[each] for each in everywhere]

    def home_of(self, actor: str, slot: int) -> str:
        """The cell in which `actor` lives for `slot`; a target `name@cell` is an actor of that very cell."""
        return self.placement.cell_for(actor, slot)

    def control(self, request: dict[str, Any], timeout: float = DEFAULT_TIMEOUT_S) -> dict[str, Any]:
        """Ask the supervisor: `{"do": "status"}`, `{"do": "stop"}`, `{"do": "kill", "name": "cell-0"}`.

        Raises:
            NoAnswer: none came within `timeout` seconds, or the connection broke; it may have been done.
        """
        deadline = time.monotonic() + timeout
        self._reconnect(deadline)
        number, asked_on = next(self._numbers), self._socket
        if asked_on is not None:
            self._unsent += packet(protocol.CONTROL, number, request)
        while self._socket is asked_on is not None:
            self._exchange(deadline)
            if number in self._controlled:
                return self._controlled.pop(number)
            if time.monotonic() >= deadline:
                raise NoAnswer(f"the supervisor did not answer within {timeout:g} s; see logs/supervisor.log")
        raise NoAnswer("the connection to the system broke before the supervisor answered; ask again")

    def submit(
        self,
        orders: Iterable[SubmitPayment],
        timeout: float = DEFAULT_TIMEOUT_S,
        *,
        window: int = WINDOW,
        told_busy: Callable[[Busy], None] = lambda busy: None,
    ) -> Iterator[tuple[SubmitPayment, Message]]:
        """Send many orders, `window` of them unanswered at most; yields (order, reply) as they are answered.

        While one of them waits because the system is busy, no other is sent; `told_busy` hears of it. Orders may be
        repeated, after a break in the middle too: one key is one payment.

        Raises:
            NoAnswer: for `timeout` seconds not one answer came.
        """
        addressed = ((order, "disbursement", slot_of(order.idempotency_key)) for order in orders)
        return self.stream(addressed, timeout, window=window, told_busy=told_busy, called="orders")

    def stream(
        self,
        messages: Iterable[tuple[Any, str, int]],
        timeout: float = DEFAULT_TIMEOUT_S,
        *,
        window: int,
        kind: str = COMMAND,
        told_busy: Callable[[Busy], None] = lambda busy: None,
        called: str = "messages",
    ) -> Iterator[tuple[Any, Message]]:
        """Send many messages, each with its target and slot, as `submit` does orders.

        Raises:
            NoAnswer: for `timeout` seconds not one answer came.
        """
        coming = iter(messages)
        inbox: deque[Answered] = deque()
        under_way: set[Unanswered] = set()
        self._told_busy = told_busy
        try:
            progress_at = time.monotonic()
            while True:
                room = 0 if self._waiting else window - len(under_way)
                for message, target, slot in itertools.islice(coming, room):
                    under_way.add(self._post(message, target, slot, inbox, kind=kind, item=message))
                if not under_way:
                    return
                self._exchange(progress_at + timeout)
                if inbox:
                    while inbox:
                        answered, reply = inbox.popleft()
                        under_way.remove(answered)
                        yield answered.item, reply
                    progress_at = time.monotonic()
                elif time.monotonic() >= progress_at + timeout:
                    sentence = self._sentence(next(iter(under_way)), timeout)
                    raise NoAnswer(f"{len(under_way)} {called} are unanswered: {sentence}")
        finally:
            self._told_busy = lambda busy: None
            for unanswered in under_way:
                self._give_up(unanswered)

    def offer(self, order: SubmitPayment, inbox: deque[Answered], item: Any = None) -> None:
        """Send an order with the next `exchange`; whatever is answered, `Busy` too, comes into `inbox` with `item`."""
        slot = slot_of(order.idempotency_key)
        self._post(order, "disbursement", slot, inbox, item=item, impatient=True)

    def exchange(self) -> None:
        """Send what was offered, and take what has come, without waiting."""
        self._exchange(time.monotonic())

    def wait(
        self, payment_id: str, timeout: float = DEFAULT_TIMEOUT_S, *, types: tuple[str, ...] = DECIDED
    ) -> str | None:
        """Wait until the payment ends or a person must decide; the status, or None when the time was up.

        Raises:
            BadId: this system gives out no such ids.
        """
        question = Await(payment_id=payment_id, types=types)
        try:
            reply = self.request(question, "waiting", slot_in(payment_id), timeout)
        except NoAnswer:
            return None
        if not isinstance(reply, Awaited):
            cause = reply.cause if isinstance(reply, Failed) else f"{type(reply).__name__} came instead"
            raise NoAnswer(f"{payment_id} can't be waited for: {cause}")
        return reply.status

    def pay(self, order: SubmitPayment, timeout: float = DEFAULT_TIMEOUT_S, *, wait: bool = True) -> Paid:
        """Submit one order; with `wait`, until it ends or a person must decide, `timeout` seconds in all.

        Raises:
            NoAnswer: the order itself was not answered.
        """
        slot = slot_of(order.idempotency_key)
        if not wait:
            return Paid(self.request(order, "disbursement", slot, timeout))
        deadline = time.monotonic() + timeout
        inbox: deque[Answered] = deque()
        waiting = replace(order, wait_for=DECIDED)
        unanswered = self._post(waiting, "disbursement", slot, inbox, follows=True)
        accepted: Message | None = None
        status: str | None = None
        try:
            while accepted is None or status is None:
                self._exchange(deadline)
                while inbox:
                    reply = inbox.popleft().reply
                    if isinstance(reply, Awaited):
                        status = reply.status
                    elif isinstance(reply, PaymentAccepted):
                        accepted = reply
                    else:
                        return Paid(reply)
                if time.monotonic() >= deadline:
                    break
        finally:
            self._give_up(unanswered)
        if accepted is None:
            raise NoAnswer(self._sentence(unanswered, timeout))
        return Paid(accepted, status)

    # Envelopes

    def _post(
        self,
        message: Message,
        target: str,
        slot: int,
        inbox: deque[Answered],
        *,
        kind: str = COMMAND,
        item: Any = None,
        follows: bool = False,
        impatient: bool = False,
    ) -> Unanswered:
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
            envelope.message_id, type(message).__name__, packed, inbox, item, follows, impatient=impatient
        )
        self._wait_to_send(unanswered)
        return unanswered

    def _wait_to_send(self, unanswered: Unanswered) -> None:
        unanswered.waits = True
        self._waiting.append(unanswered)

    def _give_up(self, unanswered: Unanswered) -> None:
        for place in unanswered.places:
            self._unanswered.pop(place, None)
        unanswered.places = []
        if unanswered.waits:
            unanswered.waits = False
            with contextlib.suppress(ValueError):  # closed meanwhile
                self._waiting.remove(unanswered)

    def _sentence(self, unanswered: Unanswered, timeout: float) -> str:
        if self._socket is None:
            return f"the system in {self.data} can't be reached any more; start it again, then repeat"
        why = f" ({unanswered.busy.reason})" if unanswered.busy else ""
        return f"no answer to {unanswered.type} within {timeout:g} s{why}; it may be repeated without harm"

    # The connection

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
            self._exchange(deadline)
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
        """Everything unanswered is to be sent again, on the next connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._incoming, self._unsent, self._sent, self._welcomed = Incoming(), bytearray(), 0, False
        self._send_again()
        for unanswered in self._unanswered.values():
            unanswered.places = []  # they were the connection's
        self._unanswered = {}

    def _send_again(self) -> None:
        """Everything under way goes once more. An answer to the first time counts all the same: a cell that is killed
        again and again may never come to answer the last."""
        again = [unanswered for unanswered in dict.fromkeys(self._unanswered.values()) if not unanswered.waits]
        for unanswered in again:
            unanswered.waits = True
        self._waiting.extendleft(reversed(again))

    def _exchange(self, deadline: float) -> None:
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
            reply = Failed(failed_message_id=unanswered.message_id, failed_type=unanswered.type, cause=cause)
        unanswered.heard.add(type(reply))
        if isinstance(reply, Busy) and not unanswered.impatient:
            self._told_busy(reply)
            unanswered.busy = reply
            unanswered.due = time.monotonic() + reply.retry_after_ms / 1000 * self._random.uniform(0.5, 1.5)
            self._give_up(unanswered)
            self._wait_to_send(unanswered)
        else:
            if not unanswered.follows or type(reply) not in _BOTH or unanswered.heard >= _BOTH:
                self._give_up(unanswered)
            unanswered.inbox.append(Answered(unanswered, reply))


def _is_only_away(client: Client) -> bool:
    """Whether it is the gateway alone that can't be reached: its system lives, and will replace it."""
    from actors.runtime.launch import serves

    another_version = client.facts.get("version", protocol.VERSION) != protocol.VERSION
    return not another_version and serves(client.data)


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
