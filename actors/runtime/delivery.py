"""Brings a turn's mail to its actors, until there is none; decides what becomes of a message whose handler raises.

Knows neither where mail comes from nor when the turn is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Final

import structlog

from actors.directory.reaction import On
from actors.directory.subscriptions import Subscriptions
from actors.messaging.envelope import TIMER, Envelope
from actors.messaging.message import Tick
from actors.runtime.consequences import Consequences
from actors.runtime.counters import Counters
from actors.runtime.crossing import Crossing
from actors.runtime.dispatch import Dispatch
from actors.runtime.effects import Effects
from actors.runtime.inprocess import InProcessSystem
from actors.runtime.letters import Letters
from actors.runtime.pauses import ACTOR as PAUSES
from actors.runtime.pauses import Pauses
from actors.runtime.retries import Backoff, Parked, Retries, conversation
from actors.runtime.service import Service
from actors.runtime.standstill import Standstill
from actors.runtime.void import TurnTooLong
from actors.store.session import StoreFailed
from actors.store.sqlite import SqliteSession

DIRECTORY: Final = "directory"  # the actor whose table `Subscriptions` mirrors
END_OF_TURN: Final = Tick()
NO_HANDLER: Final = "it has no handler for this message"


class HandlerFailed(Exception):
    """A handler raised in a turn without savepoints: the turn is run again with one for every handler."""


class Delivery:
    """One cell's. While it is `careful`, every handler runs in a savepoint; `failed_actor` hears who could not."""

    def __init__(
        self, *, cell: str, session: SqliteSession, system: InProcessSystem, subscriptions: Subscriptions,
        crossing: Crossing, effects: Effects, consequences: Consequences, retries: Retries, pauses: Pauses,
        standstill: Standstill, letters: Letters, counters: Counters, chance: Random, immediate_retries: int,
        backoff: Backoff, budget: int, failed_actor: Callable[[str, datetime], None],
    ) -> None:  # fmt: skip
        self._session = session
        self._system = system
        self._subscriptions = subscriptions
        self._crossing = crossing
        self._effects = effects
        self._mail = consequences.mail
        self._take = consequences.take
        self._handle = Dispatch(system, subscriptions, effects).handle
        self._retries = retries
        self._pauses = pauses
        self._standstill = standstill
        self._bury = letters.bury
        self._counters = counters
        self._chance = chance
        self._immediate = immediate_retries
        self._backoff = backoff
        self._budget = budget
        self._failed_actor = failed_actor
        self._whole = crossing.whole
        self._unwritten: dict[str, Service] = {}
        self._log = structlog.get_logger("cell").bind(cell=cell)
        self.careful = False

    @property
    def unwritten(self) -> bool:
        """Whether an actor holds what is not yet stored."""
        return bool(self._unwritten)

    def drain(self, handled: int) -> int:
        """Deliver mail until there is none; `handled` are the turn's messages before it, and with it.

        Raises:
            TurnTooLong: it leads to more messages than a turn may handle.
            HandlerFailed: one raised, and the turn is not careful.
        """
        mail, budget = self._mail, self._budget
        while mail:
            target, envelope, on = mail.popleft()
            if not self._whole and not envelope.target and (target == PAUSES or not self._system.hosts(target)):
                self._crossing.publish(target, envelope)
                if target != PAUSES:
                    continue
            handled += 1
            if handled > budget:
                raise TurnTooLong(budget)
            if self.careful or self._retries.conversations or self._pauses.active:
                self.deliver(target, envelope, on, None)
            else:
                self.deliver_at_ease(target, envelope, on)
        return handled

    def deliver_at_ease(self, target: str, envelope: Envelope, on: On | None) -> None:
        """What `deliver` does where nothing is parked and no handler is expected to raise."""
        effects = self._effects
        effects.actor, effects.envelope, effects.start = target, envelope, effects.number
        try:
            handled = self._handle(target, envelope, on)
        except StoreFailed:
            raise
        except Exception as error:
            raise HandlerFailed from error
        if effects.kept is not None:
            self._unwritten[target] = effects.kept
            effects.kept = None
        if effects.outgoing or effects.timers:
            self._take()
        if not handled:
            self._bury(target, envelope, 1, NO_HANDLER)

    def deliver(self, target: str, envelope: Envelope, on: On | None, parked: Parked | None) -> None:
        """Bring a message to its actor, in a savepoint, unless it has to wait: for who is paused, or for its turn."""
        retries = self._retries
        if self._pauses.active and self._standstill.keeps(target, envelope, parked):
            return
        if retries.conversations and parked is None and (target, conversation(envelope)) in retries.conversations:
            retries.park(target, envelope, due=None, attempt=0, cause="waits behind an earlier message of its payment")
            return
        self.write_back()
        failure: Exception | None = None
        for _ in range(1 + self._immediate):
            handled, failure = self.attempt(target, envelope, on)
            if failure is None:
                if not handled:
                    self._bury(target, envelope, 1, NO_HANDLER)
                if parked is not None:
                    retries.done(parked, self._effects.now)
                return
            self._counters.failures += 1
        assert failure is not None
        self._give_way(target, envelope, failure, parked)

    def attempt(self, target: str, envelope: Envelope, on: On | None) -> tuple[bool, Exception | None]:
        """Run the handler in a savepoint: whether there is one, and what it raised; then nothing of it counts."""
        session, effects = self._session, self._effects
        effects.begin(target, envelope)
        session.guard()
        try:
            handled = self._handle(target, envelope, on)
            if effects.kept is not None:
                effects.kept.write_back(effects)
                effects.kept = None
        except StoreFailed:
            raise
        except Exception as error:
            if not session.whole:
                raise StoreFailed(f"the transaction is gone after {error}") from error
            self._take_back(target)
            return False, error
        session.release()
        self._take()
        return handled, None

    def write_back(self) -> None:
        """Let every actor store what it kept in this turn so far: at the turn's end, and before one may be dropped.

        Raises:
            HandlerFailed: one could not.
        """
        if self._unwritten:
            unwritten, self._unwritten = self._unwritten, {}
            try:
                for name, actor in unwritten.items():
                    self._effects.begin(name, Envelope("", END_OF_TURN, TIMER, name, name))
                    actor.write_back(self._effects)
                    self._take()
            except StoreFailed:
                raise
            except Exception as error:
                raise HandlerFailed from error

    def forget(self) -> None:
        """The turn was abandoned: its mail, and what its actors know of it."""
        self._mail.clear()
        self._effects.take_back()
        self._unwritten = {}
        self._system.drop_all()

    def _take_back(self, actor: str) -> None:
        """The handler has raised: its writes and effects go, and what the actor has in memory."""
        self._session.take_back()
        self._effects.take_back()
        self._system.drop(actor)
        self._pauses.take_back()
        if actor == DIRECTORY:
            self._subscriptions.look()

    def _give_way(self, target: str, envelope: Envelope, error: Exception, parked: Parked | None) -> None:
        """A handler has failed as often as it may at once: park the message, or bury it."""
        cause = f"{type(error).__name__}: {error}"
        now = self._effects.now
        attempt = (parked.attempt if parked else 0) + 1
        self._counters.restarts += 1
        self._log.warning(
            "handler failed", actor=target, type=type(envelope.message).__name__, attempt=attempt, cause=cause,
            payment_id=envelope.payment_id or None, exc_info=error,
        )  # fmt: skip
        if attempt > self._backoff.attempts:
            self._bury(target, envelope, attempt * (1 + self._immediate), cause)
            if parked is not None:
                self._retries.done(parked, now)
            return
        due = now + self._backoff.delay(attempt, self._chance.random())
        if parked is None:
            self._failed_actor(target, now)
            self._retries.park(target, envelope, due=due, attempt=attempt, cause=cause)
        else:
            self._retries.again(parked, due=due, cause=cause)
