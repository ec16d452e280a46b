"""A real cell core without its process: a store on disk, real turns, driven by the test."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.messaging.codec import envelope_fields, envelope_from
from actors.messaging.envelope import COMMAND, HERE, Envelope
from actors.messaging.frames import GATEWAY, pack_frame, unpack_frame
from actors.messaging.message import Message
from actors.runtime.core import CellCore, Hosting
from actors.store.placement import spread
from config.settings import Settings


class OneCell:
    """`tell` sends a command as a client would and returns the reply; `crash` forgets all that was not committed."""

    def __init__(
        self, data: Path, make_hosting: Callable[[], Hosting], settings: Settings | None = None, clock: Any = None
    ) -> None:
        self.data = data
        self._make_hosting = make_hosting
        self.settings = settings or Settings()
        self._clock = clock
        self._requests = 0
        self._frame = 0
        self.replies: list[Envelope] = []
        self.core: CellCore
        self.open()

    def open(self) -> None:
        self.core = CellCore("cell-0", self.data, self.settings, spread(1), self._make_hosting(), clock=self._clock)
        self.core.open()

    def crash(self) -> None:
        """End it as `kill -9` would, as far as its store can tell; then recover."""
        self.core._session.roll_back()
        self.core._session.close()  # so that closing writes nothing more
        marker = self.core._marker
        self.core._marker = _NoMarker()  # type: ignore[assignment]  # the mark stays as it is
        self.core.close()
        del marker
        self.open()

    def close(self) -> None:
        self.core.close()

    def post(self, target: str, message: Message, *, payment_id: str = "", message_id: str = "") -> str:
        """Put a command into a frame of its own, without running it; returns its id."""
        return self.post_many([(target, message)], payment_id=payment_id, message_id=message_id)[0]

    def post_many(
        self, messages: list[tuple[str, Message]], *, payment_id: str = "", message_id: str = ""
    ) -> list[str]:
        envelopes = []
        for target, message in messages:
            self._requests += 1
            name = message_id or f"client-1-{self._requests}"
            envelopes.append(Envelope(name, message, COMMAND, "client/1/1", target, payment_id, slot=HERE))
        self._frame += 1
        self.core.arrived("gateway", pack_frame(GATEWAY, self._frame, 0, [envelope_fields(e) for e in envelopes]))
        return [envelope.message_id for envelope in envelopes]

    def run(self) -> list[Envelope]:
        """One turn; returns (and keeps) the replies to clients."""
        replies = []
        for peer, payload in self.core.run():
            if peer == "gateway":
                replies += [envelope_from(fields) for fields in unpack_frame(payload).envelopes]
        self.replies += replies
        return replies

    def tell(self, target: str, message: Message, *, payment_id: str = "") -> Message:
        """Send a command and run until its reply comes."""
        request = self.post(target, message, payment_id=payment_id)
        found: list[Message] = []

        def replied() -> bool:
            found.extend(reply.message for reply in self.replies if reply.causation_id == request)
            return bool(found)

        self.until(replied)
        return found[0]

    def until(self, condition: Callable[[], bool], deadline_s: float = 10.0) -> None:
        """Run turns as they become due until `condition` holds."""
        end = time.monotonic() + deadline_s
        while not condition():
            left = end - time.monotonic()
            assert left > 0, "the condition did not come to hold in time"
            if select.select([self.core.fileno()], [], [], min(left, 0.5))[0]:
                self.run()

    def idle(self) -> None:
        """Run turns until nothing is readable."""
        while select.select([self.core.fileno()], [], [], 0.02)[0]:
            self.run()

    def ask(self, sql: str, *parameters: Any) -> list[Any]:
        """Rows of the cell's store as committed."""
        self.core._session.begin()
        rows = self.core._session.all(sql, parameters)
        self.core._session.roll_back()
        return rows


class _NoMarker:
    cautious = 0

    def close(self) -> None:
        pass
