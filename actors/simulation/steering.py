"""People who pause, resume, retry and restart: payments, services, the rail; in the end everything goes on."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from actors.messaging.message import Message
from actors.messaging.system_messages import PauseTarget, ResumeTarget
from actors.payment.messages import MigrateSaga, PauseSaga, RestartSaga, ResumeSaga, RetrySaga
from actors.runtime.pauses import PAYMENT, RAIL, SERVICE
from actors.simulation.cells import SimulatedCell
from actors.simulation.clock import SECOND, Timeline
from actors.simulation.faults import Faults

PAUSED: Final = "SELECT kind, name FROM pauses ORDER BY kind, name"
STEPS: Final = ("debit-account", "screen-beneficiary", "execute-payment", "post-debit", "check-limits")
VERSIONS: Final = ("debit-first@1", "debit-first@2", "debit-first@2", "screen-first@1", "guarded@1")
SERVICES: Final = (
    "disbursement",
    "ledger",
    "aml",
    "execution",
    "payment",
    "notification",
    "replication",
    "limits",
    "approval",
)
AWAY: Final = (SECOND, 25 * SECOND)
WHO: Final = {"by": "Ada", "reason": "to see what happens"}


class Steering:
    """`about` sends a message about a payment to an actor of its cell, `tell` one to an actor of a cell."""

    def __init__(
        self, timeline: Timeline, chance: Random, faults: Faults, about: Callable[[str, Message, str], None],
        tell: Callable[[SimulatedCell, Message, str], None],
    ) -> None:  # fmt: skip
        self._timeline = timeline
        self._chance = chance
        self._faults = faults
        self._about = about
        self._tell = tell

    def stroll(self, cells: list[SimulatedCell], under_way: Callable[[], list[str]]) -> None:
        """Perhaps do something to one of the payments that move, and perhaps pause a service for a while."""
        chance = self._chance
        if chance.random() < 0.6 and (moving := under_way()):
            self._steer(chance.choice(moving))
        if chance.random() < 0.06:
            self._pause_target(cells)

    def tidy_up(self, cells: list[SimulatedCell]) -> bool:
        """Let everything go on; whether anything was paused."""
        busy = False
        for cell in cells:
            for kind, name in cell.disk.rows(PAUSED):
                busy = True
                if kind == PAYMENT:
                    self._about(name, ResumeSaga(payment_id=name, **WHO), "payment")
                else:
                    self._tell(cell, ResumeTarget(kind=kind, name=name, **WHO), "pauses")
        return busy

    def at_once(self) -> tuple[str, str]:
        """What to do to many payments: the action and its argument."""
        chance = self._chance
        wish = chance.choice(("cancel", "pause", "resume", "retry", "restart", "migrate", "migrate"))
        argument = {"restart": chance.choice(STEPS), "migrate": chance.choice(VERSIONS)}.get(wish, "")
        self._faults.count(f"job: {wish}")
        return wish, argument

    def _steer(self, payment_id: str) -> None:
        chance = self._chance
        wish = chance.choice(("pause", "pause", "retry", "restart", "migrate", "migrate", "migrate"))
        self._faults.count(f"operator: {wish}")
        if wish == "retry":
            self._about(payment_id, RetrySaga(payment_id=payment_id, **WHO), "payment")
        elif wish == "migrate":
            self._about(payment_id, MigrateSaga(payment_id=payment_id, to=chance.choice(VERSIONS), **WHO), "payment")
        elif wish == "restart":
            self._about(payment_id, RestartSaga(payment_id=payment_id, step=chance.choice(STEPS), **WHO), "payment")
        else:
            self._about(payment_id, PauseSaga(payment_id=payment_id, **WHO), "payment")
            resume = ResumeSaga(payment_id=payment_id, **WHO)
            self._timeline.after(chance.randint(*AWAY), lambda: self._about(payment_id, resume, "payment"))

    def _pause_target(self, cells: list[SimulatedCell]) -> None:
        chance = self._chance
        kind = chance.choice((SERVICE, SERVICE, RAIL))
        name = chance.choice(SERVICES) if kind == SERVICE else RAIL
        self._faults.count(f"operator: {kind} paused")
        behind = "" if kind == SERVICE else "execution"
        # One cell may hear of it without the others: whoever is told later has done more meanwhile.
        for cell in cells:
            self._tell(cell, PauseTarget(kind=kind, name=name, service=behind, **WHO), "pauses")
        resume = ResumeTarget(kind=kind, name=name, **WHO)
        after = chance.randint(*AWAY)
        for cell in cells:
            self._timeline.after(after, lambda cell=cell: self._tell(cell, resume, "pauses"))  # type: ignore[misc]
