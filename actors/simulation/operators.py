"""People who decide, at random by seed: reviews, doubts, cancellations, dead letters, drills. They read the stores."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from actors.aml.messages import DecideReview
from actors.directory.messages import Replay, Subscribe, Unsubscribe
from actors.disbursement.messages import CancelPayment
from actors.execution.messages import SettleExecution
from actors.ledger.messages import DepositMoney
from actors.messaging.message import Message
from actors.messaging.system_messages import KillActor, RetryDeadLetters
from actors.simulation.cells import SimulatedCell
from actors.simulation.clients import Clients
from actors.simulation.clock import SECOND, Timeline
from actors.simulation.faults import Faults
from actors.simulation.jobs import Jobs
from actors.simulation.orders import CURRENCIES
from actors.simulation.rail import Instructed
from actors.simulation.refunds import Refunds
from actors.simulation.steering import Steering
from actors.store.placement import Placement
from actors.vocabulary.money import Money
from actors.vocabulary.slots import slot_in, slot_of

CASES: Final = "SELECT case_id, payment_id FROM aml_cases WHERE status = 'open' ORDER BY case_id"
DOUBTS: Final = "SELECT payment_id FROM executions WHERE state = 'in_doubt' ORDER BY payment_id"
MOVING: Final = """SELECT payment_id FROM tracker_payments WHERE status IN
    ('received', 'debiting', 'screening', 'held', 'executing') ORDER BY payment_id"""
LETTERS: Final = "SELECT count(*) FROM dead_letters"

SERVICES: Final = (
    "disbursement",
    "ledger",
    "aml",
    "execution",
    "payment",
    "notification",
    "replication",
    "tracker",
    "operations",
)
REPLAYABLE: Final = ("tracker", "replication", "notification")
SUBSCRIPTIONS: Final = (
    ("notification", "PaymentCompleted", "disbursement"), ("replication", "PaymentCompleted", "payment"),
    ("ledger", "PaymentExecuted", "execution"), ("aml", "AccountDebited", "ledger"),
    ("execution", "BeneficiaryCleared", "aml"), ("disbursement", "DebitPosted", "ledger"),
    ("disbursement", "DebitVoided", "ledger"), ("ledger", "ExecutionRejected", "execution"),
)  # fmt: skip  # subscriber, event, and who publishes it
AWAY: Final = (SECOND, 8 * SECOND)


class Operators:
    """`bank` gives what the banks' journals say of a payment: a person phones before giving evidence."""

    def __init__(
        self, timeline: Timeline, chance: Random, faults: Faults, clients: Clients, cells: list[SimulatedCell],
        bank: Callable[[str], list[Instructed]], placement: Placement, read_again: Callable[..., None],
        refunded: dict[str, str], flow: str | None,
    ) -> None:  # fmt: skip
        self._timeline = timeline
        self._chance = chance
        self._faults = faults
        self._clients = clients
        self._cells = cells
        self._bank = bank
        self._placement = placement
        self._read_again = read_again
        self._steering = Steering(timeline, chance, faults, self._about, self._tell)
        self._away: list[tuple[SimulatedCell, str, str]] = []  # what somebody has asked to be taken away
        self._jobs = Jobs(chance, faults, clients, placement)
        self._refunds = Refunds(chance, faults, clients, self._about, refunded, flow)
        self._taken_away: list[tuple[SimulatedCell, str, str]] = []  # and what is known to be

    def stroll(self) -> None:
        """Look at a cell and decide about a few of the things that wait there."""
        cell = self._chance.choice(self._cells)
        chance = self._chance
        for case_id, payment_id in cell.disk.rows(CASES):
            if chance.random() < 0.3:
                self._decide(case_id, payment_id)
        for (payment_id,) in cell.disk.rows(DOUBTS):
            if chance.random() < 0.2:
                self._settle(payment_id)
        moving = cell.disk.rows(MOVING)
        if moving and chance.random() < 0.5:
            self._cancel(chance.choice(moving)[0])
        if chance.random() < 0.15:
            self._do_to_many(cell)
        if chance.random() < 0.3:
            self._jobs.meddle(cell)
        self._refunds.stroll(cell)
        self._steering.stroll(self._cells, lambda: [row[0] for each in self._cells for row in each.disk.rows(MOVING)])
        if chance.random() < 0.3:
            self.deposit()
        if chance.random() < 0.2 and cell.disk.rows(LETTERS)[0][0]:
            self._dig_up(cell)

    def tidy_up(self) -> bool:
        """Decide everything that waits for a person and can be decided; whether there was anything."""
        busy = self._steering.tidy_up(self._cells)
        while self._taken_away:
            self._give_back(*self._taken_away[0])
            busy = True
        for cell in self._cells:
            for case_id, payment_id in cell.disk.rows(CASES):
                self._decide(case_id, payment_id)
                busy = True
            for (payment_id,) in cell.disk.rows(DOUBTS):
                busy = self._settle(payment_id) or busy
            busy = self._jobs.tidy_up(cell) or busy
            busy = self._refunds.tidy_up(cell) or busy
            if cell.disk.rows(LETTERS)[0][0]:
                self._dig_up(cell)
                busy = True
        return busy

    def _do_to_many(self, cell: SimulatedCell) -> None:
        """A job over some payments of a cell, of which many can't be had: give evidence, or cancel."""
        chance = self._chance
        doubtful = [row[0] for row in cell.disk.rows(DOUBTS) if self._is_silent(row[0])]
        moving = [row[0] for row in cell.disk.rows(MOVING)]
        if doubtful and chance.random() < 0.5:
            self._jobs.begin("settle", chance.choice(("executed", "not-executed")), doubtful)
        elif moving:
            chosen = chance.sample(moving, min(len(moving), chance.randint(1, 6)))
            self._jobs.begin(*self._steering.at_once(), chosen)

    def _dig_up(self, cell: SimulatedCell) -> None:
        self._read_again("dead-letters", cell.name)
        self._tell(cell, RetryDeadLetters(), "dead-letters")

    def kill_actor(self) -> None:
        """A subscriber, or a saga, loses its instance."""
        chance = self._chance
        cell = chance.choice(self._cells)
        name = chance.choice(SERVICES)
        if chance.random() < 0.4:
            moving = cell.disk.rows(MOVING)
            if moving:
                name = f"payment/{chance.choice(moving)[0]}"
        self._tell(cell, KillActor(name=name), "actors")
        self._faults.count("subscriber killed")

    def take_away(self) -> None:
        """Somebody unsubscribes a service from an event, and gives it what it missed a little later."""
        chance = self._chance
        subscriber, event, publisher = chance.choice(SUBSCRIPTIONS)
        cell = chance.choice([cell for cell in self._cells if self._placement.hosts(cell.name, publisher)])
        if any(each[0] is cell for each in self._away):
            return
        self._faults.count("subscription taken away and given back")
        self._away.append((cell, subscriber, event))

        def heard(message: Message) -> None:
            self._taken_away.append((cell, subscriber, event))
            self._timeline.after(chance.randint(*AWAY), lambda: self._give_back(cell, subscriber, event))

        unsubscribe = Unsubscribe(subscriber=subscriber, event_types=(event,))
        self._clients.ask(unsubscribe, f"directory@{cell.name}", 0, heard, operator=True)

    def replay(self) -> None:
        """Somebody lets a subscriber read the log again."""
        chance = self._chance
        cell, subscriber = chance.choice(self._cells), chance.choice(REPLAYABLE)
        self._read_again(subscriber)
        self._faults.count("log replayed")
        end = cell.disk.rows("SELECT coalesce(max(last_offset), 0) FROM log_parts")[0][0] if cell.incarnations else 0
        offset = chance.choice((1, max(1, end - 100)))
        self._tell(cell, Replay(subscriber=subscriber, from_offset=offset), "directory")

    def _give_back(self, cell: SimulatedCell, subscriber: str, event: str) -> None:
        if (cell, subscriber, event) not in self._taken_away:
            return
        self._taken_away.remove((cell, subscriber, event))
        self._away.remove((cell, subscriber, event))
        self._read_again(subscriber)
        since = cell.disk.rows(
            "SELECT since_offset FROM subscriptions WHERE subscriber = ? AND event_type = ? AND NOT active",
            subscriber,
            event,
        )
        offset = since[0][0] if since else None
        self._tell(cell, Subscribe(subscriber=subscriber, event_types=(event,), from_offset=offset), "directory")

    def _decide(self, case_id: str, payment_id: str) -> None:
        decision = self._chance.choice(("clear", "clear", "block"))
        message = DecideReview(case_id=case_id, decision=decision, reason="looked at it", payment_id=payment_id)
        self._about(payment_id, message, "aml")

    def deposit(self) -> None:
        """Money comes in, under a key that is used again."""
        chance = self._chance
        currency, number = chance.choice(CURRENCIES), chance.randrange(4)
        account_id, amount = f"POOR-{currency}", Money(1_000 * (number + 1), currency)
        message = DepositMoney(deposit_id=f"deposit-{currency}-{number}", account_id=account_id, amount=amount)
        self._clients.ask(message, "ledger", slot_of(account_id), _heard, operator=True)

    def _settle(self, payment_id: str) -> bool:
        """Give evidence where the bank will never say anything by itself: whatever a person has heard."""
        if not self._is_silent(payment_id):
            return False
        executed = self._chance.random() < 0.5
        message = SettleExecution(payment_id=payment_id, executed=executed, reason="phoned")
        self._about(payment_id, message, "execution")
        return True

    def _is_silent(self, payment_id: str) -> bool:
        known = self._bank(payment_id)
        return bool(known) and known[0].state == "unknown"

    def _cancel(self, payment_id: str) -> None:
        self._about(payment_id, CancelPayment(payment_id=payment_id, reason="a mistake"), "disbursement")

    def _about(self, payment_id: str, message: Message, target: str) -> None:
        self._faults.count("operator decided")
        self._clients.ask(message, target, slot_in(payment_id), _heard, payment_id=payment_id, operator=True)

    def _tell(self, cell: SimulatedCell, message: Message, target: str) -> None:
        self._clients.ask(message, f"{target}@{cell.name}", 0, _heard, operator=True)


def _heard(message: Message) -> None:
    """An operator looks at what stands in the stores, not at what is answered."""
