"""A frame counts only if it is whole, signed, addressed to the reader and not too long."""

from __future__ import annotations

import os

import pytest

from actors.runtime.signing import (
    ACCEPTED,
    DATA,
    MAXIMUM_BODY_BYTES,
    FrameBuffer,
    FrameHeader,
    FrameRefused,
    seal,
)

KEY = b"k" * 32
HERE = b"here--"
THERE = b"there-"


def buffer() -> FrameBuffer:
    """A buffer that finds every counter fresh."""
    return FrameBuffer(KEY, THERE, lambda header: None)


def test_a_frame_arrives_whole_however_it_is_cut() -> None:
    """TCP keeps no boundaries; the buffer finds them and reads none of the next frame."""
    body = os.urandom(5000)
    frame = seal(KEY, FrameHeader(DATA, len(body), HERE, THERE, 1, 2), body)
    for size in (1, 7, 4096):
        filling, rest = buffer(), frame + b"next"
        while not filling.isDone():
            wanted = min(size, filling.remainingAmount())
            filling.addMore(rest[:wanted])
            rest = rest[wanted:]
        assert (bytes(filling.body), rest) == (body, b"next")


def test_an_acknowledgement_has_no_body_and_is_signed_all_the_same() -> None:
    """An unsigned acknowledgement would let a stranger make messages vanish."""
    filling = buffer()
    filling.addMore(seal(KEY, FrameHeader(ACCEPTED, 0, HERE, THERE, 1, 2)))
    assert filling.isDone()
    with pytest.raises(FrameRefused, match="signature"):
        buffer().addMore(seal(b"?" * 32, FrameHeader(ACCEPTED, 0, HERE, THERE, 1, 2)))


def test_a_frame_that_is_too_long_is_refused_before_its_body_is_read() -> None:
    """Even a holder of the key can't fill the memory of another process."""
    header = FrameHeader(DATA, MAXIMUM_BODY_BYTES + 1, HERE, THERE, 1, 2)
    with pytest.raises(FrameRefused, match="too long"):
        buffer().addMore(header.signed(KEY))
