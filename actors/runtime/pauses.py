"""What people have paused: services, rails, payments. One table a cell, mirrored for the turn; it decides nothing else.

What becomes of messages meanwhile is decided in `standstill.py`. Costs one truth value while nothing is paused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from actors.directory.reaction import ANY_ORDER, BOTH_FLOWS, On, Reactions
from actors.messaging.codec import micros, moment
from actors.messaging.envelope import CHOREOGRAPHED, EVENT, Envelope
from actors.messaging.system_messages import (
    PauseTarget,
    PaymentPaused,
    PaymentResumed,
    PaymentRetried,
    ResumeTarget,
    TargetStanding,
)
from actors.runtime.service import CellContext, Service, Turn
from actors.store.session import Migration, Session
from actors.vocabulary.operators import OperatorRules

if TYPE_CHECKING:
    from actors.runtime.outbox import Outboxes
    from actors.runtime.retries import Retries

MIGRATIONS = (
    Migration(
        "pauses",
        1,
        (
            # service: which one stands still while a rail is paused; flow: who drives a paused payment
            "CREATE TABLE pauses (kind TEXT NOT NULL, name TEXT NOT NULL, service TEXT NOT NULL, flow TEXT NOT NULL,"
            " at INTEGER NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID",
        ),
    ),
    Migration(
        "pauses",
        2,
        (
            # the newest event of a payment's pauses that was heard, by the cell that published it and its number there:
            # what comes from the dead letters is older, and says nothing any more
            "CREATE TABLE pauses_heard (payment_id TEXT NOT NULL PRIMARY KEY, cell TEXT NOT NULL,"
            " number INTEGER NOT NULL) WITHOUT ROWID",
        ),
    ),
)
SERVICE: Final = "service"
RAIL: Final = "rail"
PAYMENT: Final = "payment"
ACTOR: Final = "pauses"

REACTIONS: Final[Reactions] = {
    ANY_ORDER: tuple(
        On(event, event, lambda event: event, flows=BOTH_FLOWS)
        for event in (PaymentPaused, PaymentResumed, PaymentRetried)
    )
}


class Pauses:
    """A cell's pauses. `active` says whether the turn has to look at any of them."""

    def __init__(self, session: Session, outboxes: Outboxes) -> None:
        self._session = session
        self._outboxes = outboxes
        self._services: dict[str, str] = {}  # the sentence for whoever asks
        self._waiting: frozenset[str] = frozenset()  # services whose rail is paused
        self._payments: set[str] = set()  # without a saga (choreographed, or not begun): that knows by itself
        self._touched = False  # since memory was last held against the table
        self.active = False

    def look(self) -> None:
        """Read the table: at the start, after an abandoned turn, after every change of a service or a rail."""
        rows = self._session.all(
            "SELECT kind, name, service, at, by, reason FROM pauses WHERE kind != ? OR flow = ?",
            (PAYMENT, CHOREOGRAPHED),
        )
        self._services = {row[1]: sentence(row[1], *row[3:]) for row in rows if row[0] == SERVICE}
        self._waiting = frozenset(row[2] for row in rows if row[0] == RAIL)
        self._payments = {row[1] for row in rows if row[0] == PAYMENT}
        self._outboxes.hold(frozenset(row[1] for row in rows if row[0] == RAIL))
        self._touched = False
        self._look_active()

    def take_back(self) -> None:
        """A handler has raised, and what it wrote is gone: whoever it was, it may have paused or resumed something."""
        if self._touched:
            self.look()

    def why(self, target: str) -> str:
        """The sentence for who sends something to an actor whose service is paused, or ""."""
        return self._services.get(target.partition("/")[0], "")

    def keeps(self, target: str, envelope: Envelope) -> bool:
        """Whether what would go to `target` has to wait."""
        if self._services and target.partition("/")[0] in self._services:
            return True
        event = envelope.kind == EVENT and envelope.flow == CHOREOGRAPHED and target != ACTOR
        return event and envelope.payment_id in self._payments

    def stands_still(self, service: str) -> bool:
        """Whether no clock may run out on this service: it is paused, or the rail behind it."""
        return service in self._services or service in self._waiting

    @property
    def clocks_stand(self) -> bool:
        """Whether any service stands still."""
        return bool(self._services or self._waiting)

    def has_payment(self, payment_id: str) -> bool:
        """Whether this payment is paused, of either flow."""
        found = self._session.one("SELECT 1 FROM pauses WHERE kind = ? AND name = ?", (PAYMENT, payment_id))
        return found is not None

    def known(self, kind: str, name: str) -> str:
        """Since when, by whom and why it is paused, or ""."""
        row = self._session.one("SELECT at, by, reason FROM pauses WHERE kind = ? AND name = ?", (kind, name))
        return sentence(name, *row) if row else ""

    def before_it_began(self, payment_id: str) -> str:
        """Since when, by whom and why a payment is paused that had no saga when it was, or ""."""
        if payment_id not in self._payments:
            return ""
        sql = "SELECT at, by, reason FROM pauses WHERE kind = ? AND name = ?"
        row = self._session.one(sql, (PAYMENT, payment_id))
        return since(*row) if row else ""

    def put(self, kind: str, name: str, turn: Turn, *, by: str, reason: str, service: str = "", flow: str = "") -> None:
        """Pause it; one that is paused already keeps its first words."""
        self._session.write(
            "INSERT INTO pauses VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, name) DO NOTHING",
            (kind, name, service, flow, micros(turn.now), by, reason),
        )
        self._changed(kind, name, add=flow == CHOREOGRAPHED)

    def is_news(self, event: Envelope) -> bool:
        """Whether nothing later was heard of this payment's pauses; from now on it is the latest."""
        cell, _, number = event.message_id.rpartition(".")
        known = self._session.one("SELECT cell, number FROM pauses_heard WHERE payment_id = ?", (event.payment_id,))
        if known is not None and known[0] == cell and known[1] > int(number):
            return False
        self._session.write(
            "INSERT INTO pauses_heard VALUES (?, ?, ?) ON CONFLICT (payment_id) DO UPDATE"
            " SET cell = excluded.cell, number = excluded.number",
            (event.payment_id, cell, int(number)),
        )
        return True

    def lift(self, kind: str, name: str) -> None:
        """It goes on."""
        self._session.write("DELETE FROM pauses WHERE kind = ? AND name = ?", (kind, name))
        self._changed(kind, name, add=False)

    def _changed(self, kind: str, name: str, *, add: bool) -> None:
        if kind != PAYMENT:
            self.look()
        elif add:
            self._payments.add(name)
        else:
            self._payments.discard(name)
        self._touched = True
        self._look_active()

    def _look_active(self) -> None:
        self.active = bool(self._services or self._waiting or self._payments)


class PauseKeeper(Service):
    """Takes what people say about services and rails, and hears of payments that are paused."""

    name = ACTOR
    migrations = MIGRATIONS

    def prepare(self, context: CellContext) -> None:
        """The cell's own pauses, and what waits for another try."""
        self.pauses: Pauses = context.resources["pauses"]
        self.retries: Retries = context.resources["retries"]
        self.services: tuple[str, ...] = context.resources["services"]
        self.rules = OperatorRules(context.settings.operators.names, context.settings.operators.four_eyes)

    def pause(self, command: PauseTarget, turn: Turn) -> None:
        """From now on nothing goes there."""
        kind, name = command.kind, command.name
        error = self.rules.why_not(command.by)
        if not error and kind == SERVICE and name not in self.services:
            error = f"no service that can be paused is called {name[:40]!r}; there are {', '.join(self.services)}"
        if error:
            turn.answer(TargetStanding(kind=kind, name=name, paused=False, error=error))
            return
        known = self.pauses.known(kind, name)
        if not known:
            self.pauses.put(kind, name, turn, by=command.by, reason=command.reason, service=command.service)
        done = f"already: {known}" if known else self.pauses.known(kind, name)
        turn.answer(TargetStanding(kind=kind, name=name, paused=True, done=done))

    def resume(self, command: ResumeTarget, turn: Turn) -> None:
        """What was put aside goes there, in order."""
        kind, name = command.kind, command.name
        error = self.rules.why_not(command.by)
        if error:
            turn.answer(TargetStanding(kind=kind, name=name, paused=True, error=error))
            return
        known = self.pauses.known(kind, name)
        if known:
            self.pauses.lift(kind, name)
            if kind == SERVICE:
                self.retries.go_on(turn.now, service=name)
        turn.answer(TargetStanding(kind=kind, name=name, paused=False, done=known))

    def payment_paused(self, event: PaymentPaused, turn: Turn) -> None:
        """Nothing is done on this payment's events, unless it has been resumed since."""
        if not self.pauses.is_news(turn.envelope):
            return
        flow = turn.envelope.flow
        self.pauses.put(PAYMENT, event.payment_id, turn, by=event.by, reason=event.reason, flow=flow)

    def payment_resumed(self, event: PaymentResumed, turn: Turn) -> None:
        """What waited is done, in order, unless it has been paused anew since."""
        if not self.pauses.is_news(turn.envelope):
            return
        self.pauses.lift(PAYMENT, event.payment_id)
        self.retries.go_on(turn.now, payment_id=event.payment_id)

    def payment_retried(self, event: PaymentRetried, turn: Turn) -> None:
        """What waits for its next try has it now, and dead letters are delivered again."""
        self.retries.hasten(event.payment_id, turn.now)

    handlers: ClassVar[Any] = {
        PauseTarget: pause,
        ResumeTarget: resume,
        PaymentPaused: payment_paused,
        PaymentResumed: payment_resumed,
        PaymentRetried: payment_retried,
    }


def sentence(name: str, at: int, by: str, reason: str) -> str:
    """Since when, by whom and why.

    >>> sentence("aml", 0, "Ada", "a new list")
    'aml is paused since 1970-01-01 00:00:00 UTC, by Ada: a new list'
    """
    return f"{name} is paused {since(at, by, reason)}"


def since(at: int, by: str, reason: str) -> str:
    """The same without a name."""
    return f"since {moment(at):%Y-%m-%d %H:%M:%S} UTC, by {by or 'nobody named'}: {reason}"
