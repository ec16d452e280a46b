"""What has come for a cell and waits for its next turn: frames of peers, answers of workers; and who hears `Busy`."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from actors.messaging.codec import CannotDecode, envelope_fields, envelope_from
from actors.messaging.envelope import Envelope
from actors.messaging.frames import LINK, FrameContent
from actors.messaging.system_messages import Busy
from actors.runtime.admission import Admission, Backlog
from actors.runtime.effects import CLIENT
from actors.runtime.inputs import Inputs
from actors.runtime.service import Answer


class Arrivals:
    """One cell's. Workers answer in their own threads; all else happens in the cell's."""

    def __init__(self, cell: str, admission: Admission) -> None:
        self._cell = cell
        self._admission = admission
        self._frames: deque[tuple[str, FrameContent]] = deque()
        self._answers: deque[tuple[str, Answer]] = deque()
        self._told_busy: list[Envelope] = []  # since they were last asked for
        self._busy_answers = 0
        self._log = structlog.get_logger("cell").bind(cell=cell)

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._frames or self._answers)

    @property
    def answers(self) -> int:
        """How many answers of workers wait."""
        return len(self._answers)

    def take(self, peer: str, content: FrameContent) -> None:
        """Keep a frame for the next turn: one that a peer sends again before it was taken is kept once."""
        for at, (known_peer, known) in enumerate(self._frames):
            same = (known_peer, known.kind, known.number) == (peer, content.kind, content.number)
            if same and known.envelopes and len(content.envelopes) >= len(known.envelopes):
                acknowledged = max(known.acknowledged, content.acknowledged)
                self._frames[at] = (peer, content._replace(acknowledged=acknowledged))
                return
        self._frames.append((peer, content))

    def answered(self, outbox: str, answers: list[Answer]) -> None:
        """Keep a worker's answers; called in its thread."""
        self._answers.extend((outbox, answer) for answer in answers)

    def put_back(self, answers: list[tuple[str, Answer]]) -> None:
        """Answers that could not be taken: before those that came meanwhile, since a payment's come in order."""
        self._answers.extendleft(reversed(answers))

    def collect(self, room: int, now: datetime, backlogs: Mapping[str, Backlog]) -> tuple[Inputs, int]:
        """What a turn takes, up to `room` answers and some `room` envelopes; and the gateway's frame to acknowledge."""
        inputs, acknowledged = Inputs(), 0
        self._admission = self._admission.look(now, backlogs)
        for _ in range(min(room, len(self._answers))):
            inputs.answers.append(self._answers.popleft())
        while self._frames and room > 0:
            peer, content = self._frames.popleft()
            room -= len(content.envelopes)
            if content.kind == LINK:
                inputs.links.append((peer, content))
                continue
            acknowledged = content.number
            for fields in content.envelopes:
                self._admit(peer, fields, inputs)
        return inputs, acknowledged

    def told_busy(self) -> list[list[Any]]:
        """The answers to those who were told to come later, as they travel; once."""
        told, self._told_busy = self._told_busy, []
        return [envelope_fields(each) for each in told]

    def report(self) -> dict[str, Any]:
        """What `status` shows of it."""
        return {
            "waiting_frames": len(self._frames),
            "mailbox": sum(len(content.envelopes) for _, content in list(self._frames)) + len(self._answers),
            "busy": self._admission.reason,
            "busy_answers": self._busy_answers,
        }

    def _admit(self, peer: str, fields: list[Any], inputs: Inputs) -> None:
        try:
            envelope = envelope_from(fields)
        except CannotDecode as error:
            self._log.error("message refused", peer=peer, error=str(error))
            inputs.refused.append((fields, str(error)))
            return
        if self._admission.reason and envelope.message.starts_work and envelope.sender[:7] == CLIENT:
            self._tell_busy(envelope)
        else:
            inputs.envelopes.append(envelope)

    def _tell_busy(self, envelope: Envelope) -> None:
        """Refuse new work before anything is done for it; the same may be sent again."""
        admission = self._admission
        busy = Busy(retry_after_ms=admission.retry_after_ms, reason=f"{admission.reason} in {self._cell}")
        self._told_busy.append(Envelope("", busy, "reply", self._cell, envelope.sender, "", envelope.message_id))
        self._busy_answers += 1
