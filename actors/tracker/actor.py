"""The Tracker: reads the log once a turn, keeps each payment's status and deadline, coordinates nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from actors.messaging import codec
from actors.messaging.codec import micros, moment
from actors.messaging.system_messages import PaymentMigrated
from actors.runtime.pauses import Pauses
from actors.runtime.service import CellContext, Observed, Record, Service, Started, Turn
from actors.tracker.messages import PaymentStalled, SweepDeadlines
from actors.tracker.model import UNKNOWN, Patience, awaited, follow, why_stalled
from actors.tracker.store import MIGRATIONS, Known, Overdue, TrackerStore, Writes
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import NARRATIVE, Reason
from actors.vocabulary.slots import BadId, slot_in

SWEEP: Final = "sweep"
EARLY: Final = timedelta(days=1)  # lines of a payment whose order never comes are kept for so long
SWEEP_LIMIT: Final = 200  # payments that one sweep calls a person for; the next one follows at once


class Tracker(Service):
    """One row for each payment of this cell, written at most once a turn."""

    name = "tracker"
    migrations = MIGRATIONS
    observes = True

    def prepare(self, context: CellContext) -> None:
        """Make the store; nothing is kept in memory but whether a sweep is due."""
        settings = context.settings
        self._store = TrackerStore(context.session)
        self._slots = context.slots
        self._resources = context.resources
        self._sweep_every = timedelta(seconds=settings.tracker.sweep_seconds)
        self._shortest = timedelta(seconds=settings.tracker.stalled_after_seconds)
        executing = settings.tracker.executing_after_seconds * max(1.0, settings.payment.timeout_factor)
        self._patience = Patience(
            moving=self._shortest // _MICROSECOND, executing=timedelta(seconds=executing) // _MICROSECOND
        )
        self._sweeping = False
        self._early = self._store.has_early()
        context.resources["standing"] = self.standing

    def standing(self, payment_id: str, types: Iterable[str]) -> tuple[str, str] | None:
        """One of the message types after which the payment stands where it does now, with its status; or None."""
        known = self._store.known([payment_id]).get(payment_id)
        if known is None:
            return None
        status, last = known.standing.status, known.standing.last_type
        if last in types:
            return last, status
        progress = ((name, codec.type_names[name].progress) for name in types if name in codec.type_names)
        return next(((name, status) for name, leads_to in progress if leads_to == status), None)

    def observe(self, message: Observed, turn: Turn) -> None:
        """Fold the turn's lines into one write for each payment they are about."""
        by_payment = _by_payment(message.records)
        if not by_payment:
            return
        known = self._store.known(by_payment)
        writes = Writes()
        answered = _Answered(self._resources.get("reactions"))
        now = micros(turn.now)
        migrated: list[PaymentMigrated] = []
        for payment_id, lines in by_payment.items():
            migrated += [line.envelope.message for line in lines if line.envelope.message.__class__ is PaymentMigrated]
            row, records, told_at = known.get(payment_id), lines, 0
            # Lines of this turn are in order; other cells' or a replay's stand first. Those that came early wait.
            if lines[0].at is not turn.now or (row is None and self._early):
                row, records = self._in_order(payment_id, row, lines)
            order = None if row else self._order_in(payment_id, records)
            if row:
                told_at, flow, workflow, before = row
            elif order:
                flow, workflow, before = order.flow, order.workflow, UNKNOWN
            else:
                continue
            after = follow(before, records)
            if after is before:
                continue
            unanswered = after.status == "executing" and bool(answered.missing(after.last_event, workflow))
            patience = self._patience.for_payment(after.status, flow, unanswered=unanswered)
            deadline = None if patience is None else now + patience
            moved_at = now if after.moved_at is turn.now else _micros(after.moved_at)
            if after.told_at is not None:
                told_at = now if after.told_at is turn.now else micros(after.told_at)
            if order:
                writes.add(order, after, moved_at or now, deadline, told_at)
            else:
                writes.change(payment_id, before, after, moved_at, deadline, told_at)
        self._store.write(writes)
        for each in migrated:
            self._store.migrate(each.payment_id, each.workflow, each.version)
        if writes.waiting and not self._sweeping:
            self._sweep_after(self._sweep_every, turn)

    def _in_order(self, payment_id: str, row: Known | None, records: list[Record]) -> tuple[Known | None, list[Record]]:
        """Lines by their moments; those that come before any that tells the order are kept until one does."""
        if row is not None:
            row = row._replace(standing=row.standing._replace(told_at=moment(row.told_at)))
        elif self._order_in(payment_id, records):
            records = records + self._store.take_early(payment_id)
        elif self._is_here(payment_id):
            self._store.keep_early(payment_id, records)
            self._early = True
            records = []
        return row, sorted(records, key=_moment)

    def sweep(self, message: SweepDeadlines, turn: Turn) -> None:
        """Publish `PaymentStalled` for payments past their deadline; their status follows from that event."""
        overdue = self._without_paused(self._store.overdue(micros(turn.now), SWEEP_LIMIT), turn)
        answered = _Answered(self._resources.get("reactions"))
        for payment in overdue:
            standing = payment.standing
            missing = answered.missing(standing.last_event, payment.workflow)
            text = why_stalled(
                standing,
                flow=payment.flow,
                workflow=payment.workflow,
                missing=missing,
                waited_seconds=payment.waited_seconds,
            )
            stalled = PaymentStalled(
                payment_id=payment.payment_id,
                last_message=standing.last_type,
                missing=", ".join(missing),
                reason=Reason(NARRATIVE, text),
            )
            turn.publish(stalled, payment_id=payment.payment_id, flow=payment.flow, workflow=payment.workflow)
        if overdue:
            self._store.forget_deadlines(payment.payment_id for payment in overdue)
        self._sweep_again(turn)

    def _without_paused(self, overdue: list[Overdue], turn: Turn) -> list[Overdue]:
        """Those that somebody ought to look at: what is paused, or waits for what is, has its time again."""
        pauses: Pauses | None = self._resources.get("pauses")
        if not overdue or pauses is None:
            return overdue
        by_type = self._resources.get("awaited", {})
        waits = set()
        for each in overdue:
            services = awaited(each.standing, by_type) if pauses.clocks_stand else frozenset()
            stands_still = services is None or any(pauses.stands_still(service) for service in services)
            if stands_still or pauses.has_payment(each.payment_id):
                waits.add(each.payment_id)
        if waits:
            self._store.postpone(waits, micros(turn.now + self._shortest))
        return [each for each in overdue if each.payment_id not in waits]

    def started(self, message: Started, turn: Turn) -> None:
        """Nobody could answer while the cell was down: deadlines are prolonged by that time."""
        if message.downtime:
            self._store.prolong_deadlines(message.downtime // _MICROSECOND)
        self._store.forget_early(micros(turn.now - EARLY))
        self._sweep_again(turn)

    def _sweep_again(self, turn: Turn) -> None:
        """Sweep at the next deadline; without any, the next payment that moves starts the sweeping again."""
        deadline = self._store.next_deadline()
        if deadline is None:
            self._sweeping = False
        elif deadline <= turn.now:
            self._sweep_after(timedelta(0), turn)
        else:
            # A payment that moves meanwhile has a deadline no earlier than the shortest patience from now.
            after = min(deadline - turn.now, self._shortest)
            self._sweep_after(max(after, self._sweep_every), turn)

    def _sweep_after(self, after: timedelta, turn: Turn) -> None:
        turn.timer(SWEEP, after, SweepDeadlines())
        self._sweeping = True

    def _order_in(self, payment_id: str, records: Iterable[Record]) -> PaymentOrder | None:
        """The order of a payment that is new here, from the first message that carries it."""
        order = next((order for record in records if (order := order_of(record.envelope.message))), None)
        # Accepted here and sent on to the debtor's partition: the tracker over there follows it.
        return order if order is not None and order.payment_id == payment_id and self._is_here(payment_id) else None

    def _is_here(self, payment_id: str) -> bool:
        try:
            return slot_in(payment_id) in self._slots
        except BadId:
            return False

    handlers: ClassVar[Any] = {Observed: observe, SweepDeadlines: sweep, Started: started}


def _by_payment(records: Iterable[Record]) -> dict[str, list[Record]]:
    by_payment: dict[str, list[Record]] = {}
    for record in records:
        payment_id = record[2][5]  # record.envelope.payment_id, in half the time
        if payment_id in by_payment:
            by_payment[payment_id].append(record)
        elif payment_id:
            by_payment[payment_id] = [record]
    return by_payment


def _moment(record: Record) -> datetime:
    return record.at


def order_of(message: object) -> PaymentOrder | None:
    """The order that a message carries, by itself or in its facts, whatever service it belongs to."""
    order = getattr(message, "order", None)
    if order is None:
        order = getattr(getattr(message, "facts", None), "order", None)
    return order if isinstance(order, PaymentOrder) else None


class _Answered:
    """Asks once a turn for each kind of event whose reaction to it is missing."""

    def __init__(self, reactions: Any) -> None:
        self._reactions = reactions
        self._missing: dict[tuple[str, str], tuple[str, ...]] = {}

    def missing(self, event_type: str, workflow: str) -> tuple[str, ...]:
        if self._reactions is None or not event_type:
            return ()
        key = (event_type, workflow)
        missing = self._missing.get(key)
        if missing is None:
            missing = self._missing[key] = tuple(self._reactions.missing(event_type, workflow))
        return missing


_MICROSECOND: Final = timedelta(microseconds=1)


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)
