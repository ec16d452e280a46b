"""Which envelope goes to which cell, what waits for one, and which client a reply is for; no socket, no clock.

At most one frame is outstanding per cell; meanwhile envelopes gather. A frame stays outstanding until its
cell says that it was handled, and goes out again, under its number, to the cell's replacement: every
command may be repeated.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgpack

from actors.gateway.door import Door
from actors.messaging import codec
from actors.messaging.codec import CannotDecode
from actors.messaging.envelope import COMMAND, HERE, OPERATOR, REPLY, Envelope
from actors.messaging.frames import GATEWAY, join_frame, unpack_frame
from actors.messaging.system_messages import Busy
from actors.store.placement import Placement
from actors.vocabulary.slots import SLOTS

log = logging.getLogger(__name__)

CLIENT: Final = "client/"
LONGEST_MESSAGE_ID: Final = 100
RETRY_AFTER_MS: Final = 200
SETTLING_S: Final = 15.0  # after a cell was replaced nobody is told that it is busy
INCARNATION: Final = 2**32  # frame numbers of one incarnation of the gateway

_SLOT: Final = Envelope._fields.index("slot")
_SENDER: Final = Envelope._fields.index("sender")
_TARGET: Final = Envelope._fields.index("target")
_SHAPE: Final = [{"message": list, "attempt": int, "slot": int}.get(name, str) for name in Envelope._fields]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may wait where, and for how long."""

    frame_envelopes: int = 512
    frame_bytes: int = 8 * 1024 * 1024
    client_envelopes: int = 4_096  # of one client, not yet handled by the cells
    cell_envelopes: int = 32_768  # gathered for one cell
    cell_bytes: int = 64 * 1024 * 1024
    queue_seconds: float = 2  # that envelopes may wait for a cell, before it gets no new work
    down_seconds: float = 3  # then a missing cell's envelopes are given back
    unanswered_seconds: float = 5  # then a frame is sent again, though its cell seems to live; clients wait 30


@dataclass(eq=False, slots=True)
class Correspondent:
    """A client as the routing knows it: its name, how many it sent, how many of them are not yet handled."""

    name: str
    sent: int = 0
    outstanding: int = 0


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A frame that its cell has not yet handled."""

    number: int
    envelopes: dict[str, bytes]  # by their senders' names, which the replies are for
    shares: tuple[tuple[Correspondent, int], ...]
    sent_at: float

    def payload(self) -> bytes:
        """As it travels: without what has been answered, so that a cell that is killed again and again gets on."""
        return join_frame(GATEWAY, self.number, 0, list(self.envelopes.values()))


@dataclass(slots=True)
class Lane:
    """What the gateway knows of one cell."""

    name: str
    number: int  # of the last frame
    address: Any = None
    met: bool = False  # whether it has ever had an address
    lost_at: float | None = None
    refusing: bool = False
    gathered: deque[tuple[Correspondent, bytes, float, str]] = field(
        default_factory=deque
    )  # since when, and its sender
    gathered_bytes: int = 0
    outstanding: Outstanding | None = None
    again: bool = False  # the outstanding frame has to be sent again
    door: Door = field(default_factory=Door)
    handled: Outstanding | None = None  # by the cell, and not yet counted
    settled_at: float = 0.0  # before, what waits is what has gathered, and been sent again, while the cell was away


Replies = dict[Correspondent, list[bytes]]


class Routing:
    """The gateway's memory of what is under way. `token` tells this gateway's clients from an earlier one's."""

    def __init__(
        self,
        placement: Placement,
        *,
        incarnation: int = 1,
        token: str = "0",
        bounds: Bounds | None = None,
    ) -> None:
        codec.register(Busy)
        self.bounds = bounds or Bounds()
        door = Door(target=self.bounds.queue_seconds)
        self._placement = placement
        self._lanes = [Lane(name, incarnation * INCARNATION, door=door) for name in placement.names]
        self._by_name = {lane.name: lane for lane in self._lanes}
        self._token = token
        self._clients: dict[str, Correspondent] = {}
        self._met = 0
        self._busy = 0
        self._refused: Replies = {}
        self._pack = msgpack.Packer().pack
        self.now = 0.0  # monotonic seconds; whoever reads from clients keeps it
        self.envelopes = 0
        self.replies = 0
        self.frames = 0

    # Clients

    def meet(self) -> Correspondent:
        """A new client."""
        self._met += 1
        client = Correspondent(f"{CLIENT}{self._token}{self._met}")
        self._clients[client.name] = client
        return client

    def forget(self, client: Correspondent) -> None:
        """The client has left; what it sent goes on, replies to it are dropped."""
        self._clients.pop(client.name, None)
        self._refused.pop(client, None)

    def accept(self, client: Correspondent, envelopes: list[Any]) -> None:
        """Take a client's envelopes, each on its way to the cell that owns its slot.

        Raises:
            CannotDecode: one is none that a client may send; those before it are taken.
        """
        prefix = client.name + "/"
        bounds = self.bounds
        for fields in envelopes:
            _must_be_sendable(fields)
            client.sent += 1
            fields[_SENDER] = prefix + str(client.sent)
            lane = self._lane(fields)
            if (
                lane.refusing
                or (len(lane.gathered) >= bounds.cell_envelopes or lane.gathered_bytes >= bounds.cell_bytes)
                or (_is_shut(lane, bounds.frame_envelopes) and _starts_work(fields))
            ):
                self._refuse(client, lane, fields)
                continue
            packed = self._pack(fields)
            client.outstanding += 1
            lane.gathered.append((client, packed, self.now, fields[_SENDER]))
            lane.gathered_bytes += len(packed)
        self.envelopes += len(envelopes)

    def _lane(self, fields: list[Any]) -> Lane:
        """The cell of the target; `directory@ledger` names the cell itself.

        Raises:
            CannotDecode: no cell is called so.
        """
        target = fields[_TARGET]
        if "@" not in target:
            return self._by_name[self._placement.cell_for(target, fields[_SLOT])]
        fields[_TARGET], _, cell = target.rpartition("@")
        lane = self._by_name.get(cell)
        if lane is None:
            raise CannotDecode(f"no cell is called {cell[:40]!r}")
        return lane

    def is_full(self, client: Correspondent) -> bool:
        """Whether nothing more is to be read from this client for now."""
        return client.outstanding >= self.bounds.client_envelopes

    # Cells

    def introduce(self, addresses: Mapping[str, Any], now: float, down: Collection[str] = ()) -> list[str]:
        """Where the cells are now, and which of them nobody brings back; returns those that have been replaced."""
        replaced = []
        for lane in self._lanes:
            address = addresses.get(lane.name)
            if address is None and lane.name in down:
                self._refuse_all(lane)
            if address == lane.address:
                continue
            lane.address = address
            if address is None:
                lane.lost_at = now
                continue
            lane.lost_at, lane.refusing = None, False
            lane.settled_at, lane.door, lane.handled = now, Door(target=self.bounds.queue_seconds), None
            lane.again = lane.outstanding is not None
            if lane.met:
                replaced.append(lane.name)
                lane.settled_at += SETTLING_S
            lane.met = True
        return replaced

    def due(self, now: float) -> list[tuple[str, bytes]]:
        """The frames to send now, as (cell's name, payload)."""
        frames = []
        self.now = now
        for lane in self._lanes:
            if lane.address is None:
                continue
            _look_at_door(lane, now)
            if lane.again and lane.outstanding:
                lane.again = False
                frames.append((lane.name, lane.outstanding.payload()))
            elif lane.outstanding is None and lane.gathered:
                lane.outstanding = self._next_frame(lane, now)
                frames.append((lane.name, lane.outstanding.payload()))
        self.frames += len(frames)
        return frames

    def answered(self, cell: str, payload: bytes) -> Replies:
        """Take a cell's frame: what it has handled is done with; returns the replies for each client.

        Raises:
            CannotDecode: it is no frame for the gateway.
        """
        lane = self._by_name.get(cell)
        content = unpack_frame(payload)
        if lane is None or content.kind != GATEWAY:
            raise CannotDecode(f"{cell} sent a frame of the kind {content.kind}")
        if lane.outstanding and lane.outstanding.number == content.acknowledged:
            for client, share in lane.outstanding.shares:
                client.outstanding -= share
            lane.handled = lane.outstanding
            lane.outstanding, lane.again = None, False
        replies: Replies = {}
        pack, clients = self._pack, self._clients
        unanswered = lane.outstanding.envelopes if lane.outstanding else {}
        for fields in content.envelopes:
            if unanswered:
                unanswered.pop(fields[4], None)
            client_or_none = clients.get(fields[4].rpartition("/")[0])
            if client_or_none is not None:
                replies.setdefault(client_or_none, []).append(pack(fields))
        self.replies += len(content.envelopes)
        return replies

    def tick(self, now: float) -> None:
        """Give up waiting where it has been too long; to be called about once a second."""
        for lane in self._lanes:
            if lane.lost_at is not None and now - lane.lost_at >= self.bounds.down_seconds:
                self._refuse_all(lane)
            elif lane.outstanding and now - lane.outstanding.sent_at >= self.bounds.unanswered_seconds:
                lane.again = True
                lane.outstanding = replace(lane.outstanding, sent_at=now)

    def refusals(self) -> Replies:
        """The `Busy` replies that have come up since the last call."""
        refused, self._refused = self._refused, {}
        return refused

    def report(self) -> dict[str, Any]:
        """What `status` says about the gateway."""
        return {
            "clients": len(self._clients),
            "envelopes": self.envelopes,
            "replies": self.replies,
            "frames": self.frames,
            "busy": self._busy,
            "waiting": {lane.name: len(lane.gathered) for lane in self._lanes},
            "closed": [lane.name for lane in self._lanes if lane.door.closed],
            "down": [lane.name for lane in self._lanes if lane.address is None],
        }

    def _next_frame(self, lane: Lane, now: float) -> Outstanding:
        packed: dict[str, bytes] = {}
        shares: dict[Correspondent, int] = {}
        size = 0
        gathered, limit = lane.gathered, self.bounds.frame_bytes
        for _ in range(min(len(gathered), self.bounds.frame_envelopes)):
            client, envelope, _, sender = gathered[0]
            size += len(envelope)
            if packed and size > limit:
                break
            packed[sender] = envelope
            shares[client] = shares.get(client, 0) + 1
            lane.gathered_bytes -= len(envelope)
            gathered.popleft()
        lane.number += 1
        return Outstanding(lane.number, packed, tuple(shares.items()), now)

    def _refuse_all(self, lane: Lane) -> None:
        """Give back what has gathered, and take no more until the cell is there again."""
        lane.refusing = True
        while lane.gathered:
            client, packed, _, _ = lane.gathered.popleft()
            client.outstanding -= 1
            self._refuse(client, lane, msgpack.unpackb(packed, strict_map_key=False))
        lane.gathered_bytes = 0

    def _refuse(self, client: Correspondent, lane: Lane, fields: list[Any]) -> None:
        if client.name not in self._clients:
            return
        self._busy += 1
        reason = f"{lane.name} is down" if lane.refusing else f"too much is waiting for {lane.name}"
        busy = Envelope(
            message_id=f"gateway-{self._token}{self._busy}",
            message=Busy(retry_after_ms=_retry_after_ms(lane), reason=reason),
            kind=REPLY,
            sender="gateway",
            target=fields[_SENDER],
            causation_id=fields[0],
            slot=HERE,
        )
        self._refused.setdefault(client, []).append(codec.pack(codec.envelope_fields(busy)))


def _look_at_door(lane: Lane, now: float) -> None:
    """Before the next frame is made: how fast the cell was, and how long what goes out first has waited."""
    if lane.handled is not None:
        if lane.handled.sent_at >= lane.settled_at:
            number = sum(share for _, share in lane.handled.shares)
            lane.door = lane.door.handled(number, now - lane.handled.sent_at)
        lane.handled = None
    if lane.outstanding is None:
        waited = now - max(lane.gathered[0][2], lane.settled_at) if lane.gathered else 0.0
        lane.door = lane.door.passed(now, waited)


def _is_shut(lane: Lane, few: int) -> bool:
    """Whether new work is refused; what fits into the next frame is never too much, whatever the cell has been through:
    one that was replaced has made others wait, too."""
    waiting = len(lane.gathered)
    return waiting >= few and (lane.door.closed or lane.door.hopeless(waiting))


def _starts_work(fields: list[Any]) -> bool:
    known = codec.type_names.get(fields[1][0])
    return known is not None and known.starts_work


def _retry_after_ms(lane: Lane) -> int:
    return RETRY_AFTER_MS if lane.refusing else max(RETRY_AFTER_MS, lane.door.retry_after_ms(len(lane.gathered)))


def _must_be_sendable(fields: Any) -> None:
    """Only what the cells can read may go into a frame, since a frame holds several clients' envelopes."""
    if type(fields) is not list or list(map(type, fields)) != _SHAPE:
        raise CannotDecode("an envelope has " + ", ".join(Envelope._fields))
    message = fields[1]
    if len(message) != 2 or type(message[0]) is not str or type(message[1]) is not list:
        raise CannotDecode("a message is its name and the array of its fields")
    if codec.is_old_name(message[0]):  # what it stands for today is known only once it is read
        raise CannotDecode(f"a client may not send a {message[0][:80]}: that is how an earlier version called it")
    known = codec.class_called(message[0])
    if known is not None and not known.from_clients:  # a name that nobody knows is answered by the cell, in words
        raise CannotDecode(f"a client may not send a {message[0]}: actors alone say that")
    if fields[2] != COMMAND and fields[2] != OPERATOR:
        raise CannotDecode(f"a client sends commands, not a {fields[2][:20]!r}")
    if not 0 <= fields[_SLOT] < SLOTS:
        raise CannotDecode(f"a slot is 0 to {SLOTS - 1}, not {fields[_SLOT]}")
    if not 0 < len(fields[0]) <= LONGEST_MESSAGE_ID:
        raise CannotDecode(f"a message id has 1 to {LONGEST_MESSAGE_ID} characters")
