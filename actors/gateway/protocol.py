"""What travels over the Unix socket: a length of four bytes, then msgpack `[kind, ...]`; and where the socket is.

Client to gateway: `["hello"]`, `["send", [envelope, …]]`, `["control", number, request]`.
Gateway to client: `["welcome", facts]`, `["replies", [envelope, …]]`, `["controlled", number, answer]`,
`["restarted", cell]`: a reply that was to come from there may be lost; whoever waits asks again.

The gateway names the sender of a connection's n-th envelope `client/<connection>/<n>`, counted from 1, so
that the replies to it, which have that name as their target, find their way back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgpack

from actors.messaging.codec import CannotDecode

VERSION: Final = 2
MAXIMUM_BYTES: Final = 8 * 1024 * 1024
MAXIMUM_ENVELOPE_BYTES: Final = MAXIMUM_BYTES - 1_024  # what is round it in a packet, or a frame, takes less

HELLO: Final = "hello"
WELCOME: Final = "welcome"
SEND: Final = "send"
REPLIES: Final = "replies"
CONTROL: Final = "control"
CONTROLLED: Final = "controlled"
RESTARTED: Final = "restarted"

SOCKET: Final = "socket"
_LONGEST_PATH_BYTES: Final = 107  # sun_path has 108, the last one a zero
_LENGTH_BYTES: Final = 4
_LONG_ARRAY: Final = b"\xdd"
_FEW_BYTES: Final = 64 * 1024  # what so short a packet can make in memory needs no counting


def packet(kind: str, *values: Any) -> bytes:
    """One packet as it travels."""
    return _with_length(msgpack.packb((kind, *values)))


def envelopes_packet(kind: str, packed_envelopes: list[bytes]) -> bytes:
    """A `send` or `replies` packet of envelopes that are packed already, each by itself."""
    head = b"\x92" + msgpack.packb(kind) + _LONG_ARRAY + len(packed_envelopes).to_bytes(4, "big")
    return _with_length(b"".join((head, *packed_envelopes)))


def _with_length(body: bytes) -> bytes:
    if len(body) > MAXIMUM_BYTES:
        raise ValueError(f"a packet of {len(body)} bytes exceeds {MAXIMUM_BYTES}")
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class Incoming:
    """Gathers one connection's bytes and gives out whole packets.

    With `containers` a packet that holds more arrays and maps is refused before they fill the memory: one byte
    each on the wire, they take seventy there.
    """

    def __init__(self, containers: int | None = None) -> None:
        self._containers = containers
        self._gathered = bytearray()
        self._at = 0  # what lies before has been given out

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        self._gathered += data

    def packet(self) -> list[Any] | None:
        """The next whole packet as `[kind, ...]`, or None until there is one.

        Raises:
            CannotDecode: this is not our protocol; nothing after it on the connection can be believed.
        """
        gathered, at = self._gathered, self._at
        start = at + _LENGTH_BYTES
        if len(gathered) < start:
            self._forget_read()
            return None
        length = int.from_bytes(gathered[at:start], "big")
        if not 0 < length <= MAXIMUM_BYTES:
            raise CannotDecode(f"a packet has 1 to {MAXIMUM_BYTES} bytes, not {length}")
        if len(gathered) < start + length:
            self._forget_read()
            return None
        self._at = start + length
        with memoryview(gathered) as view, view[start : self._at] as body:
            return _unpacked(body, self._containers if length > _FEW_BYTES else None)

    @property
    def waiting_bytes(self) -> int:
        """How much is kept of packets that have not been given out."""
        return len(self._gathered) - self._at

    def _forget_read(self) -> None:
        del self._gathered[: self._at]
        self._at = 0


def _unpacked(body: memoryview, containers: int | None) -> list[Any]:
    count = None if containers is None else _Count(containers)
    try:
        values = msgpack.unpackb(body, strict_map_key=False, list_hook=count, object_hook=count)
    except (ValueError, TypeError, msgpack.UnpackException) as error:  # TypeError: a list as a map's key
        raise CannotDecode(f"not msgpack: {error}") from error
    if not isinstance(values, list) or not values or not isinstance(values[0], str):
        raise CannotDecode("a packet is an array that starts with its kind")
    return values


class _Count:
    """Lets so many arrays and maps pass."""

    def __init__(self, left: int) -> None:
        self._left = left

    def __call__(self, container: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ValueError("it holds too many arrays and maps")
        return container


@contextlib.contextmanager
def socket_address(data: Path) -> Iterator[str]:
    """An address for the socket in `data` that the kernel takes, however long the directory's path is.

    Raises:
        OSError: there is no such directory.
    """
    path = os.path.join(data, SOCKET)
    if len(os.fsencode(path)) <= _LONGEST_PATH_BYTES:
        yield path
        return
    directory = os.open(data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{SOCKET}"  # the same socket, by a short name
    finally:
        os.close(directory)
