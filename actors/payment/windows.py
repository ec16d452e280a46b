"""When something is open: hours of days in a time zone, as a bank publishes its cut-off times. Pure; reads no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from actors.payment.faults import BadWorkflow

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri")
_FARTHEST: Final = 400  # days: what stays closed for longer never opens


@dataclass(frozen=True, slots=True)
class Window:
    """Open from `opens` to `closes` (`HH:MM`, at latest `24:00`) on `days`, by the clocks of `zone`.

    `closed` says which dates are left out (holidays), whatever day of the week they are.

    Raises:
        BadWorkflow: no such time, day or zone, or a window that closes before it opens.
    """

    opens: str
    closes: str
    days: tuple[str, ...] = WEEKDAYS
    zone: str = "UTC"
    closed: Callable[[date], bool] | None = None

    def __post_init__(self) -> None:
        if not self.days or not set(self.days) <= set(DAYS):
            raise BadWorkflow(f"a window's days are some of {', '.join(DAYS)}, not {', '.join(self.days) or 'none'}")
        if _minutes(self.opens) >= _minutes(self.closes):
            raise BadWorkflow(f"a window that opens at {self.opens} can't close at {self.closes} of the same day")
        try:
            ZoneInfo(self.zone)
        except (ValueError, OSError, LookupError) as error:
            raise BadWorkflow(f"there is no time zone {self.zone}") from error

    def next(self, now: datetime) -> datetime:
        """The first moment from `now` on at which it is open: `now` itself, or the next opening."""
        today = now.astimezone(ZoneInfo(self.zone)).date()
        if self._is_kept(today) and self._at(today, self.opens) <= now < self._at(today, self.closes):
            return now
        return self.next_opening(now)

    def next_opening(self, now: datetime) -> datetime:
        """The next moment after `now` at which it opens.

        >>> Window("08:00", "16:00").next_opening(datetime(2030, 1, 4, 9, tzinfo=UTC)).isoformat()
        '2030-01-07T08:00:00+00:00'
        """
        day = now.astimezone(ZoneInfo(self.zone)).date()
        for _ in range(_FARTHEST):
            opening = self._at(day, self.opens)
            if opening > now and self._is_kept(day):
                return opening
            day += timedelta(days=1)
        raise BadWorkflow(f"the window from {self.opens} to {self.closes} does not open within {_FARTHEST} days")

    def __str__(self) -> str:
        left_out = f" but no {self.closed.__name__.replace('_', ' ').strip()}" if self.closed else ""
        return f"{self.opens} to {self.closes} {self.zone}, {_spanned(self.days)}{left_out}"

    def _is_kept(self, day: date) -> bool:
        return DAYS[day.weekday()] in self.days and not (self.closed and self.closed(day))

    def _at(self, day: date, clock: str) -> datetime:
        days, minutes = divmod(_minutes(clock), 24 * 60)
        local = datetime.combine(day + timedelta(days=days), time(minutes // 60, minutes % 60), ZoneInfo(self.zone))
        return local.astimezone(UTC)


def target_closing_day(day: date) -> bool:
    """Whether the euro's settlement system T2 is closed though it be a weekday: Easter, 1 May, Christmas, New Year.

    Source: the European Central Bank's long-term calendar of TARGET closing days.
    """
    easter = _easter(day.year)
    fixed = (day.month, day.day) in ((1, 1), (5, 1), (12, 25), (12, 26))
    return fixed or day in (easter - timedelta(days=2), easter + timedelta(days=1))


def _easter(year: int) -> date:
    """Easter Sunday in the Gregorian calendar. Source: J. Meeus, Astronomical Algorithms, chapter 8."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    l = (32 + 2 * e + 2 * i - h - k) % 7  # noqa: E741  # the book's letters
    m = (a + 11 * h + 22 * l) // 451
    month, before = divmod(h + l - 7 * m + 114, 31)
    return date(year, month, before + 1)


def _spanned(days: tuple[str, ...]) -> str:
    """Days as people say them: `mon to fri`, `sat sun`, `every day`."""
    kept = [day for day in DAYS if day in days]
    if len(kept) == len(DAYS):
        return "every day"
    first = DAYS.index(kept[0])
    in_a_row = tuple(kept) == DAYS[first : first + len(kept)]
    return f"{kept[0]} to {kept[-1]}" if in_a_row and len(kept) > 2 else " ".join(kept)


def _minutes(clock: str) -> int:
    hours, colon, minutes = clock.partition(":")
    if not (colon and len(clock) == 5 and hours.isdigit() and minutes.isdigit()):
        raise BadWorkflow(f"a time of day is written like 08:00, not {clock}")
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > 24 * 60:
        raise BadWorkflow(f"there is no time {clock} in a day")
    return total
