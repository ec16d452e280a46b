"""One world: a seed makes cells, banks, clients, operators and all that goes wrong; the same seed, the same world.

Which cells there are and where a service keeps a payment is asked of `Places` alone.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from actors import assembly
from actors.aml.worker import WatchlistWorker
from actors.directory.queries import plain
from actors.disbursement.messages import OrderRefused, PaymentAccepted
from actors.execution.worker import RailWorker
from actors.ledger.messages import CloseAccount
from actors.messaging.message import Message
from actors.messaging.system_messages import ServicePaused
from actors.notification.worker import MailWorker, NotTaken
from actors.replication.replica import Replica, Unreachable
from actors.replication.worker import ReplicationWorker
from actors.runtime.clock import Clock
from actors.runtime.core import Hosting
from actors.runtime.service import Worker
from actors.simulation import ending, workflows
from actors.simulation.cells import SimulatedCell, Surroundings, Violation
from actors.simulation.clients import Clients, Request
from actors.simulation.clock import SECOND, Timeline, WallClock
from actors.simulation.disk import DiskReader
from actors.simulation.faults import Faults
from actors.simulation.invariants import Invariants, Rows
from actors.simulation.network import Network
from actors.simulation.operators import Operators
from actors.simulation.orders import Account, Order, OrderBook, accounts
from actors.simulation.people import People
from actors.simulation.poison import Poison
from actors.simulation.rail import Bank, Instructed, RailOnTheLine
from actors.store.placement import Placement, spread
from actors.topology import placed
from actors.vocabulary.slots import slot_in, slot_of
from config.settings import CONFIG, SAMPLES, Settings, read_settings

ORDERS_LAST: Final = 3 * SECOND  # orders come within so much time, faults a little longer
FAULTS_LAST: Final = 20 * SECOND
BURSTS: Final = (20, 150)  # orders that come together
LOOK: Final = SECOND
TIDY: Final = 4  # looks between two rounds of the operators
RESTARTS: Final = 30  # looks between two orderly restarts of all cells
PATIENCE: Final = 600 * SECOND  # after the last fault; then whoever has not ended never will
TRIES: Final = 6  # of one order that is answered with a failure
WATCHLIST: Final = str(SAMPLES / "watchlist-of-three.csv")  # a restart reads it anew
JUMP, LONGEST_JUMP = 90, 3_600  # seconds
POISONED: Final = (
    ("ledger", "DebitAccount"), ("ledger", "PostDebit"), ("ledger", "VoidDebit"), ("aml", "ScreenBeneficiary"),
    ("execution", "ExecutePayment"), ("execution", "RailAnswered"), ("execution", "QueryDue"),
    ("disbursement", "SubmitPayment"), ("disbursement", "StartPayment"), ("disbursement", "EndPayment"),
    ("payment", "StartSaga"), ("payment/", "AccountDebited"), ("payment/", "BeneficiaryCleared"),
    ("payment/", "PaymentExecuted"), ("payment/", "DebitPosted"), ("notification", "NotifyParties"),
    ("replication", "ReplicatePayment"), ("tracker", "Observed"), ("operations", "WorkOff"),
    ("operations", "CancellationTaken"),
)  # fmt: skip
DEADLY: Final = (
    ("ledger", "DebitAccount"), ("execution", "RailAnswered"), ("disbursement", "SubmitPayment"),
    ("disbursement", "StartPayment"), ("payment/", "PaymentExecuted"), ("execution", "QueryDue"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What a world is made of, beside its seed."""

    payments: int = 500
    flow: str | None = None
    cells: int = 3  # that share the accounts, where every cell hosts every service
    topology: str = "partitioned"
    intensity: float = 1.0

    @property
    def placement(self) -> Placement:
        """Which cells there are."""
        if self.topology == "isolated":
            return placed(read_settings(CONFIG / "isolated.toml").topology)
        return spread(1 if self.topology == "embedded" else self.cells)


@dataclass(slots=True)
class Outcome:
    """What a world has been through."""

    seed: int
    payments: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    turns: int = 0
    commits: int = 0
    frames: int = 0
    checks: int = 0
    steps: int = 0
    simulated_seconds: float = 0.0
    digest: str = ""
    violations: list[dict[str, Any]] = field(default_factory=list)


class Places:
    """Which cells there are, and in which of them a service keeps what concerns a payment."""

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.by_name: dict[str, SimulatedCell] = {}

    def home(self, service: str, payment_id: str) -> SimulatedCell:
        """The cell in which `service` keeps a payment."""
        return self.by_name[self.placement.cell_for(service, slot_in(payment_id))]

    def rows(self, service: str, payment_id: str) -> Rows:
        """The store in which `service` keeps a payment."""
        return self.home(service, payment_id).disk.rows

    def instructed(self, payment_id: str) -> list[Instructed]:
        """What the bank that has a payment's instruction knows of it."""
        return self.home("execution", payment_id).bank.instructed(payment_id)


class SimulatedWorld:
    """Runs one seed from its first account to its last check."""

    def __init__(self, seed: int, plan: Plan) -> None:
        self.plan = plan
        self.outcome = Outcome(seed)
        chance = self._chance = Random(
            f"{seed} {plan.payments} {plan.flow} {plan.topology} {plan.cells} {plan.intensity}"
        )
        self.timeline = Timeline()
        self.wall = WallClock(self.timeline)
        self.faults = Faults(_source(chance), intensity=plan.intensity)
        self.poison = Poison()
        self.places = Places(plan.placement)
        self._digest = hashlib.blake2b(digest_size=16)
        self.network = Network(self.timeline, _source(chance), self.faults, self.record)
        self.clients = Clients(self.timeline, _source(chance), self.faults, self.network, self.places.placement)
        self._settings = _settings(chance)
        people = People(self.places.rows, self._settings[0].approval.approvals)
        self.invariants = Invariants(self.poison, self.places.rows, self.places.instructed, people)
        self._classes = tuple(self.poison.given_to(service) for service in assembly.services())
        self._families = tuple(
            (prefix, self.poison.given_to(member), parent) for prefix, member, parent in assembly.families()
        )
        around = Surroundings(
            self.timeline, self.wall, _source(chance), self.faults, self.places.placement, self._settings_now,
            self._hosting, self._send, self.record, self.clients.introduce, self.invariants,
            haste=chance.choice((1.0, 16.0, 16.0, 16.0, 16.0, 16.0, 16.0, 16.0)),
        )  # fmt: skip
        for name in self.places.placement.names:
            self.places.by_name[name] = SimulatedCell(name, around, Bank(self.invariants.submitted))
        cells = list(self.places.by_name.values())
        self.clients.cells = cells
        self.cells = cells
        self.refunded: dict[str, str] = {}  # refunds that were acknowledged, by key
        self.operators = Operators(
            self.timeline, _source(chance), self.faults, self.clients, cells, self.places.instructed,
            self.places.placement, self._reads_again, self.refunded, plan.flow,
        )  # fmt: skip
        self._book = OrderBook(_source(chance), plan.flow)
        self.accepted: dict[str, str] = {}
        self.orders: dict[str, Order] = {}
        self._tries: Counter[str] = Counter()
        self._unopened = 0
        self._calm_since: int | None = None
        self._looks = 0
        self._jumped = 0
        self._done = False

    def run(self) -> Outcome:
        """Let the world happen; a broken promise ends it."""
        try:
            self.live()
        except Violation as violation:
            self._report(violation.sentence, violation.payment_id)
        outcome = self.outcome
        known = self._statuses()
        refunds = set(self.refunded.values())
        outcome.statuses.update(status for payment_id, (status, _) in known.items() if payment_id not in refunds)
        outcome.payments = len(self.accepted)
        outcome.faults = self.faults.counts
        outcome.frames = self.network.frames
        outcome.checks = self.invariants.checked
        outcome.steps = self.timeline.step
        outcome.simulated_seconds = self.timeline.seconds
        outcome.commits = sum(cell.disk.commits for cell in self.cells)
        self.close()
        outcome.turns = sum(cell.turns for cell in self.cells)
        outcome.messages = sum(cell.messages for cell in self.cells)
        outcome.digest = self._digest.hexdigest()
        return outcome

    def close(self) -> None:
        """Forget all of it."""
        for cell in self.cells:
            cell.close()

    def _reads_again(self, name: str, cell: str = "") -> None:
        """A subscriber, or a cell with dead letters, is told to begin anew: what is handled twice is no defect."""
        cells = [cell] if cell else self.places.placement.cells_of(name)
        self.invariants.read_again.update((each, name) for each in cells)

    def record(self, what: str, content: bytes) -> None:
        """Whatever happens goes into the digest: two runs of a seed are the same if their digests are."""
        self._digest.update(f"{self.timeline.now} {what} ".encode())
        self._digest.update(content)

    # What happens

    def live(self) -> None:
        """From the first start of a cell to the last check.

        Raises:
            Violation: a promise was broken on the way.
        """
        for cell in self.cells:
            cell.start()
        self.clients.open()
        for account in accounts(_source(self._chance)):
            self._open_account(account)
        while not self._done and self.timeline.advance():
            pass
        for sentence, payment_id in ending.check(
            self.cells, self.accepted | self.refunded, self.orders, whole=self.places.placement.whole
        ):
            self._report(sentence, payment_id)

    def _open_account(self, account: Account) -> None:
        self._unopened += 1
        slot = slot_of(account.open.account_id)

        def opened(message: Message) -> None:
            if account.closed:
                close = CloseAccount(account_id=account.open.account_id)
                self.clients.ask(close, "ledger", slot, lambda message: self._account_is_there())
            else:
                self._account_is_there()

        self.clients.ask(account.open, "ledger", slot, opened)

    def _account_is_there(self) -> None:
        self._unopened -= 1
        if not self._unopened:
            self._begin()

    def _begin(self) -> None:
        """Accounts are there: now orders come, and faults."""
        self.faults.calm = False
        timeline, chance = self.timeline, self._chance
        waiting: list[Order] = []
        limit = chance.randint(*BURSTS)
        bursts: list[list[Order]] = []
        for order in self._book.orders(self.plan.payments):
            waiting.append(order)
            if len(waiting) >= limit:
                bursts.append(waiting)
                waiting, limit = [], chance.randint(*BURSTS)
        bursts.append(waiting)
        for burst in bursts:
            timeline.after(chance.randrange(ORDERS_LAST), lambda burst=burst: self._submit_all(burst))  # type: ignore[misc]
        for kind in self.faults.planned():
            # Most come while orders do: a cell that rests has little to lose.
            span = FAULTS_LAST if chance.random() < 0.4 else ORDERS_LAST + SECOND
            timeline.after(chance.randrange(span), lambda kind=kind: self._strike(kind))  # type: ignore[misc]
        for _ in range(FAULTS_LAST // SECOND):
            timeline.after(chance.randrange(FAULTS_LAST), self.operators.stroll)
        timeline.after(FAULTS_LAST, self._calm_down)

    def _submit_all(self, orders: list[Order]) -> None:
        for order in orders:
            self._submit(order)

    def _submit(self, order: Order) -> None:
        if order.repeat:
            self.faults.count("order repeated" if order.repeat == "same" else "order repeated with other content")
        slot = slot_of(order.submit.idempotency_key)
        request: list[Request] = []

        def heard(message: Message) -> None:
            self._heard(order, message, request[0])

        request.append(self.clients.ask(order.submit, "disbursement", slot, heard))

    def _heard(self, order: Order, message: Message, request: Request) -> None:
        """A client learns what became of its order, and remembers it."""
        key = order.submit.idempotency_key
        known = self.accepted.get(key)
        if isinstance(message, PaymentAccepted):
            if known is not None and known != message.payment_id:
                raise Violation(f"the key {key} has paid twice: {known} and {message.payment_id}", message.payment_id)
            before = self.orders.get(key)
            if before is not None and before.submit != order.submit:
                raise Violation(f"the key {key} was taken for two orders of different content", known)
            self.accepted[key] = message.payment_id
            self.orders[key] = order
        elif isinstance(message, OrderRefused):
            before = self.orders.get(key)
            if before is not None and before.submit == order.submit:
                raise Violation(f"the order {key} was accepted and then refused: {message.error}", known)
            if not message.conflict:
                raise Violation(f"a good order was refused: {message.error}", known)
        elif isinstance(message, ServicePaused):  # a client comes back until orders are taken again
            self.timeline.after(2 * SECOND, lambda: self.clients.repeat(request))
        else:  # it could not be handled, and is among the dead letters: a client may well try again
            self._tries[request.message_id] += 1
            if self._tries[request.message_id] < TRIES:
                self.timeline.after(2 * SECOND, lambda: self.clients.repeat(request))

    def _strike(self, kind: str) -> None:
        """One of the world's faults is due."""
        chance = self._chance
        if kind == "gateway killed":
            self.clients.kill()
        elif kind == "power cut":
            self.faults.count(kind)
            self.clients.kill()
            for cell in self.cells:
                cell.die("crash: power cut")
        elif kind.startswith("clock set"):
            seconds = chance.randint(1, LONGEST_JUMP if chance.random() < 0.1 else JUMP)
            self._jumped += (
                2 * seconds * SECOND
            )  # to a cell that starts it is downtime, for which it prolongs what waits
            self.wall.ahead += seconds * SECOND * (1 if kind.endswith("forward") else -1)
            self.faults.count(kind)
        elif kind.startswith("handler raised"):
            service, message = chance.choice(POISONED)
            times = chance.choice((1, 3)) if kind.endswith("once") else chance.randint(4, 40)
            self.poison.give(service, message, times, lambda: self.faults.count(kind))
        elif kind == "message that ends the process":
            self.poison.make_deadly(*chance.choice(DEADLY), lambda: self.faults.count(kind))
        elif kind == "subscriber killed":
            self.operators.kill_actor()
        elif kind.startswith("subscription"):
            self.operators.take_away()
        elif kind == "log replayed":
            self.operators.replay()
        else:
            cells = list(self.cells)
            chance.shuffle(cells)
            for cell in cells:
                if cell.arm(kind):
                    return

    def _calm_down(self) -> None:
        """From now on nothing goes wrong; what has begun must come to its end."""
        self.faults.calm = True
        self._calm_since = self.timeline.now
        self.poison.cure()
        for cell in self.cells:
            cell.disarm()
            cell.start()
        self._look()

    def _look(self) -> None:
        """Once a second: whether everything has ended."""
        self._looks += 1
        assert self._calm_since is not None
        moving = self.clients.outstanding or ending.unfinished(self.cells) or ending.left_over(self.cells)
        if not moving and not self.operators.tidy_up():
            self._done = True
            return
        if self.timeline.now - self._calm_since > PATIENCE + self._jumped:
            self._done = True  # the checks at the end say what is stuck
            return
        if moving and self._looks % TIDY == 0:
            self.operators.tidy_up()
        if self._looks % RESTARTS == 0:
            # A task that the rail choked on is set aside until its worker starts anew.
            for cell in self.cells:
                cell.restart_in_order()
        self.timeline.after(LOOK, self._look)

    # What cells need

    def _settings_now(self) -> Settings:
        """A start may find another configuration: the order of steps is switched while payments are under way."""
        return self._chance.choice(self._settings)

    def _hosting(self, cell: SimulatedCell, settings: Settings, clock: Clock) -> Hosting:
        dice = _source(self._chance)
        rail = RailOnTheLine(cell.bank, settings.execution.delay_ms, clock.now, dice, self.faults)
        workers: dict[str, Worker] = {
            "aml": WatchlistWorker(settings),
            "execution": RailWorker(rail, clock.now, dice),
            "notification": MailWorker(settings, MailOnTheLine(self.faults), now=clock.now, chance=dice.random),
            "replication": ReplicationWorker(ReplicaOnTheLine(self.faults), now=clock.now, chance=dice.random),
        }
        here = tuple(made for service, made in workers.items() if self.places.placement.hosts(cell.name, service))
        return Hosting(
            self._classes, self._families, assembly.reactions(), here, assembly.REPLAYABLE,
            workflows.offers(assembly.offers()), {"payment.workflows": workflows.VERSIONS},
        )  # fmt: skip

    def _send(self, cell: SimulatedCell, peer: str, payload: bytes) -> None:
        if peer == "gateway":
            self.network.send(cell.name, peer, payload, lambda frame: self.clients.took(cell, frame), in_order=True)
            return
        receiver = self.places.by_name[peer]
        self.network.send(cell.name, peer, payload, lambda frame: receiver.arrived(cell.name, frame))

    # What is told

    def _statuses(self) -> dict[str, tuple[str, str | None]]:
        try:
            return ending.statuses(self.cells)
        except (sqlite3.Error, AssertionError):
            return {}  # the world ended in the middle of a transaction

    def _report(self, sentence: str, payment_id: str | None) -> None:
        for cell in self.cells:
            cell.disk.power_off()
        self.outcome.violations.append({
            "seed": self.outcome.seed,
            "step": self.timeline.step,
            "payment_id": payment_id,
            "promise": sentence,
            "messages": [] if payment_id is None else last_messages(self.cells, payment_id),
        })  # fmt: skip


class MailOnTheLine:
    """Implements `Transport`: takes mails, most of the time."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def send(self, mail: Any) -> None:
        """See `Transport.send`."""
        if self._faults.strikes("mail not taken"):
            raise NotTaken("try again later", for_good=False)

    def pause(self) -> None:
        """Nothing is open."""


class ReplicaOnTheLine(Replica):
    """A reporting database that keeps nothing, and is away at times."""

    def __init__(self, faults: Faults) -> None:
        self.name = "simulated"
        self._faults = faults

    def write(self, copies: Any) -> None:
        """See `Replica.write`."""
        if self._faults.strikes("replica unreachable"):
            raise Unreachable("simulated: it is away")

    def close(self) -> None:
        """Nothing is open."""


def last_messages(cells: list[SimulatedCell], payment_id: str, number: int = 12) -> list[str]:
    """The newest lines of the logs about a payment."""
    from actors.directory import log

    records = [record for cell in cells for record in log.timeline(DiskReader(cell.disk), payment_id)]
    records.sort(key=lambda record: record.at)
    return [
        f"{record.at:%H:%M:%S.%f} {record.envelope.kind:8} {type(record.envelope.message).__name__:22}"
        f" {record.envelope.sender} → {', '.join(record.receivers) or '-'} {_short(record.envelope.message)}"
        for record in records[-number:]
    ]


def _short(message: Message) -> str:
    shown = {name: value for name, value in plain(message).items() if name not in ("facts", "order") and value}
    return ", ".join(f"{name} {value}" for name, value in shown.items())[:120]


def _source(chance: Random) -> Random:
    """A source of chance of its own, so that one more use of one moves no other."""
    return Random(chance.getrandbits(64))


def _settings(chance: Random) -> list[Settings]:
    """The configuration of a world, in both orders of steps and both versions of one."""
    sections: dict[str, Any] = {
        "runtime": {
            "turn_envelopes": chance.choice((16, 256, 256)), "immediate_retries": chance.choice((0, 1, 2)),
            "delayed_retries": chance.choice((1, 2, 3)), "retry_initial_seconds": 0.2, "retry_maximum_seconds": 5,
            "turn_budget": chance.choice((400, 20_000, 20_000)), "resident_sagas": chance.choice((0, 20, 2_000, 2_000)),
        },
        "ledger": {"hold_seconds": chance.choice((8, 40, 7 * 86_400, 7 * 86_400))},
        "aml": {"review_seconds": 15, "watchlists": (WATCHLIST,)},
        "execution": {
            "delay_ms": chance.choice(((0, 0), (5, 30), (5, 200))), "query_after_seconds": 2,
            "query_every_seconds": 4, "doubt_after_seconds": 12,
        },
        "approval": {"review_seconds": 15, "approvals": chance.choice((1, 2, 2))},
        "limits": {"per_payment": {"EUR": "15000", "USD": "15000"}, "per_day": {"EUR": "60000"}},
        "tracker": {"stalled_after_seconds": 20, "executing_after_seconds": 40, "sweep_seconds": 2},
        "supervision": {"actor_intensity": chance.choice((3, 1_000, 1_000))},
        "operators": {"items_per_second": chance.choice((5, 2_000)), "four_eyes": chance.choice(((), ("bulk",)))},
    }  # fmt: skip
    orders = ("debit-first@1", "screen-first", "debit-first")
    return [Settings(data="simulated", disbursement={"workflow": order}, **sections) for order in orders]  # type: ignore[arg-type]
