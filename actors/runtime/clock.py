"""Time and chance for a cell: the only place that reads a clock or rolls dice; replaced in a simulation."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What time it is."""

    def now(self) -> datetime:
        """The present moment, UTC; never goes back while the process lives."""

    def witness(self, moment: datetime) -> None:
        """Something of this moment has been seen: from now on it is later than that.

        Source: S. Kulkarni et al., Logical Physical Clocks (2014): moments of different cells then never
        contradict what caused what.
        """


class SystemClock:
    """Wall time at the start, carried on by the monotonic clock: setting the machine's clock moves no deadline."""

    def __init__(self, not_before: datetime = _EPOCH) -> None:
        self._base = max(datetime.now(UTC), not_before)
        self._mark = time.monotonic()

    def now(self) -> datetime:
        """The present moment, UTC."""
        return self._base + timedelta(seconds=time.monotonic() - self._mark)

    def witness(self, moment: datetime) -> None:
        """Go on from `moment`, where this clock is behind it."""
        behind = moment - self.now()
        if behind >= timedelta(0):
            self._base += behind + _MICROSECOND


class Ids:
    """Ids that are unique in the whole system and ordered by time, and random UUIDs.

    An id is `prefix`, ten characters of milliseconds, two of the cell, three of a counter, `-`, the slot in
    hexadecimal. `not_before` is the last commit's moment: a clock set back repeats no id.
    """

    def __init__(self, cell_number: int, chance: random.Random, not_before: datetime = _EPOCH) -> None:
        self._cell = _base32(cell_number, 2)
        self._chance = chance
        self._last_ms = (not_before - _EPOCH) // timedelta(milliseconds=1) + 1
        self._count = 0
        self._head = ""

    def new_id(self, prefix: str, slot: int, now: datetime) -> str:
        """A new id that ends in `slot`."""
        ms = (now - _EPOCH) // timedelta(milliseconds=1)
        if ms > self._last_ms:
            self._last_ms, self._count, self._head = ms, 0, ""
        elif self._count >= 32**3 - 1:
            self._last_ms, self._count, self._head = self._last_ms + 1, 0, ""
        self._head = self._head or _base32(self._last_ms, 10) + self._cell
        self._count += 1
        return f"{prefix}{self._head}{_base32(self._count, 3)}-{slot:02x}"

    def new_uuid(self) -> str:
        """A random UUID version 4 (RFC 9562)."""
        digits = f"{self._chance.getrandbits(128):032x}"
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _base32(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
