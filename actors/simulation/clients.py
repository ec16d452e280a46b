"""The gateway and whoever talks to it: the real routing, and clients that repeat what nobody answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from actors.gateway.routing import Correspondent, Replies, Routing
from actors.messaging.codec import envelope_from, pack, unpack
from actors.messaging.envelope import COMMAND, OPERATOR, Envelope
from actors.messaging.message import Message
from actors.messaging.system_messages import Busy
from actors.simulation.cells import SimulatedCell
from actors.simulation.clock import MILLISECOND, SECOND, Timeline
from actors.simulation.faults import Faults
from actors.simulation.network import Network
from actors.store.placement import Placement

CLIENTS: Final = 4
PATIENCE: Final = 6 * SECOND
TICK: Final = SECOND
BACK_AFTER: Final = (100 * MILLISECOND, SECOND)


@dataclass(slots=True)
class Request:
    """One message to an actor, until it is answered. Sent again under its own id."""

    message_id: str
    message: Message
    target: str
    slot: int
    kind: str
    payment_id: str
    heard: Callable[[Message], None]
    sent_at: int = 0


@dataclass(slots=True)
class Door:
    """The gateway's process: one incarnation of the real routing and its clients."""

    routing: Routing
    clients: list[Correspondent] = field(default_factory=list)


class Clients:
    """Everybody who talks to the system from outside, through one gateway that may be killed."""

    def __init__(
        self, timeline: Timeline, chance: Random, faults: Faults, network: Network, placement: Placement
    ) -> None:
        self._timeline = timeline
        self._chance = chance
        self._faults = faults
        self._network = network
        self._placement = placement
        self._requests = 0
        self._doors = 0
        self._pumping = False
        self.outstanding: dict[str, Request] = {}
        self.cells: list[SimulatedCell] = []
        self._door: Door | None = None

    def open(self) -> None:
        """Start the gateway."""
        self._doors += 1
        routing = Routing(self._placement, incarnation=self._doors, token=str(self._doors))
        self._door = door = Door(routing, [routing.meet() for _ in range(CLIENTS)])
        self.introduce()
        self._tick(door)
        for request in list(self.outstanding.values()):
            self._send(request)

    def kill(self) -> None:
        """End the gateway's process: what it knew is gone; clients come back and repeat what was not answered."""
        if self._door is not None:
            self._door = None
            self._faults.count("gateway killed")
            self._timeline.after(self._chance.randint(*BACK_AFTER), self.open)

    def introduce(self) -> None:
        """Tell the gateway which cells are there."""
        if self._door is not None:
            there = {cell.name: cell.process for cell in self.cells if cell.process is not None}
            self._door.routing.introduce(there, self._timeline.seconds)
            self._pump()

    def ask(
        self, message: Message, target: str, slot: int, heard: Callable[[Message], None], *,
        payment_id: str = "", operator: bool = False,
    ) -> Request:  # fmt: skip
        """Send a message; `heard` gets each reply."""
        self._requests += 1
        kind = OPERATOR if operator else COMMAND
        request = Request(f"client-{self._requests}", message, target, slot, kind, payment_id, heard)
        self.outstanding[request.message_id] = request
        self._send(request)
        return request

    def repeat(self, request: Request) -> None:
        """Send the very same message again."""
        self.outstanding[request.message_id] = request
        self._send(request)

    def took(self, cell: SimulatedCell, payload: bytes) -> bool:
        """A cell's frame has arrived; false where there is no gateway."""
        if self._door is None:
            return False
        self._hear(self._door.routing.answered(cell.name, payload))
        self._pump()
        return True

    def _send(self, request: Request) -> None:
        request.sent_at = self._timeline.now
        door = self._door
        if door is None:
            return
        client = door.clients[len(self.outstanding) % CLIENTS]
        envelope = Envelope(
            request.message_id, request.message, request.kind, "", request.target, request.payment_id,
            slot=request.slot,
        )  # fmt: skip
        door.routing.accept(client, [unpack(pack(envelope))])
        self._pump()

    def _pump(self) -> None:
        """Let what has been gathered go, once everybody who speaks at this moment has spoken."""
        if not self._pumping:
            self._pumping = True
            self._timeline.after(0, self._let_go)

    def _let_go(self) -> None:
        self._pumping = False
        if self._door is None:
            return
        by_name = {cell.name: cell for cell in self.cells}
        for name, payload in self._door.routing.due(self._timeline.seconds):
            self._network.send("gateway", name, payload, partial(by_name[name].arrived, "gateway"), in_order=True)
        self._hear(self._door.routing.refusals())

    def _hear(self, replies: Replies) -> None:
        for packed in [each for some in replies.values() for each in some]:
            reply = envelope_from(unpack(packed))
            request = self.outstanding.get(reply.causation_id)
            if request is None:
                continue
            if isinstance(reply.message, Busy):
                self._timeline.after(
                    reply.message.retry_after_ms * MILLISECOND, lambda request=request: self._send_again(request)  # type: ignore[misc]
                )  # fmt: skip
                continue
            if self._faults.strikes("acknowledgement to a client lost"):
                continue
            del self.outstanding[reply.causation_id]
            request.heard(reply.message)

    def _send_again(self, request: Request) -> None:
        if request.message_id in self.outstanding:
            self._send(request)

    def _tick(self, door: Door) -> None:
        if self._door is not door:
            return
        door.routing.tick(self._timeline.seconds)
        self._hear(door.routing.refusals())
        late = self._timeline.now - PATIENCE
        for request in [request for request in self.outstanding.values() if request.sent_at < late]:
            self._faults.count("order repeated after silence")
            self._send(request)
        self._pump()
        self._timeline.after(TICK, lambda: self._tick(door))
