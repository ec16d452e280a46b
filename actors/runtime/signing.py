"""What a signed frame between processes looks like; pure bytes, no socket, no actor.

    magic, version, kind, length, sender, receiver, epoch, counter | HMAC | body | HMAC

A fixed header with its own signature, then the body with a signature over header and body. Whoever
doesn't hold the key gets no further than the header: no length of theirs is believed, no byte after it
is read.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MAXIMUM_BODY_BYTES: Final = 16 * 1024 * 1024
READ_BYTES: Final = 1024 * 1024

MAGIC: Final = b"PSGA"
VERSION: Final = 1
DATA, ACCEPTED, UNREADABLE = range(3)
HEADER: Final = struct.Struct("!4sBBI6s6sQQ")
MAC_BYTES: Final = hashlib.sha256().digest_size


class FrameRefused(Exception):
    """What arrived is not a fresh frame from a holder of the key."""


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What a frame says about itself; believed only once its signature has been checked."""

    kind: int
    length: int
    sender: bytes
    receiver: bytes
    epoch: int
    counter: int

    def signed(self, key: bytes) -> bytes:
        """The header as it travels, with its signature."""
        raw = HEADER.pack(MAGIC, VERSION, self.kind, self.length, self.sender, self.receiver, self.epoch, self.counter)
        return raw + hmac.digest(key, raw, "sha256")


def seal(key: bytes, header: FrameHeader, body: bytes = b"") -> bytes:
    """A whole frame: signed header, then the body with a signature over both."""
    front = header.signed(key)
    return front + body + _body_signature(key, front, body) if body else front


def _body_signature(key: bytes, front: bytes, body: bytes | bytearray | memoryview) -> bytes:
    signature = hmac.new(key, front, "sha256")
    signature.update(body)
    return signature.digest()


class FrameBuffer:
    """Gathers exactly one frame from a connection and lets nothing pass that isn't signed.

    Speaks the part of Thespian's `ReceiveBuffer` that its transport uses.
    """

    def __init__(self, key: bytes, receiver: bytes, fresh: Callable[[FrameHeader], None]) -> None:
        self._key = key
        self._receiver = receiver
        self._fresh = fresh
        self._gathered = bytearray()
        self._wanted = HEADER.size + MAC_BYTES
        self.header: FrameHeader | None = None

    def remainingAmount(self) -> int:
        """How much to read next: never beyond this frame, so there is never anything left over."""
        return min(self._wanted - len(self._gathered), READ_BYTES)

    def isDone(self) -> bool:
        """Whether the frame is whole and its signatures are right."""
        return self.header is not None and len(self._gathered) == self._wanted

    def is_empty(self) -> bool:
        """Whether nothing at all has arrived."""
        return not self._gathered

    def addMore(self, data: bytes) -> None:
        """Take what was read.

        Raises:
            FrameRefused: a signature, the length, the receiver or the counter is wrong.
        """
        self._gathered += data
        if len(self._gathered) < self._wanted:
            return
        if self.header is None:
            self.header = self._checked_header()
            if self.header.length:
                self._wanted += self.header.length + MAC_BYTES
        else:
            front = HEADER.size + MAC_BYTES
            view = memoryview(self._gathered)
            expected = _body_signature(self._key, bytes(view[:front]), view[front:-MAC_BYTES])
            if not hmac.compare_digest(expected, view[-MAC_BYTES:]):
                raise FrameRefused("the body's signature is wrong")

    @property
    def body(self) -> memoryview:
        """The bytes between the two signatures; only of a frame that is done."""
        return memoryview(self._gathered)[HEADER.size + MAC_BYTES : -MAC_BYTES]

    def _checked_header(self) -> FrameHeader:
        raw = bytes(self._gathered[: HEADER.size])
        signature = bytes(self._gathered[HEADER.size :])
        if not hmac.compare_digest(hmac.digest(self._key, raw, "sha256"), signature):
            raise FrameRefused("the header's signature is wrong")
        magic, version, *facts = HEADER.unpack(raw)
        header = FrameHeader(*facts)
        if (magic, version) != (MAGIC, VERSION):
            raise FrameRefused("another protocol or version")
        if header.receiver != self._receiver:
            raise FrameRefused("it is addressed to another process")
        if header.length > MAXIMUM_BODY_BYTES:
            raise FrameRefused("it is too long")
        if header.kind == DATA:
            self._fresh(header)
        return header
