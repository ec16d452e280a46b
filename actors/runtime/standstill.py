"""What becomes of messages for somebody who is paused, and of clocks that would run out on who stands still.

Messages are parked in order, without a time for another try, until it is resumed; ticks are put off. Asked only while
anything is paused; who is paused stands in `pauses.py`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from actors.messaging.envelope import EVENT, Envelope
from actors.messaging.system_messages import ServicePaused
from actors.runtime.consequences import Consequences
from actors.runtime.effects import CLIENT, Effects
from actors.runtime.pauses import Pauses
from actors.runtime.retries import Parked, Retries
from actors.runtime.service import Started
from actors.runtime.timers import Timers

PUT_OFF: Final = timedelta(seconds=5)  # how late, after it is resumed, a service may hear of a tick


class Standstill:
    """Over one cell's pauses."""

    def __init__(
        self, *, pauses: Pauses, effects: Effects, consequences: Consequences, retries: Retries, timers: Timers
    ) -> None:
        self._pauses = pauses
        self._effects = effects
        self._consequences = consequences
        self._retries = retries
        self._timers = timers

    def keeps(self, target: str, envelope: Envelope, parked: Parked | None) -> bool:
        """Put aside what would go to somebody who is paused; a client hears so instead. False: deliver it."""
        if not self._pauses.keeps(target, envelope) or isinstance(envelope.message, Started):
            return False
        if parked is not None:
            self._retries.hold(parked)
            return True
        why = self._pauses.why(target)
        if envelope.sender[:7] == CLIENT and envelope.kind != EVENT:
            self._effects.begin(target, envelope)
            self._effects.answer(ServicePaused(service=target, error=why))
            self._consequences.take()
        else:
            self._retries.park(target, envelope, due=None, attempt=0, cause=why or "the payment is paused")
        return True

    def puts_off(self, timer: Envelope) -> bool:
        """Let a clock that would run out on a service which stands still begin again. False: it runs out."""
        owner = timer.target
        if not self._pauses.stands_still(owner.partition("/")[0]):
            return False
        key = timer.message_id.removeprefix(f"timer/{owner}/").rpartition("/")[0]
        self._timers.change(owner, key, self._effects.now + PUT_OFF, timer._replace(message_id=""))
        return True
