"""A workflow played as a script: expect a command, give an answer. No actors, no clock, no store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from actors.messaging.message import Message
from actors.messaging.system_messages import Failed
from actors.payment.definition import Timer, Workflow
from actors.payment.engine import advance, start
from actors.payment.messages import CancelSaga
from actors.payment.model import Decision
from actors.vocabulary.money import Money
from actors.vocabulary.order import Creditor, PaymentOrder

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def an_order(payment_id: str = "P1-00", workflow: str = "debit-first", **changes: Any) -> PaymentOrder:
    """An order for 12.50 EUR."""
    values: dict[str, Any] = {
        "payment_id": payment_id,
        "idempotency_key": "key-1",
        "debtor_account": "ACC-1",
        "creditor": Creditor(name="Jane Roe", account="CRED-1", country="NL", date_of_birth="1980-02-29"),
        "amount": Money(1250, "EUR"),
        "end_to_end_id": "E2E-1",
        "uetr": "00000000-0000-4000-8000-000000000001",
        "remittance": "invoice 1",
        "flow": "orchestrated",
        "workflow": workflow,
        "workflow_version": 1,
        "batch_id": None,
        "created_at": NOW,
    }
    return PaymentOrder(**(values | changes))


class WorkflowScript:
    """Plays one payment through a workflow; every command sent must be expected, in order."""

    def __init__(self, workflow: Workflow, order: PaymentOrder) -> None:
        self.route = workflow.route(order)
        self.now = NOW
        self.timers: dict[str, Timer] = {}  # each with the moment it is due
        self.waits: list[timedelta] = []  # every timer set
        self.unanswered: list[tuple[str, Message]] = []
        self.events: list[Any] = []
        self._take(start(self.route, order, self.now))

    def expect(self, command: type[Message], *, to: str, **facts: Any) -> Expected:
        """The next command sent is of this class, goes there, and carries these facts."""
        assert self.unanswered, f"no {command.__name__} was sent; published: {self.published}"
        target, sent = self.unanswered.pop(0)
        assert isinstance(sent, command), f"{type(sent).__name__} was sent to {target}, not {command.__name__}"
        assert target == to
        assert facts == {name: getattr(sent, name) for name in facts}
        return Expected(self, sent)

    def hears(self, message: Message) -> WorkflowScript:
        """A message comes that answers no command in hand (a wish, an expiry, a late answer)."""
        self._take(advance(self.route, self.state, message, self.now))
        return self

    def is_cancelled_by_a_person(self, reason: str = "wrong amount") -> WorkflowScript:
        """Somebody wants it stopped."""
        return self.hears(CancelSaga(payment_id=self.state.order.payment_id, reason=reason))

    @property
    def timer(self) -> Any:
        """The timer that fires next, or None."""
        return min(self.timers.values(), key=lambda timer: timer[0], default=None)

    def time_passes(self) -> WorkflowScript:
        """The saga's next timer fires."""
        assert self.timers, "no timer is set"
        self.now, tick, key = self.timer
        del self.timers[key]
        return self.hears(tick)

    def sends_nothing(self) -> WorkflowScript:
        """No command waits to be expected."""
        assert self.unanswered == []
        return self

    def publishes(self, event: type[Message], **facts: Any) -> WorkflowScript:
        """The last event published is of this class and carries these facts."""
        assert self.events, f"no {event.__name__} was published"
        last = self.events[-1]
        assert isinstance(last, event), f"{type(last).__name__} was published, not {event.__name__}"
        assert facts == {name: getattr(last, name) for name in facts}
        return self

    def publishes_nothing(self) -> WorkflowScript:
        """Nobody was told anything yet."""
        assert self.published == []
        return self

    def needs_attention(self, reason: str | None = None, words: str = "") -> WorkflowScript:
        """The last word is that a person must look, for this reason."""
        last = self.events[-1] if self.events else None
        assert isinstance(last, Message), "nothing was published"
        assert last.progress == "needs_attention"
        return self._for(last, reason, words)

    def ends(self, status: str, reason: str | None = None, words: str = "") -> WorkflowScript:
        """Nothing is outstanding, no timer runs, and the last word is this status, for this reason."""
        self.sends_nothing()
        assert not self.timers, f"still set: {self.timers}"
        assert self.events, "nothing was published"
        assert self.events[-1].progress == status, f"published: {self.published}"
        return self._for(self.events[-1], reason, words)

    @property
    def published(self) -> list[str]:
        """The names of the events published so far."""
        return [type(event).__name__ for event in self.events]

    def _for(self, event: Any, reason: str | None, words: str) -> WorkflowScript:
        if reason is not None:
            assert event.reason.code == reason
        if words:
            assert words in event.reason.text, event.reason.text
        return self

    def _take(self, decision: Decision) -> None:
        self.state = decision.state
        self.unanswered.extend(decision.sends)
        self.events.extend(decision.events)
        for after, tick, key in decision.timers:
            self.timers.pop(key, None)
            if after is not None and tick is not None:
                due = after if isinstance(after, datetime) else self.now + after
                self.timers[key] = Timer(due, tick, key)
                self.waits.append(due - self.now)


class Expected:
    """A command that was sent as expected; now it is answered, or not."""

    def __init__(self, script: WorkflowScript, command: Message) -> None:
        self.script = script
        self.command: Any = command

    def reply(self, *answers: Message) -> WorkflowScript:
        """The receiver answers, once or more often."""
        for answer in answers:
            self.script.hears(answer)
        return self.script

    def times_out(self) -> WorkflowScript:
        """No answer comes to this try."""
        return self.script.time_passes()

    def never_answers(self) -> WorkflowScript:
        """No answer comes to this try, nor to any repetition of the very same command, until something else is done."""
        script = self.script
        for _ in range(50):
            script.time_passes()
            if not script.unanswered or script.unanswered[0][1] != self.command or script.events:
                return script
            script.unanswered.pop(0)
        raise AssertionError("it is repeated for ever")

    def fails(self, cause: str = "KeyError: 'x'") -> WorkflowScript:
        """The receiver could not handle it: it is in the dead letters."""
        name = type(self.command).__name__
        return self.script.hears(Failed(failed_message_id="m-1", failed_type=name, cause=cause))
