"""Operations: keeps jobs of people over payments, and works their items off, a bounded number a tick."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from actors.messaging.codec import micros
from actors.messaging.message import Message
from actors.messaging.system_messages import Failed
from actors.operations import model
from actors.operations.asks import ANSWERS, ASKS, failed
from actors.operations.messages import (
    AddItems,
    ApproveJob,
    CancelJob,
    DenyJob,
    EndItem,
    JobRefused,
    JobStanding,
    PauseJob,
    ResumeJob,
    RunJob,
    StartJob,
    WorkOff,
)
from actors.operations.model import Heard, Job
from actors.operations.store import MIGRATIONS, Asked, Change, OperationsStore
from actors.runtime.service import CellContext, Service, Started, Turn
from actors.vocabulary.operators import SETTLE, OperatorRules
from actors.vocabulary.slots import BadId, slot_in

_TIMER: Final = "work"
_MICROSECOND: Final = timedelta(microseconds=1)


class Operations(Service):
    """Each cell has the items of its own payments; what a turn does to them is written once, at its end."""

    name = "operations"
    migrations = MIGRATIONS

    def prepare(self, context: CellContext) -> None:
        """Make the store; which items are asked is read when it is first needed."""
        settings = context.settings.operators
        self._store = OperationsStore(context.session)
        self._rules = OperatorRules(settings.names, settings.four_eyes)
        self._per_second = settings.items_per_second
        self._pause = model.pause(settings.items_per_second)
        self._known: dict[str, list[Asked]] | None = None
        self._changes: dict[tuple[str, str], Change] = {}
        self._worked_at: datetime | None = None

    # What people say about jobs

    def start(self, command: StartJob, turn: Turn) -> None:
        """Open a job, if it is one."""
        try:
            model.check(command.action, command.argument, command.by, command.reason, self._rules, tuple(ASKS))
        except model.Refused as refusal:
            turn.answer(JobRefused(job_id=command.job_id, error=str(refusal)))
            return
        job = Job(
            job_id=command.job_id, action=command.action, argument=command.argument, by=command.by,
            reason=command.reason, query=command.query, total=command.total, items=0, state=model.OPEN,
            approved_by="", position="",
        )  # fmt: skip
        self._store.open(job, micros(turn.now))
        self._say(command.job_id, turn)

    def add(self, command: AddItems, turn: Turn) -> None:
        """Take a chunk of payments."""
        job = self._store.job(command.job_id)
        if job is None:
            self._refuse_unknown(command.job_id, turn)
        elif wrong := next((each for each in command.payment_ids if not _is_id(each)), None):
            turn.answer(JobRefused(job_id=job.job_id, error=f"there is no payment {wrong[:40]!r}"))
        else:
            try:
                self._take(job, command.payment_ids, turn)
            except model.Refused as refusal:
                turn.answer(JobRefused(job_id=job.job_id, error=str(refusal)))

    def _take(self, job: Job, payment_ids: tuple[str, ...], turn: Turn) -> None:
        """Keep them with the job; a repeat, of which all have come, changes nothing.

        Raises:
            Refused: the job takes no more, or somebody else says the opposite of one of them.
        """
        if job.state == model.OPEN:
            self._must_not_contradict(job, payment_ids)
            self._store.add(job.job_id, payment_ids, micros(turn.now))
        else:
            named = set(payment_ids)
            model.takes_more(job, self._store.number_of(job.job_id, named), len(named))
        self._say(job.job_id, turn)

    def _must_not_contradict(self, job: Job, payment_ids: Iterable[str] | None = None) -> None:
        """Who says the opposite of what another job is to say of a payment (of all of the job's) hears so when asking.

        Raises:
            Refused: with the sentence.
        """
        for other in self._store.opposing(job) if job.action == SETTLE else ():
            named = self._store.waiting(job.job_id) if payment_ids is None else payment_ids
            if payment_id := self._store.first_waiting(other.job_id, named):
                raise model.says_otherwise(job, other, payment_id)

    def run(self, command: RunJob, turn: Turn) -> None:
        """Begin; or wait for a second person."""
        self._move(command.job_id, turn, lambda job: self._begun(job, command.items))

    def _begun(self, job: Job, items: int) -> str:
        state = model.begun(job, items, self._rules)
        if job.state == model.OPEN:  # two may have been handed over side by side
            self._must_not_contradict(job)
        return state

    def pause(self, command: PauseJob, turn: Turn) -> None:
        """Take on no more."""
        self._decide(command, model.PAUSED, turn)

    def resume(self, command: ResumeJob, turn: Turn) -> None:
        """Go on."""
        self._decide(command, model.RUNNING, turn)

    def cancel(self, command: CancelJob, turn: Turn) -> None:
        """Never begin what has not begun."""
        self._decide(command, model.CANCELLED, turn)

    def deny(self, command: DenyJob, turn: Turn) -> None:
        """A second person says no."""
        self._decide(command, model.DENIED, turn)

    def approve(self, command: ApproveJob, turn: Turn) -> None:
        """A second person agrees."""
        by = command.by
        self._move(
            command.job_id, turn, lambda job: model.approved(job, by, self._rules),
            by=by, reason=command.reason, approved_by=by,
        )  # fmt: skip

    def _decide(self, command: PauseJob | ResumeJob | CancelJob | DenyJob, wanted: str, turn: Turn) -> None:
        by = command.by
        self._move(
            command.job_id, turn, lambda job: model.moved(job, wanted, by, self._rules), by=by, reason=command.reason
        )

    def _move(
        self, job_id: str, turn: Turn, after: Any, *, by: str = "", reason: str = "", approved_by: str = ""
    ) -> None:
        job = self._store.job(job_id)
        if job is None:
            self._refuse_unknown(job_id, turn)
            return
        try:
            state = after(job)
        except model.Refused as refusal:
            turn.answer(JobRefused(job_id=job_id, error=str(refusal)))
            return
        if state != job.state:
            self._store.move(job_id, state, micros(turn.now), by=by, reason=reason, approved_by=approved_by)
        if state == model.RUNNING:  # said again, it helps where a tick is in the dead letters
            turn.timer(_TIMER, timedelta(0), WorkOff())
        self._say(job_id, turn)

    def _say(self, job_id: str, turn: Turn) -> None:
        job = self._store.job(job_id)
        assert job is not None
        turn.answer(JobStanding(job_id=job_id, state=job.state, items=job.items))

    def _refuse_unknown(self, job_id: str, turn: Turn) -> None:
        error = f"there is no job {job_id[:40]}; see jobs list"
        turn.answer(JobRefused(job_id=job_id, error=error, unknown=True))

    # Working items off

    def work(self, tick: WorkOff, turn: Turn) -> None:
        """Take on the next items of every running job, each its share; give up waiting for what nobody answers."""
        self._stop_waiting(turn)
        jobs = self._store.running()
        since = model.TICK if self._worked_at is None else turn.now - self._worked_at
        self._worked_at = turn.now
        room = model.portion(self._per_second, since, sum(map(len, self._asked.values())))
        share = -(-room // len(jobs)) if jobs else 0
        for job in jobs:
            self._take_on(job, share, turn)
        if jobs or self._asked:
            turn.timer(_TIMER, self._pause, WorkOff())

    def _take_on(self, job: Job, share: int, turn: Turn) -> None:
        payments = self._store.next_items(job, share) if share else []
        ask = ASKS[job.action]
        now = micros(turn.now)
        for payment_id in payments:
            self._asked.setdefault(payment_id, []).append(Asked(job.job_id, job.action, payment_id, now))
            self._change(job.job_id, payment_id, model.WAITING, model.ASKED, "", turn)
            turn.send(ask.to, ask.command(payment_id, job), slot=slot_in(payment_id), payment_id=payment_id)
        if payments:
            self._store.advance(job.job_id, payments[-1])
        elif share and not any(each.job_id == job.job_id for asked in self._asked.values() for each in asked):
            self._store.move(job.job_id, model.DONE, now)

    def _stop_waiting(self, turn: Turn) -> None:
        before = micros(turn.now - model.PATIENCE)
        text = f"no answer within {model.PATIENCE.total_seconds():g} s; look at the payment"
        for each in [each for asked in self._asked.values() for each in asked if each.at <= before]:
            self._forget(each.payment_id, each.job_id)
            self._change(each.job_id, each.payment_id, model.ASKED, model.UNANSWERED, text, turn)

    # What the services answer

    def hear(self, answer: Message, turn: Turn) -> None:
        """A service's answer is the result of the payment's items of that action."""
        self._hear(ANSWERS[type(answer)](answer), turn)

    def hear_failure(self, failure: Failed, turn: Turn) -> None:
        """What was asked for is in the dead letters."""
        self._hear(failed(turn.envelope.payment_id, failure), turn)

    def end_item(self, command: EndItem, turn: Turn) -> None:
        """What had been taken on has ended."""
        self._hear(Heard(command.payment_id, command.action, command.state, command.text), turn)

    def _hear(self, heard: Heard, turn: Turn) -> None:
        payment_id, action, state, text = heard
        if state == model.ASKED:
            return  # it is under way; an event tells how it ends
        asked = [each for each in self._asked.get(payment_id, ()) if each.action == action]
        for each in asked:
            self._forget(payment_id, each.job_id)
            self._change(each.job_id, payment_id, model.ASKED, state, text, turn)
        if asked:
            return
        for job_id, of, before in self._store.late(payment_id):
            if of == action and before not in (state, model.ASKED):
                self._change(job_id, payment_id, before, state, text, turn)

    # What a turn has changed

    @property
    def _asked(self) -> dict[str, list[Asked]]:
        if self._known is None:
            self._known = {}
            for each in self._store.asked():
                self._known.setdefault(each.payment_id, []).append(each)
        return self._known

    def _forget(self, payment_id: str, job_id: str) -> None:
        left = [each for each in self._asked[payment_id] if each.job_id != job_id]
        if left:
            self._asked[payment_id] = left
        else:
            del self._asked[payment_id]

    def _change(self, job_id: str, payment_id: str, before: str, after: str, text: str, turn: Turn) -> None:
        key = (job_id, payment_id)
        first = self._changes.get(key)
        self._changes[key] = Change(first.before if first else before, after, text)
        self._now = micros(turn.now)
        turn.keep(self)

    def write_back(self, turn: Turn) -> None:
        """Write the items that this turn has changed."""
        changes, self._changes = self._changes, {}
        self._store.write(((*key, change) for key, change in changes.items()), self._now)

    def started(self, message: Started, turn: Turn) -> None:
        """Go on where the last commit was."""
        if message.downtime:
            self._store.prolong(message.downtime // _MICROSECOND)
        if self._store.running() or self._asked:
            turn.timer(_TIMER, self._pause, WorkOff())

    handlers: ClassVar[Any] = dict.fromkeys(ANSWERS, hear) | {
        StartJob: start,
        AddItems: add,
        RunJob: run,
        PauseJob: pause,
        ResumeJob: resume,
        CancelJob: cancel,
        ApproveJob: approve,
        DenyJob: deny,
        WorkOff: work,
        Failed: hear_failure,
        EndItem: end_item,
        Started: started,
    }


def _is_id(text: str) -> bool:
    try:
        slot_in(text)
    except BadId:
        return False
    return True
