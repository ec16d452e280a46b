"""A frame: many envelopes and an acknowledgement from one process to another; looks into no message."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgpack

from actors.messaging.codec import CannotDecode

GATEWAY: Final = "gateway"  # gateway ↔ cell: not durable, whoever waits sends again
LINK: Final = "link"  # cell ↔ cell: numbered for ever, kept by the sender until acknowledged
KINDS: Final = (GATEWAY, LINK)

_ARRAY_OF_FIVE: Final = b"\x95"
_LONG_ARRAY: Final = b"\xdd"  # its length follows as four bytes


class FrameContent(NamedTuple):
    """What a frame says.

    `number` is the frame's own (gateway) or that of its first envelope, the others following without gaps
    (link). `acknowledged` is the highest number of the other side's that was handled, that is committed;
    0 acknowledges nothing. `envelopes` are as `codec.envelope_fields` makes them. `at` is the sender's moment in
    microseconds (link): whatever comes of the frame is later than that. 0 where it does not matter.
    """

    kind: str
    number: int
    acknowledged: int
    envelopes: list[list[Any]]
    at: int = 0


def pack_frame(kind: str, number: int, acknowledged: int, envelopes: list[Any], at: int = 0) -> bytes:
    """A frame as bytes, from envelopes as `codec.envelope_fields` makes them."""
    packed: bytes = msgpack.packb((kind, number, acknowledged, at, envelopes))
    return packed


def join_frame(kind: str, number: int, acknowledged: int, packed_envelopes: list[bytes], at: int = 0) -> bytes:
    """The same frame from envelopes that are packed already, each by itself (`codec.pack`)."""
    parts = [_ARRAY_OF_FIVE, *(msgpack.packb(part) for part in (kind, number, acknowledged, at))]
    parts += (_LONG_ARRAY, len(packed_envelopes).to_bytes(4, "big"))
    return b"".join(parts + packed_envelopes)


def unpack_frame(payload: bytes) -> FrameContent:
    """The inverse of `pack_frame`; the envelopes themselves are not looked into.

    Raises:
        CannotDecode: `payload` is no frame.
    """
    try:
        values = msgpack.unpackb(payload, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:  # TypeError: a list as a map's key
        raise CannotDecode(f"not msgpack: {error}") from error
    if not isinstance(values, list) or len(values) != 5:
        raise CannotDecode("a frame has " + ", ".join(FrameContent._fields))
    kind, number, acknowledged, at, envelopes = values
    if kind not in KINDS or type(number) is not int or type(acknowledged) is not int or type(at) is not int:
        raise CannotDecode("a frame starts with its kind and three numbers")
    if not isinstance(envelopes, list):
        raise CannotDecode("a frame ends with the list of its envelopes")
    return FrameContent(kind, number, acknowledged, envelopes, at)


def joined(frames: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The same with fewer frames: those for the gateway in one, and of bare acknowledgements only each peer's last.

    Whoever sends many frames in a row waits for the transport to send them all.
    """
    gateway: list[FrameContent] = []
    others: list[tuple[str, bytes]] = []
    bare: dict[str, bytes] = {}
    for peer, payload in frames:
        content = unpack_frame(payload)
        if content.kind == GATEWAY:
            gateway.append(content)
        elif content.envelopes:
            others.append((peer, payload))
        else:
            bare[peer] = payload
    together = (
        [
            (
                "gateway",
                pack_frame(
                    GATEWAY,
                    0,
                    max(content.acknowledged for content in gateway),
                    [envelope for content in gateway for envelope in content.envelopes],
                ),
            )
        ]
        if gateway
        else []
    )
    return [*others, *bare.items(), *together]
