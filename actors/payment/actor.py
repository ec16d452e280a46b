"""The Payment service: starts one saga per payment, and passes on what people want of it. Holds nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from actors.messaging.envelope import CHOREOGRAPHED
from actors.messaging.message import Event, Message
from actors.messaging.system_messages import PaymentPaused, PaymentResumed, PaymentRetried
from actors.payment.messages import (
    CancelSaga,
    MigrateSaga,
    PauseSaga,
    RestartSaga,
    ResumeSaga,
    RetrySaga,
    SagaSteered,
    StartSaga,
    SteeringRefused,
    SteerSaga,
)
from actors.payment.saga import PREFIX, workflows_of
from actors.payment.store import MIGRATIONS, SagaStore
from actors.runtime.pauses import PAYMENT, Pauses
from actors.runtime.service import CellContext, Service, Started, Turn
from actors.vocabulary.operators import MIGRATE, PAUSE, RESTART, RESUME, RETRY, OperatorRules


class Payment(Service):
    """Reacts to what starts and stops orchestrated payments (`workflow.REACTIONS`)."""

    name = "payment"
    migrations = MIGRATIONS

    def prepare(self, context: CellContext) -> None:
        """Know which payments have a saga, which are paused, which versions there are, and who may steer them."""
        self._store = SagaStore(context.session)
        self._versions = sorted(workflows_of(context))
        self._pauses: Pauses | None = context.resources.get("pauses")
        self._turn: datetime | None = None
        self._begun: set[str] = set()  # in that turn
        self._rules = OperatorRules(context.settings.operators.names, context.settings.operators.four_eyes)

    def _started(self, message: Started, turn: Turn) -> None:
        """No payment under way needs a version that is not here, or the system would not have started."""
        self._store.note_versions(self._versions)

    def _start(self, command: StartSaga, turn: Turn) -> None:
        if turn.now is not self._turn:
            self._turn, self._begun = turn.now, set()
        self._begun.add(command.order.payment_id)
        turn.send(PREFIX + command.order.payment_id, command)

    def _cancel(self, command: CancelSaga, turn: Turn) -> None:
        turn.send(PREFIX + command.payment_id, command)

    def _steer(self, command: Any, turn: Turn) -> None:
        """An orchestrated payment's saga decides; a choreographed one is nobody's, and every service has its part.

        An orchestrated one that has not begun, since what starts it is on its way from another cell, looks the same.
        """
        payment_id, by, reason = command.payment_id, command.by, command.reason
        action = _ACTIONS[type(command)]
        asks = turn.envelope.sender
        error = self._rules.why_not_directly(action, by, asks)
        if error:
            turn.answer(SteeringRefused(payment_id=payment_id, action=action, error=error))
        elif self._has_saga(payment_id, turn):
            argument = getattr(command, _ARGUMENTS.get(action, ""), "")
            steer = SteerSaga(payment_id=payment_id, action=action, argument=argument, by=by, reason=reason, asks=asks)
            turn.send(PREFIX + payment_id, steer)
        elif action in _ORCHESTRATED_ALONE:
            error = _ORCHESTRATED_ALONE[action].format(payment_id)
            turn.answer(SteeringRefused(payment_id=payment_id, action=action, error=error))
        else:
            done = self._done(action, payment_id)
            if action != PAUSE or not self._paused(payment_id):
                self._note(action, command, turn)
                turn.publish(_EVENTS[action](payment_id=payment_id, by=by, reason=reason), flow=CHOREOGRAPHED)
            turn.answer(SagaSteered(payment_id=payment_id, action=action, done=done))

    def _paused(self, payment_id: str) -> str:
        """Since when, by whom and why a payment without a saga is paused, or ""."""
        return self._pauses.before_it_began(payment_id) if self._pauses else ""

    def _done(self, action: str, payment_id: str) -> str:
        paused = self._paused(payment_id)
        if action == PAUSE and paused:
            return f"{payment_id} is paused already, {paused}"
        if action == RESUME and not paused and self._pauses:  # its event goes out: another cell may not know so
            return f"{payment_id} is not paused"
        return _DONE[action].format(payment_id)

    def _note(self, action: str, command: Any, turn: Turn) -> None:
        """What starts an orchestrated payment may come next, in this very turn, and has to find what was said."""
        if self._pauses is None:
            return
        if action == PAUSE:
            by, reason = command.by, command.reason
            self._pauses.put(PAYMENT, command.payment_id, turn, by=by, reason=reason, flow=CHOREOGRAPHED)
        elif action == RESUME:
            self._pauses.lift(PAYMENT, command.payment_id)

    def _has_saga(self, payment_id: str, turn: Turn) -> bool:
        """Whether it has begun: a saga's row is written at the end of its first turn."""
        return (turn.now is self._turn and payment_id in self._begun) or self._store.exists(payment_id)

    handlers: ClassVar[Any] = {StartSaga: _start, CancelSaga: _cancel, Started: _started} | dict.fromkeys(
        (PauseSaga, ResumeSaga, RetrySaga, RestartSaga, MigrateSaga), _steer
    )


NO_STEPS = (
    "{} is choreographed: nobody knows its steps, so none can be started from; retry has every service try again what"
    " it could not do, directory replay gives one what it missed"
)
NO_VERSIONS = (
    "{} is choreographed: its order of steps is nobody's, so it has no versions; it goes on as the services react"
)
_ORCHESTRATED_ALONE = {RESTART: NO_STEPS, MIGRATE: NO_VERSIONS}
_ACTIONS: dict[type[Message], str] = {
    PauseSaga: PAUSE, ResumeSaga: RESUME, RetrySaga: RETRY, RestartSaga: RESTART, MigrateSaga: MIGRATE,
}  # fmt: skip
_ARGUMENTS = {RESTART: "step", MIGRATE: "to"}
_EVENTS: dict[str, Callable[..., Event]] = {PAUSE: PaymentPaused, RESUME: PaymentResumed, RETRY: PaymentRetried}
_DONE = {
    PAUSE: "{} is paused: services put what they would do for it aside, a cancellation too",
    RESUME: "{} goes on: services take up what they have put aside",
    RETRY: "{}: what services could not do is tried again at once, and the bank is asked",
}
