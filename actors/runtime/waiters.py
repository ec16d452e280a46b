"""Clients that wait for something to happen to a payment: kept in memory alone, answered after the commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from actors.messaging.envelope import REPLY, Envelope
from actors.messaging.system_messages import Awaited
from actors.runtime.service import Record

PAYMENTS: Final = 50_000  # that somebody waits for; the longest waited for are forgotten first
PER_PAYMENT: Final = 64


@dataclass(slots=True)
class Waiter:
    """A client that waits for one of `types` to be logged for a payment."""

    types: frozenset[str]
    target: str
    causation_id: str


class Waiters:
    """Who waits for which payment. A question counts only once its turn is committed."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Waiter]] = {}
        self._new: list[tuple[str, Waiter, tuple[str, str] | None]] = []

    def __len__(self) -> int:
        """How many payments are waited for."""
        return len(self._waiting)

    def __bool__(self) -> bool:
        """Whether anybody waits, or has asked in this turn."""
        return bool(self._waiting or self._new)

    def begin(self) -> None:
        """A turn starts: what an abandoned one had asked is forgotten; whoever asked asks again."""
        self._new = []

    def ask(self, payment_id: str, waiter: Waiter, standing: tuple[str, str] | None) -> None:
        """A client wants to hear of a payment: at once what is `standing` (type and status), else when it is logged."""
        self._new.append((payment_id, waiter, standing))

    def answers(self, records: list[Record]) -> list[Envelope]:
        """After the commit: replies to those whose line is among `records`, or stood already."""
        replies = [_answer(waiter, payment_id, *standing) for payment_id, waiter, standing in self._new if standing]
        for payment_id, waiter, standing in self._new:
            if standing is None:
                others = self._waiting.setdefault(payment_id, [])
                others.append(waiter)
                del others[:-PER_PAYMENT]  # whoever it was asks again, or has long gone
        self._new = []
        while len(self._waiting) > PAYMENTS:
            del self._waiting[next(iter(self._waiting))]
        for record in records if self._waiting else ():
            waiters = self._waiting.get(record.envelope.payment_id)
            if not waiters:
                continue
            name = type(record.envelope.message).__name__
            for waiter in [waiter for waiter in waiters if name in waiter.types]:
                waiters.remove(waiter)
                replies.append(_answer(waiter, record.envelope.payment_id, name, record.progress or ""))
            if not waiters:
                del self._waiting[record.envelope.payment_id]
        return replies


def _answer(waiter: Waiter, payment_id: str, name: str, status: str) -> Envelope:
    answer = Awaited(payment_id=payment_id, type=name, status=status)
    return Envelope("", answer, REPLY, "waiting", waiter.target, payment_id, waiter.causation_id)
