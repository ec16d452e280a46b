"""Partition slots: a stable hash spreads accounts and keys over a fixed number of slots. Pure.

Slots are mapped to cells in the data directory at first start (`actors.store.placement`); ids of payments and
cases end in the slot that owns them, so that whoever has the id knows where to ask.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

SLOTS: Final = 64


class BadId(ValueError):
    """Text that is no id of ours; the message is one sentence."""


def slot_of(key: str) -> int:
    """The slot of an account id or an idempotency key: the same on every machine, for ever.

    >>> slot_of("ACC-1") == slot_of("ACC-1"), 0 <= slot_of("ACC-2") < SLOTS
    (True, True)
    """
    return crc32(key.encode("utf-8", "surrogatepass")) % SLOTS


def slot_in(identifier: str) -> int:
    """The slot that a payment's or case's id carries in its last two hexadecimal digits.

    Raises:
        BadId: there is none.

    >>> slot_in("P01JD8XK2M300004-2f")
    47
    """
    slot = _SLOTS.get(identifier[-3:], SLOTS) if len(identifier) > 3 else SLOTS
    if slot == SLOTS:
        raise BadId(f"{identifier[:40]!r} is not an id this system gives out, such as P01JD8XK2M300004-2f")
    return slot


def id_with_slot(head: str, slot: int) -> str:
    """An id that carries `slot`: the inverse of `slot_in`.

    >>> id_with_slot("P01JD8XK2M300004", 47)
    'P01JD8XK2M300004-2f'
    """
    return f"{head}-{slot:02x}"


_SLOTS: Final = {f"-{slot:02x}": slot for slot in range(SLOTS)}
