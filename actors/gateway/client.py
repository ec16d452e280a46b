"""The library that speaks to a running system; starts nothing, knows no actor's inside. Synchronous, for one thread."""

from __future__ import annotations

import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from actors.disbursement.messages import PaymentAccepted, SubmitPayment
from actors.gateway.channel import Answered, Channel, NoAnswer, NotRunning, Unanswered
from actors.messaging.discovery import register_messages
from actors.messaging.envelope import COMMAND
from actors.messaging.message import Message
from actors.messaging.system_messages import Await, Awaited, Busy, Failed
from actors.store.placement import Placement
from actors.vocabulary.slots import slot_in, slot_of

__all__ = ["DECIDED", "Answered", "Client", "NoAnswer", "NotRunning", "Paid"]

DEFAULT_TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 10.0
WINDOW: Final = 2_000  # unanswered orders of one `submit`; the gateway stops reading at 4,096
ACCEPTED_AND_ENDED: Final = frozenset[type[Message]]((PaymentAccepted, Awaited))

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


class Paid(NamedTuple):
    """What became of an order: the answer to it, and the status it waited for (None: not in time)."""

    answer: Message
    status: str | None = None


class Client:
    """What one can ask a running system."""

    def __init__(self, data: Path, random_source: random.Random | None = None) -> None:
        self.data = data
        self._channel = Channel(data, random_source)

    @classmethod
    def connect(cls, data: Path, timeout: float = CONNECT_TIMEOUT_S) -> Client:
        """A client of the system that runs in `data`.

        Raises:
            NotRunning: none does, or it doesn't answer within `timeout` seconds.
        """
        register_messages()
        client = cls(Path(data).absolute())
        client._channel.open(time.monotonic() + timeout)
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect; what was sent goes on."""
        self._channel.close()

    @property
    def facts(self) -> dict[str, Any]:
        """What the gateway says of its system."""
        return self._channel.facts

    @property
    def placement(self) -> Placement:
        """Where everything lives, as the gateway says."""
        return self._channel.placement

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
        unanswered = self._channel.post(message, target, slot, inbox, kind=kind, impatient=impatient)
        deadline = time.monotonic() + timeout
        try:
            while not inbox:
                self._channel.exchange(deadline)
                if not inbox and time.monotonic() >= deadline:
                    raise NoAnswer(self._channel.sentence(unanswered, timeout))
        finally:
            self._channel.give_up(unanswered)
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
            self._channel.post(message, f"{target}@{cell}", 0, inbox, kind=kind)
            for cell in self.placement.cells_of(target)
        ]
        try:
            while len(inbox) < len(everywhere):
                self._channel.exchange(deadline)
                if len(inbox) < len(everywhere) and time.monotonic() >= deadline:
                    answered = [each.unanswered for each in inbox]
                    missing = next(each for each in everywhere if each not in answered)
                    raise NoAnswer(self._channel.sentence(missing, timeout), tuple(each.reply for each in inbox))
        finally:
            for each in everywhere:
                self._channel.give_up(each)
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
        return self._channel.control(request, timeout)

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
        self._channel.told_busy = told_busy
        try:
            progress_at = time.monotonic()
            while True:
                room = 0 if self._channel.backlogged else window - len(under_way)
                for message, target, slot in itertools.islice(coming, room):
                    under_way.add(self._channel.post(message, target, slot, inbox, kind=kind, item=message))
                if not under_way:
                    return
                self._channel.exchange(progress_at + timeout)
                if inbox:
                    while inbox:
                        answered, reply = inbox.popleft()
                        under_way.remove(answered)
                        yield answered.item, reply
                    progress_at = time.monotonic()
                elif time.monotonic() >= progress_at + timeout:
                    sentence = self._channel.sentence(next(iter(under_way)), timeout)
                    raise NoAnswer(f"{len(under_way)} {called} are unanswered: {sentence}")
        finally:
            self._channel.told_busy = lambda busy: None
            for unanswered in under_way:
                self._channel.give_up(unanswered)

    def offer(self, order: SubmitPayment, inbox: deque[Answered], item: Any = None) -> None:
        """Send an order with the next `exchange`; whatever is answered, `Busy` too, comes into `inbox` with `item`."""
        slot = slot_of(order.idempotency_key)
        self._channel.post(order, "disbursement", slot, inbox, item=item, impatient=True)

    def exchange(self) -> None:
        """Send what was offered, and take what has come, without waiting."""
        self._channel.exchange(time.monotonic())

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
            cause = (
                reply.cause
                if isinstance(reply, Failed)
                else f"{type(reply).__name__} came, which this program can't take"
            )
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
        unanswered = self._channel.post(waiting, "disbursement", slot, inbox, awaits=ACCEPTED_AND_ENDED)
        accepted: Message | None = None
        status: str | None = None
        try:
            while accepted is None or status is None:
                self._channel.exchange(deadline)
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
            self._channel.give_up(unanswered)
        if accepted is None:
            raise NoAnswer(self._channel.sentence(unanswered, timeout))
        return Paid(accepted, status)
