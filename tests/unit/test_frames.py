"""Frames come back as they went, and nothing else is taken for one."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messaging import codec, frames
from actors.messaging.codec import CannotDecode
from actors.messaging.envelope import Envelope
from actors.messaging.frames import FrameContent
from actors.messaging.system_messages import Busy

codec.register(Busy)


def fields(number: int) -> list[object]:
    """An envelope as plain values."""
    return codec.envelope_fields(Envelope(f"m-{number}", Busy(retry_after_ms=number, reason="x"), "reply", "a", "b"))


@given(st.sampled_from(frames.KINDS), st.integers(0, 2**63), st.integers(0, 2**63), st.lists(st.integers(0, 9)))
def test_a_frame_comes_back_as_it_went(kind: str, number: int, acknowledged: int, seeds: list[int]) -> None:
    """What one process packs, the other reads, envelope by envelope."""
    content = frames.unpack_frame(frames.pack_frame(kind, number, acknowledged, [fields(seed) for seed in seeds]))
    assert content[:3] == (kind, number, acknowledged)
    assert [codec.envelope_from(values) for values in content.envelopes] == [
        codec.envelope_from(codec.unpack(codec.pack(fields(seed)))) for seed in seeds
    ]


@given(st.lists(st.integers(0, 9), max_size=40))
def test_envelopes_packed_one_by_one_make_the_same_frame(seeds: list[int]) -> None:
    """The gateway packs each envelope once and only joins them."""
    envelopes = [fields(seed) for seed in seeds]
    joined = frames.join_frame(frames.GATEWAY, 7, 3, [codec.pack(each) for each in envelopes])
    packed = frames.pack_frame(frames.GATEWAY, 7, 3, envelopes)
    assert frames.unpack_frame(joined) == frames.unpack_frame(packed)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x81\x90\x01",
        msgpack.packb([1, 2]),
        msgpack.packb(["other", 1, 0, []]),
        msgpack.packb(["gateway", "1", 0, []]),
        msgpack.packb(["gateway", 1, True, []]),
        msgpack.packb(["gateway", 1, 0, {}]),
        msgpack.packb([["gateway"], 1, 0, []]),
        msgpack.packb(["gateway", 1, 0, []]) + b"\x00",
        b"\x91" * 5_000,
    ],
)
def test_what_is_no_frame_is_refused(payload: bytes) -> None:
    """A process is never ended by bytes it doesn't understand."""
    with pytest.raises(CannotDecode):
        frames.unpack_frame(payload)


def test_an_empty_frame_acknowledges() -> None:
    """A cell that has no replies yet still says what it has handled."""
    payload = frames.pack_frame(frames.GATEWAY, 0, 5, [])
    assert frames.unpack_frame(payload) == FrameContent(frames.GATEWAY, 0, 5, [])


def test_many_frames_are_joined_into_few_and_say_the_same() -> None:
    """One input a turn makes a frame a turn, and a transport that is given hundreds at once stands still."""
    link = frames.pack_frame(frames.LINK, 3, 1, [fields(7)], at=5)
    many = [
        ("gateway", frames.pack_frame(frames.GATEWAY, 0, 0, [fields(1)])),
        ("b", frames.pack_frame(frames.LINK, 0, 1, [])),
        ("gateway", frames.pack_frame(frames.GATEWAY, 0, 9, [fields(2), fields(3)])),
        ("b", link),
        ("c", frames.pack_frame(frames.LINK, 0, 4, [])),
        ("b", frames.pack_frame(frames.LINK, 0, 2, [])),
    ]
    joined = frames.joined(many)
    assert [peer for peer, _ in joined] == ["b", "b", "c", "gateway"]
    assert joined[0] == ("b", link)
    assert [frames.unpack_frame(payload).acknowledged for _, payload in joined] == [1, 2, 4, 9]
    assert [each[0] for each in frames.unpack_frame(joined[3][1]).envelopes] == ["m-1", "m-2", "m-3"]
