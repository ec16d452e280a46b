"""Where the other processes are, as the supervisor says and as their own frames show; knows no process itself."""

from __future__ import annotations

from typing import Any

from actors.runtime.control import Frame, Peers


class Neighbours:
    """The newer word counts, by incarnation.

    A gateway that has just been replaced may be heard before the supervisor's word of it is: an answer to the old
    address would be lost, and whoever waits for it would wait long. And a frame that its sender did not outlive may
    be heard after it.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, Any]] = {}  # name: incarnation, and its address (None: it has ended)

    def told(self, peers: Peers) -> None:
        """The supervisor's word: who lives where, and of which incarnation everybody is."""
        for name in {*peers.addresses, *peers.incarnations}:
            incarnation = peers.incarnations.get(name, 0)
            if incarnation >= self._known.get(name, (0, None))[0]:
                self._known[name] = incarnation, peers.addresses.get(name)

    def heard(self, frame: Frame, address: Any) -> None:
        """A frame has come from this address."""
        if frame.incarnation > self._known.get(frame.sender, (0, None))[0]:
            self._known[frame.sender] = frame.incarnation, address

    def address(self, name: str) -> Any:
        """Where to send what is for `name`; None while nobody knows."""
        return self._known.get(name, (0, None))[1]
