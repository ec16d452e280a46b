"""What process actors (Supervisor, Gateway, Cell) tell each other; carries no payment message itself.

Application messages travel inside `Frame.payload`, already encoded; nothing here is ever stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from actors.runtime.supervision import ChildSpec, RestartKind, SupervisionSpec, child_specs

CELL_CORE = "actors.assembly:build_cell"
GATEWAY = "actors.gateway.actor:GatewayActor"
GATEWAY_NAME = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPlan:
    """What the process layer needs to know of a system; made from the settings, fixed while it runs."""

    data: str  # absolute path of the data directory
    cells: tuple[str, ...]  # their names, in the order in which they are started
    supervision: SupervisionSpec = field(default_factory=SupervisionSpec)
    restart: RestartKind = "permanent"
    restart_of: dict[str, RestartKind] = field(default_factory=dict)  # children that differ, by name
    heartbeat_interval: timedelta = timedelta(seconds=1)
    heartbeat_deadline: timedelta = timedelta(seconds=15)  # must exceed a full turn with a slow commit
    ready_deadline: timedelta = timedelta(seconds=120)  # a cell recovers within this
    stop_deadline: timedelta = timedelta(seconds=10)  # for each process, from when it is asked to stop
    keeper: int | None = None  # a process without which the system is not to live: a `start` in the foreground
    core_factory: str = CELL_CORE  # `module:function(name, data, incarnation)`
    gateway_class: str = GATEWAY  # `module:class`

    def children(self) -> tuple[ChildSpec, ...]:
        """Who is supervised, in the order of their start.

        The gateway is first, and so the last to be stopped: it hands out the cells' last answers.

        Raises:
            ValueError: `restart_of` names a process that is none of them; a sentence.
        """
        names = [GATEWAY_NAME, *self.cells]
        return child_specs(names, self.restart, self.restart_of)


@dataclass(frozen=True, slots=True)
class Launch:
    """The launcher's word to the supervisor: start everything, answer `Launched` when it is decided."""

    plan: ProcessPlan


@dataclass(frozen=True, slots=True)
class Launched:
    """The system is ready, or `refusal` is a sentence that says why it can't be."""

    refusal: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """Many encoded envelopes (or an acknowledgement) from one peer to another.

    `sender` is the peer's name (`gateway`, `cell-0`, …), `payload` what `actors.messaging.frames` made.
    A frame that names its `receiver` is dropped by any other: the port of a process that has died may be
    given to another one while frames for the first are still being sent.
    """

    sender: str
    payload: bytes
    receiver: str = ""
    incarnation: int = 0  # of the sender; 0: it doesn't say

    def __repr__(self) -> str:
        """Without the payload: Thespian makes a text of every message several times on its way."""
        return f"Frame({self.sender!r}, {len(self.payload)} bytes, {self.receiver!r})"


@dataclass(frozen=True, slots=True)
class Configure:
    """The supervisor's first word to a new process actor: who it is and where its settings are."""

    name: str
    data: str
    incarnation: int  # 1 at the start of a system, one more at each restart
    core_factory: str = CELL_CORE


@dataclass(frozen=True, slots=True)
class Ready:
    """A process actor has recovered and takes messages; `pid` is its process id.

    `blamed` is the message on which the process before it ended, where the store shows one.
    """

    name: str
    pid: int
    incarnation: int
    blamed: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A process actor can't start; `reason` is one sentence that says what to do."""

    name: str
    reason: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Peers:
    """Where the others are: peer name to Thespian address; sent again whenever one is lost or replaced.

    `incarnations` names the newest that is or was ready of each, those that have no address now too; `down` those
    that nobody brings back.
    """

    addresses: dict[str, Any]
    incarnations: dict[str, int] = field(default_factory=dict)
    down: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The supervisor asks whether the process actor still answers."""

    number: int


@dataclass(frozen=True, slots=True)
class Alive:
    """The answer to a `Heartbeat`, with the actor's own report for `status`."""

    name: str
    number: int
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish the turn in hand, close, answer `Stopped`. With `now`, don't drain what has been buffered."""

    now: bool = False


@dataclass(frozen=True, slots=True)
class Stopped:
    """The process actor has closed its store; it may be ended."""

    name: str


@dataclass(frozen=True, slots=True)
class Control:
    """An operator's request to the supervisor, relayed by the gateway: `status`, `ready`, `stop`, `kill`.

    `request` is a plain dict with the key `do`; the answer is a `Controlled` with the same `number`.
    """

    number: int
    request: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Controlled:
    """The supervisor's answer to a `Control`."""

    number: int
    answer: dict[str, Any]
