"""The PaymentSaga actor: one a payment. Loads the state, asks the engine, records the decision, carries it out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from actors.messaging.envelope import ORCHESTRATED
from actors.messaging.message import Message
from actors.messaging.system_messages import Failed, PaymentMigrated
from actors.payment.definition import Workflow
from actors.payment.engine import advance, start
from actors.payment.messages import (
    CancelSaga,
    SagaSteered,
    StartSaga,
    SteeringRefused,
    SteerSaga,
    StepTimedOut,
)
from actors.payment.migration import CannotMigrate, moved
from actors.payment.model import FORWARD, Decision, State
from actors.payment.steering import Refused, asked_by, late_timers, steer
from actors.payment.store import MIGRATIONS, SagaStore
from actors.payment.versions import ENDED, BadVersion, newest, version_in
from actors.payment.workflow import VOCABULARY, WORKFLOWS
from actors.runtime.pauses import Pauses
from actors.runtime.service import CellContext, Service, Turn
from actors.vocabulary.operators import MIGRATE
from actors.vocabulary.order import PaymentOrder

PREFIX = "payment/"
_NONE = timedelta()

Workflows = dict[tuple[str, int], Workflow]


class UnknownWorkflow(LookupError):
    """The payment started with an order of steps that this program does not have."""


class UnknownSaga(LookupError):
    """A message for a payment that no saga was started for."""


class PaymentSaga(Service):
    """Drives one payment; `payment/<id>`. What it knows between messages is its row, kept in memory."""

    name = PREFIX
    migrations = MIGRATIONS

    def prepare(self, context: CellContext) -> None:
        """Take the cell's session and its workflows, timeouts as configured."""
        self._store = SagaStore(context.session)
        self._workflows = workflows_of(context)
        self._pauses: Pauses | None = context.resources.get("pauses")
        self._state: State | None = None
        self._is_new = False

    def _start(self, command: StartSaga, turn: Turn) -> None:
        order = command.order
        if self._state is not None or self._store.load(order.payment_id) is not None:
            return  # started before
        self._route = self._workflow_of(order).route(order)
        self._is_new = True
        if self._pauses and (paused := self._pauses.before_it_began(order.payment_id)):
            self._state = State(order, FORWARD, 0, 1, paused=paused)
            self._store.put_aside(order.payment_id, turn.envelope._replace(message=command))
        else:
            self._carry_out(start(self._route, order, turn.now), turn)
        turn.keep(self)

    def _take(self, message: Message, turn: Turn) -> None:
        state = self._state or self._load(turn.envelope.target)
        if state.paused:
            self._state = state
            self._store.put_aside(state.order.payment_id, turn.envelope._replace(message=message))
            return
        if self._pauses and self._pauses.active and self._clock_stands(state, message, turn):
            return
        decision = advance(self._route, state, message, turn.now)
        self._carry_out(decision, turn)
        if decision.state is not state:
            turn.keep(self)

    def _clock_stands(self, state: State, message: Message, turn: Turn) -> bool:
        """A service that somebody has paused can't answer: the time of its step begins again."""
        assert self._pauses is not None
        if not isinstance(message, StepTimedOut):
            return False
        asked = asked_by(self._route, state, message)
        if asked is None or not self._pauses.stands_still(asked[1].of.to):
            return False
        turn.timer(asked[0], asked[1].of.timeout, message)
        return True

    def _steer(self, command: SteerSaga, turn: Turn) -> None:
        """Do what a person wants of this payment, or say why not."""
        state = self._state or self._load(turn.envelope.target)
        order = state.order
        # A person knows of no flow; what comes of it belongs to the payment's.
        turn.take_up(turn.envelope._replace(flow=ORCHESTRATED, workflow=order.workflow))
        try:
            if command.action == MIGRATE:
                self._migrate(state, command, turn)
                return
            decision, done = steer(self._route, state, command, turn.now)
        except Refused as refusal:
            self._state = state
            refused = SteeringRefused(payment_id=order.payment_id, action=command.action, error=str(refusal))
            turn.answer(refused, command.asks)
            return
        self._carry_out(decision, turn)
        turn.answer(SagaSteered(payment_id=order.payment_id, action=command.action, done=done), command.asks)
        if state.paused and not decision.state.paused:
            self._take_what_came(turn)
        if decision.state is not state:
            turn.keep(self)

    def _migrate(self, state: State, command: SteerSaga, turn: Turn) -> None:
        """Go on under another version, from the same place.

        Raises:
            Refused: that is not safe where the payment stands.
        """
        order, payment_id = state.order, state.order.payment_id
        before = f"{order.workflow}@{order.workflow_version}"
        try:
            name, number = version_in(command.argument)
        except BadVersion as error:
            raise Refused(str(error)) from None
        workflow = self._workflows.get((name, number))
        if workflow is None:
            raise Refused(f"this program has no {command.argument[:60]}; workflow list shows what it has")
        if command.argument == before:
            said = f"{payment_id} runs {before} already"
            turn.answer(SagaSteered(payment_id=payment_id, action=MIGRATE, done=said), command.asks)
            return
        order = replace(order, workflow=name, workflow_version=number)
        route = workflow.route(order)
        try:
            after = moved(self._route, route, state)._replace(order=order)
        except CannotMigrate as refusal:
            raise Refused(f"{payment_id} {refusal}") from None
        self._route, self._state = route, after
        self._store.migrate(after)
        event = PaymentMigrated(
            payment_id=payment_id, workflow=name, version=number, before=before, by=command.by, reason=command.reason
        )  # fmt: skip
        turn.publish(event)
        said = f"{payment_id} runs {command.argument} from now on, from {route.steps[after.step].name}"
        turn.answer(SagaSteered(payment_id=payment_id, action=MIGRATE, done=said), command.asks)
        turn.keep(self)

    def _take_what_came(self, turn: Turn) -> None:
        """What has come while the payment was paused, as if it came now; its clocks have stood.

        A wish to cancel goes first: it was there before anything more is sent, so nothing may be sent that it forbids.
        """
        assert self._state is not None
        ticks = []
        came = self._store.take_up(self._state.order.payment_id)
        for envelope in sorted(came, key=lambda each: not isinstance(each.message, CancelSaga)):
            turn.take_up(envelope)
            if isinstance(envelope.message, StepTimedOut):
                ticks.append(envelope)
                continue
            self._carry_out(self._follow(envelope.message, turn), turn)
        for envelope in ticks:
            turn.take_up(envelope)
            late = late_timers(self._route, self._state, envelope.message)
            self._carry_out(Decision(self._state, (), late), turn)

    def _follow(self, message: Message, turn: Turn) -> Decision:
        """What comes of what was put aside: perhaps it had not even begun, and is stopped before it does."""
        assert self._state is not None
        if not isinstance(message, StartSaga):
            return advance(self._route, self._state, message, turn.now)
        if self._state.stopping:
            return Decision(self._state)
        return start(self._route, self._state.order, turn.now)

    def write_back(self, turn: Turn) -> None:
        """Store where the saga stands, once for all that happened to it in a turn."""
        assert self._state is not None
        if self._is_new:
            self._store.begin(self._state)
            self._is_new = False
        else:
            self._store.save(self._state)

    def _carry_out(self, decision: Decision, turn: Turn) -> None:
        state, sends, timers, events = decision
        self._state = state
        for target, command in sends:
            turn.send(target, command)
        for after, tick, key in timers:
            if after is None or tick is None:
                turn.cancel_timer(key)
            else:
                turn.timer(key, after if isinstance(after, timedelta) else max(after - turn.now, _NONE), tick)
        for event in events:
            turn.publish(event)

    def _load(self, name: str) -> State:
        payment_id = name.removeprefix(PREFIX)
        state = self._store.load(payment_id)
        if state is None:
            raise UnknownSaga(f"no saga was started for payment {payment_id}")
        self._route = self._workflow_of(state.order, ended=state.phase in ENDED).route(state.order)
        return state

    def _workflow_of(self, order: PaymentOrder, *, ended: bool = False) -> Workflow:
        workflow = self._workflows.get((order.workflow, order.workflow_version))
        if workflow is None and ended:  # what comes late is the same in every version
            workflow = newest(self._workflows.values(), order.workflow)
        if workflow is None:
            raise UnknownWorkflow(
                f"payment {order.payment_id} runs {order.workflow} version {order.workflow_version},"
                " which this program does not have: start the one that does"
            )
        return workflow

    handlers = dict.fromkeys((*VOCABULARY, CancelSaga, StepTimedOut, Failed), _take) | {
        StartSaga: _start,
        SteerSaga: _steer,
    }


def workflows_of(context: CellContext) -> Workflows:
    """The cell's workflows: the shipped ones, their timeouts multiplied as configured, made once a cell."""
    made: Workflows | None = context.resources.get("payment.workflows")
    if made is None:
        factor = context.settings.payment.timeout_factor
        made = {key: workflow.scaled(factor) for key, workflow in WORKFLOWS.items()}
        context.resources["payment.workflows"] = made
    return made
