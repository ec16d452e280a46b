"""The in-process Thespian system inside a cell: named actors, created on demand, on Thespian's own base.

What Thespian's base does slowly or unsafely is replaced: mailboxes are one deque, addresses are names that are
resolved at delivery, a name of a family (`payment/…`) creates its actor, and nothing keeps dead addresses.
Which message goes to whom, and what becomes of a handler that raises, is the turn's business (`delivery.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, ChildActorExited
from thespian.system.simpleSystemBase import ActorRef, ActorSystemBase

from actors.messaging.message import Message
from actors.runtime.service import CellContext, Handler, Service


class _System:
    """What Thespian's base and its actor references expect of an ActorSystem."""

    def __init__(self, name: str) -> None:
        self.systemAddress = ActorAddress(name)
        self.capabilities: dict[str, Any] = {}
        self._systemBase: Any = None


class InProcessSystem(ActorSystemBase):  # type: ignore[misc]  # Thespian ships no types
    """Hosts a cell's services and sagas; each is a Thespian `Actor` whose address is its logical name."""

    def __init__(self, name: str, context: CellContext) -> None:
        system = _System(name)
        super().__init__(system, logDefs=False)
        system._systemBase = self
        self._context = context
        self._pendingSends: deque[Any] = deque()
        self._families: list[tuple[str, type[Service], str]] = []
        self._classes: dict[str, type[Service]] = {}
        self._elsewhere: dict[str, type[Service]] = {}  # what other cells host: services, and families by their prefix
        self.residents: dict[str, ActorRef] = {}  # actors of families, the longest in memory first
        self.exited: Callable[[str], None] = lambda name: None

    def host(self, service: type[Service]) -> None:
        """Create the actor of a service under its name."""
        self._classes[service.name] = service
        self._create(service.name, service, self.system.systemAddress)

    def host_family(self, prefix: str, member: type[Service], parent: str) -> None:
        """Actors named `prefix…` are of class `member` and children of the actor `parent`."""
        self._families.append((prefix, member, parent))

    def know(self, service: type[Service]) -> None:
        """A service that lives in another cell."""
        self._elsewhere[service.name] = service

    def know_family(self, prefix: str, member: type[Service]) -> None:
        """A family whose actors live in other cells."""
        self._elsewhere[prefix] = member

    def handlers_of(self, name: str) -> Mapping[type[Message], Handler] | None:
        """What the actor of this name handles, in whatever cell it lives; None where there is none."""
        service = self._classes.get(name) or self._elsewhere.get(name)
        families = [(prefix, member) for prefix, member, _ in self._families] + list(self._elsewhere.items())
        if service is None and "/" in name:
            service = next((member for prefix, member in families if name.startswith(prefix)), None)
        return None if service is None else service.handlers

    def find(self, name: str) -> ActorRef | None:
        """The actor of this name, created where it belongs to a family or had lost its instance; or None."""
        ref = self.actorRegistry.get(name)
        if ref is not None and ref.instance is not None:
            return ref
        if name in self._classes:
            return self._create(name, self._classes[name], self.system.systemAddress)
        for prefix, member, parent in self._families:
            if name.startswith(prefix):
                above = self.find(parent)  # the parent too may have been dropped, and is made anew
                ref = self._create(name, member, above.address if above else self.system.systemAddress)
                self.residents[name] = ref
                return ref
        return None

    def hosts(self, name: str) -> bool:
        """Whether a message for this name would find an actor."""
        return name in self._classes or any(name.startswith(prefix) for prefix, _, _ in self._families)

    def is_service(self, name: str) -> bool:
        """Whether this is the name of a service (and not of one of its many children)."""
        return name in self._classes

    def drop(self, name: str) -> bool:
        """Forget the instance of an actor; it is made anew from the store when the next message comes."""
        self.residents.pop(name, None)
        ref = self.actorRegistry.pop(name, None)
        return ref is not None

    def drop_all(self) -> None:
        """Forget every instance: what they know may belong to a turn that never happened."""
        for name in [*self._classes, *self.residents]:
            self.drop(name)

    def drop_idle(self, keep: int) -> None:
        """Let actors of families leave memory, those that have been there longest first, until `keep` are left."""
        excess = len(self.residents) - keep
        if excess > 0:
            for name in list(islice(self.residents, excess)):
                self.drop(name)

    def kill(self, name: str) -> bool:
        """End an actor at once, as Thespian does it: its parent hears `ChildActorExited`."""
        ref = self.actorRegistry.get(name)
        if ref is None or name in self._internalAddresses:
            return False
        self.drop(name)
        parent = self.actorRegistry.get(ref.parent.actorAddressString)
        if parent is not None and parent.instance is not None:
            parent.instance.receiveMessage(ChildActorExited(ref.address), ref.address)
        return True

    def actor_send(self, from_actor: ActorAddress, to_actor: ActorAddress, message: Any) -> None:
        """Thespian's own `send`: only an exit request has a meaning here, everything else goes through the turn."""
        if isinstance(message, ActorExitRequest):
            self.kill(to_actor.actorAddressString)

    def _create(self, name: str, service: type[Service], parent: ActorAddress) -> ActorRef:
        instance = service()
        ref = ActorRef(self.system, parent, ActorAddress(name), instance)
        instance._myRef = ref
        instance._receive = instance.receiveMessage
        self.actorRegistry[name] = ref
        instance.prepare(self._context)
        return ref
