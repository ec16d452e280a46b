"""A round: what has arrived, worked off. As one turn; one input a turn where that was void, or after a death.

Knows no store's layout and no socket. What no round can mend is raised as `Escalated`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NoReturn

import structlog

from actors.messaging.codec import envelope_fields
from actors.messaging.envelope import Envelope
from actors.messaging.frames import GATEWAY, pack_frame
from actors.messaging.system_messages import Busy
from actors.runtime.arrivals import Arrivals
from actors.runtime.effects import CLIENT
from actors.runtime.inputs import ENDED_THE_PROCESS, Inputs
from actors.runtime.marker import Marker
from actors.runtime.suspects import Suspects
from actors.runtime.turn import Starting, Turns
from actors.runtime.void import TurnVoid
from actors.store.session import StoreBroken, StoreFailed

BUSY_RETRY_MS: Final = 250
CAUTION_AT_A_TIME: Final = timedelta(milliseconds=250)
STORE_PAUSE: Final = timedelta(milliseconds=200)

Frames = list[tuple[str, bytes]]  # peer and payload


class Escalated(RuntimeError):
    """Actors fail more often than supervision allows: the cell gives itself up, to be restarted whole."""


@dataclass
class Rounds:
    """Works off a cell's arrivals. `collect` gives what has arrived, with the gateway's frame to acknowledge.

    `damaged` makes the sentence for a store that is. `paused_until` is set while the store refuses.
    """

    name: str
    turns: Turns
    arrivals: Arrivals
    suspects: Suspects
    marker: Marker
    clock: Callable[[], datetime]
    collect: Callable[[], tuple[Inputs, int]]
    damaged: Callable[[StoreBroken], Exception]
    before_turn: Callable[[int], None]  # told how many inputs come
    due_at_once: int  # timers and parked messages that are run one a turn
    suspect_limit: int
    paused_until: datetime | None = None
    singles: deque[Inputs] = field(default_factory=deque)  # of frames and answers that are run one input a turn
    _to_acknowledge: int = 0  # the gateway's frame that they came with

    def __post_init__(self) -> None:
        self._log = structlog.get_logger("cell").bind(cell=self.name)

    def pause_left(self) -> timedelta | None:
        """For how long the store is left alone; None: it isn't."""
        if self.paused_until is None:
            return None
        left = self.paused_until - self.clock()
        if left > timedelta(0):
            return left
        self.paused_until = None
        return None

    def start(self, starting: Starting) -> Frames:
        """Run the turn that starts the cell.

        Raises:
            StoreFailed: it could not be stored. `wait`, then try again.
        """
        return self.turns.run(Inputs(alone=True), starting=starting)[1]

    def wait(self, error: StoreFailed) -> Frames:
        """The store refuses before there is anything to work on: leave it alone; who asks meanwhile hears `Busy`."""
        self._refused(error)
        self._abandon()
        self._pause()
        frames: Frames = []
        inputs, acknowledged = self.collect()
        self._give_back(inputs.singles(), frames, acknowledged)
        return frames

    def run(self) -> Frames:
        """Work off what has arrived; the frames to send.

        Raises:
            Escalated: the store is damaged, or can't be read.
        """
        frames: Frames = []
        if self.marker.cautious or self.singles:
            self._run_cautiously(frames)
        else:
            self._run_once(frames)
        return frames

    def _run_once(self, frames: Frames) -> None:
        inputs, acknowledged = self.collect()
        if self.suspects.condemned:
            inputs = self._without_condemned(inputs)
        size = inputs.size()
        self.marker.set(max(1, size))
        self.before_turn(size)
        try:
            self._turn(inputs, frames, acknowledged)
        except (StoreFailed, TurnVoid) as error:
            self._refused(error)
            self._one_by_one(inputs, frames, acknowledged, due=isinstance(error, TurnVoid))
        self.marker.clear()
        self._forgive()

    def _turn(self, inputs: Inputs, frames: Frames, acknowledged: int) -> None:
        replies, link_frames = self.turns.run(inputs)
        frames += link_frames
        if replies or acknowledged:
            fields = [envelope_fields(reply) for reply in replies]
            frames.append(("gateway", pack_frame(GATEWAY, 0, acknowledged, fields)))

    def _one_by_one(self, inputs: Inputs, frames: Frames, acknowledged: int, *, due: bool) -> None:
        """The turn was void: run its inputs again, one a turn; who still can't be served hears `Busy`.

        With `due`, what was due of itself may be to blame, and is run one a turn after them.
        """
        self._abandon()
        singles = inputs.singles()
        done = 0
        try:
            if due:
                singles += self.turns.due_singles(self.due_at_once)
                singles.append(Inputs(alone=True, lines=1))
            for single in singles:
                self._run_or_bury(single, frames)
                done += 1
        except StoreFailed as error:
            self._refused(error)
            self._abandon()
            self._pause()
        self._give_back(singles[done:], frames, acknowledged)

    def _run_or_bury(self, single: Inputs, frames: Frames) -> None:
        """Run one input; where no turn can be made of it, it goes to the dead letters."""
        try:
            self._turn(single, frames, 0)
        except TurnVoid as error:
            self._log.error("turn abandoned", error=str(error), input=single.suspect())
            self._abandon()
            if single.suspect():
                self._turn(single.condemned(str(error)), frames, 0)

    def _give_back(self, singles: list[Inputs], frames: Frames, acknowledged: int) -> None:
        """Tell clients that what they sent was not taken, and keep workers' answers; peers send again by themselves."""
        answer = Busy(retry_after_ms=BUSY_RETRY_MS, reason="the store refused the write; see the cell's log")
        fields = []
        answers = [answer for single in singles for answer in (*single.answers, *single.condemned_answers)]
        self.arrivals.put_back(answers)
        for single in singles:
            fields += [
                envelope_fields(Envelope("", answer, "reply", self.name, each.sender, "", each.message_id))
                for each in single.envelopes
                if each.sender[:7] == CLIENT
            ]
        if acknowledged or fields:
            frames.append(("gateway", pack_frame(GATEWAY, 0, acknowledged, fields)))

    # With caution, after a death

    def _run_cautiously(self, frames: Frames) -> None:
        """A turn before the last restart never ended: one input a turn, its attempts committed first.

        For some time only: who asks whether the cell still answers must not take its caution for a hang.
        """
        if not self.singles:
            inputs, self._to_acknowledge = self.collect()
            inputs = self._without_condemned(inputs)
            self.singles += _alternating(inputs.singles())
            self.singles += self.turns.due_singles(self.due_at_once)
            self.singles += [] if self.singles else [Inputs(alone=True)]
        until = self.clock() + CAUTION_AT_A_TIME
        while self.singles:
            try:
                self._run_suspect(self.singles[0], frames)
            except StoreFailed as error:
                self._refused(error)
                self._abandon()
                self._give_back(list(self.singles), frames, 0)
                self.singles.clear()
                self._pause()
                break
            self.singles.popleft()
            self.marker.step()
            if self.clock() >= until:
                break
        if self._to_acknowledge and not self.singles:
            frames.append(("gateway", pack_frame(GATEWAY, 0, self._to_acknowledge, [])))
            self._to_acknowledge = 0

    def _run_suspect(self, single: Inputs, frames: Frames) -> None:
        """Run one input that may be the guilty one; bury it once it has ended the process too often."""
        suspect = single.suspect()
        deaths = self.suspects.accuse(suspect) if suspect else 0
        if deaths > self.suspect_limit:
            self._log.error("this message ended the process before", message_id=suspect, deaths=deaths - 1)
            self._turn(single.condemned(), frames, 0)
            if single.timers or single.parked:
                self.suspects.acquit(suspect)  # it can't be delivered again, and the next of its name is another
            else:
                self.suspects.condemned.add(suspect)
            return
        self.marker.set(1)
        self._run_or_bury(single, frames)
        if suspect:
            self.suspects.acquit(suspect)

    def _without_condemned(self, inputs: Inputs) -> Inputs:
        """Set aside what has been found to end the process: a repeat gets the same answer, and no further try."""
        condemned = self.suspects.condemned
        kept = Inputs(links=inputs.links, refused=inputs.refused)
        for envelope in inputs.envelopes:
            if Inputs(envelopes=[envelope]).suspect() in condemned:
                kept.refused.append((list(envelope), ENDED_THE_PROCESS))
            else:
                kept.envelopes.append(envelope)
        for answer in inputs.answers:
            guilty = Inputs(answers=[answer]).suspect() in condemned
            (kept.condemned_answers if guilty else kept.answers).append(answer)
        return kept

    def _forgive(self) -> None:
        try:
            self.suspects.forgive(self.clock())
        except StoreFailed as error:
            self._abandon()
            self._log.error("suspects are still held", error=str(error))

    # What the store refuses

    def _refused(self, error: StoreFailed | TurnVoid) -> None:
        """Say so; a damaged store is not tried again: the cell gives itself up, and its next start names the damage."""
        if isinstance(error, StoreBroken):
            self._give_up(error)
        self._log.error("turn abandoned", error=str(error) or type(error).__name__)

    def _pause(self) -> None:
        self.paused_until = self.clock() + STORE_PAUSE

    def _abandon(self) -> None:
        try:
            self.turns.abandon()
        except StoreBroken as error:
            self._give_up(error)
        except StoreFailed as error:
            # Not even reading works: what memory holds may be wrong, so the process starts anew from the store.
            raise Escalated(f"the store can't be read: {error}") from error

    def _give_up(self, error: StoreBroken) -> NoReturn:
        sentence = str(self.damaged(error))
        self._log.critical(sentence)
        raise Escalated(sentence) from error


def _alternating(singles: list[Inputs]) -> list[Inputs]:
    """What clients send between what comes from elsewhere, each in its order: neither waits for all of the others."""
    theirs = [single for single in singles if single.envelopes]
    others = [single for single in singles if not single.envelopes]
    mixed = [single for pair in zip(others, theirs, strict=False) for single in pair]
    longer = max(others, theirs, key=len)
    return mixed + longer[len(mixed) // 2 :]
