"""What a turn takes, as values: alone or together, to be handled or to be buried. Knows no store and no actor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from actors.messaging.envelope import Envelope
from actors.messaging.frames import FrameContent
from actors.runtime.retries import Parked
from actors.runtime.service import Answer

CATCH_UP_LINES: Final = 512
ENDED_THE_PROCESS: Final = "it ended the process, again and again"


@dataclass(slots=True)
class Inputs:
    """What a turn takes: envelopes from clients, frames from peers, workers' answers with their outbox's name.

    `refused` are a client's envelopes that nobody can decode, with the reason: the client hears it.
    `buried` and `condemned_…` may not be handled any more: they go straight to the dead letters.
    `alone` says that nothing else that is due is taken, but by subscribers that lag, if there is no input at all;
    `timers` and `parked` are what is due and taken alone.
    """

    envelopes: list[Envelope] = field(default_factory=list)
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    links: list[tuple[str, FrameContent]] = field(default_factory=list)
    refused: list[tuple[list[Any], str]] = field(default_factory=list)
    buried: list[Envelope] = field(default_factory=list)
    condemned_links: list[tuple[str, FrameContent]] = field(default_factory=list)
    condemned_answers: list[tuple[str, Answer]] = field(default_factory=list)
    alone: bool = False
    timers: list[tuple[str, str]] = field(default_factory=list)  # owner and key
    parked: list[Parked] = field(default_factory=list)
    condemned_timers: list[tuple[str, str]] = field(default_factory=list)
    condemned_parked: list[Parked] = field(default_factory=list)
    cause: str = ENDED_THE_PROCESS  # why what is buried or condemned is so
    lines: int = CATCH_UP_LINES  # of the log, that a subscriber which lags reads in this turn

    def size(self) -> int:
        """How many inputs there are."""
        return len(self.envelopes) + len(self.answers) + sum(len(content.envelopes) for _, content in self.links)

    def singles(self) -> list[Inputs]:
        """The same inputs, one a turn, in the same order."""
        singles = [Inputs(answers=[answer], alone=True) for answer in self.answers]
        for peer, content in self.links:
            kind, number, acknowledged, envelopes, moment = content
            singles += [
                Inputs(links=[(peer, FrameContent(kind, number + at, acknowledged, [envelope], moment))], alone=True)
                for at, envelope in enumerate(envelopes)
            ] or [Inputs(links=[(peer, content)], alone=True)]
        singles += [Inputs(condemned_answers=[answer], alone=True) for answer in self.condemned_answers]
        singles += [Inputs(refused=[refusal], alone=True) for refusal in self.refused]
        singles += [Inputs(timers=[timer], alone=True) for timer in self.timers]
        singles += [Inputs(parked=[parked], alone=True) for parked in self.parked]
        return singles + [Inputs(envelopes=[envelope], alone=True) for envelope in self.envelopes]

    def condemned(self, cause: str = ENDED_THE_PROCESS) -> Inputs:
        """The same inputs, not to be handled but buried; a peer's frame counts as taken, an answer as handled."""
        return Inputs(
            condemned_links=self.links, buried=self.envelopes, condemned_answers=self.answers, alone=True,
            condemned_timers=self.timers, condemned_parked=self.parked, cause=cause,
        )  # fmt: skip

    def suspect(self) -> str:
        """The lasting name of a single input: the same when it is delivered again after a restart."""
        if self.envelopes:
            return f"{self.envelopes[0].target}/{self.envelopes[0].message_id}"
        if self.answers:
            outbox, answer = self.answers[0]
            kinds = "+".join(type(result).__name__ for result in answer.results)
            # Not the task's number: a rail that is asked again gives the same deadly answer to another task.
            return f"{outbox}/{answer.payment_id or answer.finishes}/{kinds}"
        if self.timers:
            return "timer/{}/{}".format(*self.timers[0])
        if self.parked:
            return f"parked/{self.parked[0].actor}/{self.parked[0].envelope.message_id}"
        return "/".join(f"{peer}/{content.number}" for peer, content in self.links)
