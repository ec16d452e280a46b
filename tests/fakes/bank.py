"""The whole system in one real cell without processes: accounts, payments, a rail, a clock that can be set forward.

A `Bank` is one flow and one order of steps; leaving its `with` block checks what must always hold.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Self

import pytest
import structlog

from actors import assembly
from actors.aml.messages import DecideReview
from actors.approval.messages import DecideApproval
from actors.directory import log
from actors.disbursement.messages import CancelPayment, PaymentAccepted, RefundPayment, SubmitPayment
from actors.disbursement.store import order_in
from actors.execution.messages import RailAnswered, SettleExecution
from actors.execution.simulated_rail import SimulatedRail, journal_path
from actors.execution.worker import RailWorker
from actors.ledger.messages import CloseAccount, DepositMoney, OpenAccount
from actors.messaging.message import Message
from actors.messaging.system_messages import DeadLettersDone, KillActor, RetryDeadLetters
from actors.runtime.clock import SystemClock
from actors.runtime.core import Hosting
from actors.runtime.service import Answer, Handed, Record, Service, Turn
from actors.vocabulary.money import Money
from actors.vocabulary.order import PaymentOrder
from actors.vocabulary.reason import Reason
from config.settings import Settings
from tests.fakes import invariants
from tests.fakes.one_cell import OneCell

CELL = "cell-0"
DEBTOR, DEPOSIT = "ACC-1", 1_000_000
GOOD, BLOCKED, DOUBTFUL = "Greta Beispiel", "Viktor Blockov", "V. Blockov"
WATCHLIST = """entry_id,name,aliases,kind,country,date_of_birth,programme
S-0001,Viktor Blockov,"Blockov, Viktor Samplevich",person,RU,1966-04-12,SAMPLE-ARMS
"""


class Way(NamedTuple):
    """How payments are made: the flow, and the order of steps."""

    flow: str
    order: str

    def __str__(self) -> str:
        return f"{self.flow}, {self.order}"


WAYS = [Way(flow, order) for flow in ("choreographed", "orchestrated") for order in ("debit-first", "screen-first")]
every_way = pytest.mark.parametrize("way", WAYS, ids=str)


class JumpingClock:
    """The system's clock, and as far ahead of it as the test says."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._ahead = timedelta()

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._clock.now() + self._ahead

    def jump(self, by: timedelta) -> None:
        """Be so much later."""
        self._ahead += by


class Faults:
    """What is wrong with the services' handlers: `fail` makes one raise, `ignore` makes it drop its messages."""

    def __init__(self) -> None:
        self._wrong: dict[tuple[str, str], str] = {}

    def fail(self, service: str, message: type[Message]) -> None:
        """Its handler raises."""
        self._wrong[service, message.__name__] = "fail"

    def ignore(self, service: str, message: type[Message]) -> None:
        """It is dropped, as if it had been lost."""
        self._wrong[service, message.__name__] = "ignore"

    def mend(self) -> None:
        """All is well again."""
        self._wrong.clear()

    def breakable(self, service: type[Service]) -> type[Service]:
        """The same service, whose handlers look here first."""
        handlers = {kind: self._wrapped(service.name, kind, handler) for kind, handler in service.handlers.items()}
        return type(service.__name__, (service,), {"handlers": handlers})

    def _wrapped(self, service: str, kind: type[Message], handler: Any) -> Any:
        name = (service, kind.__name__)

        def handle(actor: Any, message: Message, turn: Turn) -> None:
            wrong = self._wrong.get(name)
            if wrong == "fail":
                raise RuntimeError(f"{service} can't take {kind.__name__} just now")
            if wrong is None:
                handler(actor, message, turn)

        return handle


class WatchedRailWorker(RailWorker):
    """One that says whether it is at work: what it does is in the rail's journal before anybody hears of it."""

    at_work = False

    def perform(self, tasks: list[Handed]) -> None:
        """See `Worker.perform`."""
        self.at_work = True
        try:
            super().perform(tasks)
        finally:
            self.at_work = False


class Bank:
    """One cell with everything in it. `settings` are sections as `Settings` takes them."""

    def __init__(self, data: Path, way: Way, **settings: Any) -> None:
        self.data = data
        self.way = way
        self.clock = JumpingClock()
        self.faults = Faults()
        self.without: set[tuple[str, str]] = set()  # reactions taken out of the code: service and event
        self.expected_letters = 0
        self._keys = 0
        # Handlers that fail on purpose would fill the screen, and slowly.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        watchlist = data / "watchlist.csv"
        watchlist.write_text(WATCHLIST)
        sections: dict[str, Any] = {
            "disbursement": {"flow": way.flow, "workflow": way.order},
            "store": {"synchronous": "OFF", "cache_mb": 4},
            "aml": {"watchlists": (str(watchlist),)},
            "execution": {"delay_ms": (0, 0)},
            "notification": {"transport": "none"},
            "replication": {"enabled": False},
            "runtime": {"seed": 7, "immediate_retries": 1, "delayed_retries": 2},
        }
        for section, values in settings.items():
            sections[section] = sections.get(section, {}) | values
        self._sections = sections
        self.cell = OneCell(data, self._hosting, self._settings(), self.clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.rest()
                invariants.check(self.cell, self.expected_letters)
        finally:
            self.cell.close()
            structlog.reset_defaults()

    # -- what a client does

    def open_account(self, account_id: str = DEBTOR, deposit: int = DEPOSIT, currency: str = "EUR", **more: Any) -> str:
        """An account with money on it."""
        self.cell.tell("ledger", OpenAccount(account_id=account_id, currency=currency, deposit=deposit, **more))
        return account_id

    def order(self, creditor_account: str = "TEST-OK", name: str = GOOD, amount: int = 1_000, **more: Any) -> Any:
        """An order under a new key."""
        self._keys += 1
        given: dict[str, Any] = {"debtor_account": DEBTOR, "idempotency_key": f"K-{self._keys}"} | more
        money = Money(amount, given.pop("currency", "EUR"))
        return SubmitPayment(creditor_name=name, creditor_account=creditor_account, amount=money, **given)

    def pay(self, creditor_account: str = "TEST-OK", name: str = GOOD, amount: int = 1_000, **more: Any) -> str:
        """Order a payment; the id it was accepted under."""
        answer = self.cell.tell("disbursement", self.order(creditor_account, name, amount, **more))
        assert isinstance(answer, PaymentAccepted), answer
        return answer.payment_id

    def pay_all(self, orders: Iterable[SubmitPayment]) -> list[str]:
        """Order many payments; their ids, in order."""
        sent = self.cell.post_many([("disbursement", order) for order in orders])
        wanted, ids = set(sent), dict.fromkeys(sent, "")

        def replied() -> bool:
            for reply in self.cell.replies:
                if reply.causation_id in wanted and isinstance(reply.message, PaymentAccepted):
                    ids[reply.causation_id] = reply.message.payment_id
            return all(ids.values())

        self.cell.until(replied)
        return list(ids.values())

    def refund(self, payment_id: str, amount: int | None = None, **more: Any) -> str:
        """Ask for the payment's money back, in its currency; the id that the refund was accepted under."""
        self._keys += 1
        given: dict[str, Any] = {"idempotency_key": f"K-{self._keys}", "reason": "the goods came back"} | more
        money = None if amount is None else Money(amount, self.order_of(payment_id).amount.currency)
        command = RefundPayment(refund_of=payment_id, amount=money, **given)
        answer = self.cell.tell("disbursement", command)
        assert isinstance(answer, PaymentAccepted), answer
        return answer.payment_id

    def cancel(self, payment_id: str) -> Message:
        """A person's wish to stop it."""
        return self.cell.tell("disbursement", CancelPayment(payment_id=payment_id, reason="the order was a mistake"),
                              payment_id=payment_id)  # fmt: skip

    def settle(self, payment_id: str, *, executed: bool) -> Message:
        """A person's evidence for a payment in doubt."""
        command = SettleExecution(payment_id=payment_id, executed=executed, reason="the bank said so on the phone")
        return self.cell.tell("execution", command, payment_id=payment_id)

    def decide(self, payment_id: str, decision: str) -> Message:
        """A person's decision about the payment's case."""
        command = DecideReview(case_id=self.case(payment_id), decision=decision, reason="looked at the passport")
        return self.cell.tell("aml", command, payment_id=payment_id)

    def approve(self, payment_id: str, by: str, *, yes: bool = True) -> Message:
        """A person's word on a payment that waits for approval."""
        command = DecideApproval(approval_id=payment_id, by=by, approve=yes, reason="looked at the receipt")
        return self.cell.tell("approval", command, payment_id=payment_id)

    def deposit(self, account_id: str, amount: int) -> Message:
        """Money from outside."""
        self._keys += 1
        money = Money(amount, "EUR")
        return self.cell.tell("ledger", DepositMoney(deposit_id=f"D-{self._keys}", account_id=account_id, amount=money))

    def close_account(self, account_id: str) -> Message:
        """Close it, if it is empty."""
        return self.cell.tell("ledger", CloseAccount(account_id=account_id))

    def kill(self, actor: str) -> Message:
        """End an actor at once."""
        return self.cell.tell("actors", KillActor(name=actor))

    def retry_dead_letters(self) -> int:
        """Have all of them delivered again; how many there were."""
        answer = self.cell.tell("dead-letters", RetryDeadLetters())
        assert isinstance(answer, DeadLettersDone)
        return answer.count

    # -- time

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and everything that falls due in it happen at its moment."""
        end = self.clock.now() + timedelta(seconds=seconds)
        self.rest()
        while (due := self._next_due()) is not None and due < end:
            self._jump_to(due)
        self._jump_to(end)

    def _jump_to(self, moment: datetime) -> None:
        self.clock.jump(max(timedelta(), moment - self.clock.now()))
        self.wake()
        self.rest()

    def wake(self) -> None:
        """The clock has jumped: nobody waits for a moment that is past."""
        self.cell.core._ring()
        for worker in self.cell.core._outboxes.workers.values():
            worker.hand([])

    def rest(self) -> None:
        """Run until nobody has anything to do before some time has passed."""
        self.cell.until(self._resting)

    def until_status(self, payment_id: str, *statuses: str) -> str:
        """Run until the payment has one of these statuses."""
        self.cell.until(lambda: self.status(payment_id) in statuses)
        return self.status(payment_id)

    def crash(self, *, down_for: float = 0, **settings: Any) -> None:
        """End the cell as `kill -9` would and start it again, perhaps with other settings."""
        self.clock.jump(timedelta(seconds=down_for))
        for section, values in settings.items():
            self._sections[section] = self._sections.get(section, {}) | values
        self.cell.settings = self._settings()
        self.cell.crash()

    # -- what can be seen

    def status(self, payment_id: str) -> str:
        """What the tracker says, or ""."""
        rows = self.cell.ask("SELECT status FROM tracker_payments WHERE payment_id = ?", payment_id)
        return str(rows[0][0]) if rows else ""

    def reason(self, payment_id: str) -> tuple[str, str]:
        """The reason that is shown: code and words."""
        rows = self.cell.ask("SELECT reason, reason_text FROM tracker_payments WHERE payment_id = ?", payment_id)
        return rows[0][0] or "", rows[0][1]

    def balance(self, account_id: str = DEBTOR) -> tuple[int, int]:
        """Posted and pending, in minor units; zero for an account that is not there."""
        rows = self.cell.ask("SELECT posted, pending FROM accounts WHERE account_id = ?", account_id)
        return tuple(rows[0]) if rows else (0, 0)

    def balances(self) -> dict[str, tuple[int, int]]:
        """Every account that holds or held anything."""
        rows = self.cell.ask("SELECT account_id, posted, pending FROM accounts")
        return {name: (posted, pending) for name, posted, pending in rows}

    def postings(self) -> Counter[tuple[str, str, int, str]]:
        """All postings but their moments and references: account, kind, amount, currency."""
        return Counter(tuple(row) for row in self.cell.ask("SELECT account_id, kind, amount, currency FROM postings"))

    def postings_by_key(self) -> Counter[tuple[str, str, str, int, str]]:
        """The payments' postings, with the idempotency key in the place of what the flow or chance made."""
        keys = dict(self.cell.ask("SELECT payment_id, idempotency_key FROM claims"))
        rows = self.cell.ask("SELECT reference, account_id, kind, amount, currency FROM postings")
        return Counter((keys.get(row[0].partition("/")[0], row[0]), *row[1:]) for row in rows)

    def statuses(self) -> dict[str, str]:
        """Every payment's status by its idempotency key."""
        return dict(self.cell.ask("SELECT idempotency_key, status FROM tracker_payments"))

    def debit(self, payment_id: str) -> str:
        """The state of the payment's debit, or ""."""
        rows = self.cell.ask("SELECT state FROM debits WHERE debit_id = ?", payment_id)
        return str(rows[0][0]) if rows else ""

    def credit(self, refund_id: str) -> str:
        """The state of the refund's credit, or ""."""
        rows = self.cell.ask("SELECT state FROM credits WHERE credit_id = ?", refund_id)
        return str(rows[0][0]) if rows else ""

    def gate(self, payment_id: str) -> str:
        """The state of the payment's instruction, or ""."""
        rows = self.cell.ask("SELECT state FROM executions WHERE payment_id = ?", payment_id)
        return str(rows[0][0]) if rows else ""

    def case(self, payment_id: str) -> str:
        """The id of the payment's case, or ""."""
        rows = self.cell.ask("SELECT case_id FROM aml_cases WHERE payment_id = ?", payment_id)
        return str(rows[0][0]) if rows else ""

    def case_status(self, payment_id: str) -> str:
        """Whether the case is open, cleared, blocked or closed."""
        rows = self.cell.ask("SELECT status FROM aml_cases WHERE payment_id = ?", payment_id)
        return str(rows[0][0]) if rows else ""

    def journal(self, payment_id: str) -> tuple[str, int, bool] | None:
        """What the rail knows of the payment: state, submissions, whether it executed; None where nothing."""
        found = [row[1:] for row in invariants.journal(self.data) if row[0] == payment_id]
        assert len(found) <= 1, found
        return found[0] if found else None

    def timeline(self, payment_id: str) -> list[Record]:
        """The payment's lines of the log."""
        session = self.cell.core._session
        session.begin()
        records = log.timeline(session, payment_id)
        session.roll_back()
        return records

    def story(self, payment_id: str) -> list[str]:
        """The names of the payment's messages in order."""
        return [type(record.envelope.message).__name__ for record in self.timeline(payment_id)]

    def letters(self) -> list[Any]:
        """Dead letters: actor, message type, cause."""
        return self.cell.ask("SELECT actor, type, cause FROM dead_letters ORDER BY at, id")

    # -- inside

    def post(self, service: str, command: Message, payment_id: str) -> Message:
        """A command that reaches a service late or twice, answered to the test."""
        return self.cell.tell(service, command, payment_id=payment_id)

    def order_of(self, payment_id: str) -> PaymentOrder:
        """The order as accepted."""
        rows = self.cell.ask("SELECT start FROM orders WHERE payment_id = ?", payment_id)
        return order_in(rows[0][0])

    def key_of(self, payment_id: str) -> str:
        """The key of the payment's order."""
        return str(self.cell.ask("SELECT idempotency_key FROM claims WHERE payment_id = ?", payment_id)[0][0])

    def rail_says(self, payment_id: str, verdict: str, code: str = "", return_id: str = "") -> None:
        """The rail speaks of a payment's instruction, whatever its journal says."""
        reason = Reason(code, "so says the bank") if code else None
        said = RailAnswered(instruction_id=payment_id, verdict=verdict, reason=reason, return_id=return_id)
        self.cell.core.answered("rail", [Answer("execution", payment_id, (said,))])
        self.rest()

    def _settings(self) -> Settings:
        return Settings(data=str(self.data), **self._sections)

    def _hosting(self) -> Hosting:
        settings = self._settings()
        hosting = assembly.hosting(settings, CELL)
        rail = SimulatedRail(
            journal_path(self.data, CELL), settings.execution.delay_ms, self.clock.now, Random(7), synchronous="OFF"
        )
        workers = [worker for worker in hosting.workers if worker.outbox != "rail"]
        self._rails = [WatchedRailWorker(rail, self.clock.now, Random(7))]
        return replace(
            hosting,
            services=tuple(self.faults.breakable(service) for service in hosting.services),
            families=tuple((prefix, self.faults.breakable(cls), parent) for prefix, cls, parent in hosting.families),
            reactions={
                name: {
                    order: tuple(on for on in ons if (name, on.event.__name__) not in self.without)
                    for order, ons in orders.items()
                }
                for name, orders in hosting.reactions.items()
            },
            workers=(*workers, *self._rails),
        )

    def _resting(self) -> bool:
        """In this order: what was due is at work, and what was at work has said what came of it."""
        core = self.cell.core
        due = self._next_due()
        at_work = any(worker.at_work for worker in self._rails)
        report = core.report()
        busy = report["mailbox"] or report["waiting_frames"] or any(report["outboxes"].values()) or report["lagging"]
        if busy or at_work or (due is not None and due <= self.clock.now()):
            self.wake()
            return False
        return True

    def _next_due(self) -> datetime | None:
        core, now = self.cell.core, self.clock.now()
        dues = [core._timers.next_due, core._retries.next_due]
        dues += [thread._worker.due(now) for thread in core._outboxes.workers.values()]
        return min((due for due in dues if due is not None), default=None)


def one_word_is_believed(bank: Bank, payment_id: str) -> str:
    """Everything that must hold of the payment in the end, whichever word was heard first; which one that was.

    The bank has paid, once. Either that is what was heard first: it is booked, once, and nobody need look. Or its
    rejection was: the money is back, nothing is booked, and a person is told that the bank says otherwise now.
    """
    bank.until_status(payment_id, "completed", "needs_attention")
    bank.rest()
    believed, told = bank.gate(payment_id), bank.story(payment_id)
    state, _, executed = bank.journal(payment_id) or ("", 0, False)
    assert (state, executed) == ("executed", True)
    lines = [line for line in bank.postings_by_key() if line[0] == bank.key_of(payment_id)]
    if believed == "executed":
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("completed", "posted")
        assert len(lines) == 2
        assert "ExecutionContradicted" not in told
    else:
        assert believed == "rejected"
        assert (bank.status(payment_id), bank.debit(payment_id)) == ("needs_attention", "voided")
        assert lines == []
        assert told.count("ExecutionContradicted") == 1
    return believed
