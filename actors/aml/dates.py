"""Dates of birth as lists publish them, and whether one speaks against another; pure.

A list says `20 May 1985`, `circa 1960`, `1979 to 1982`, several alternatives, or 1 January for "some day that
year".
"""

from __future__ import annotations

import re
from datetime import date, datetime

_FULL = ("%Y-%m-%d", "%d %b %Y", "%d %B %Y")
_MONTH = ("%Y-%m", "%b %Y", "%B %Y")
_YEARS = re.compile(r"^(\d{4})\s*(?:/|-|to)\s*(\d{4})$")
_TOLERANCE_YEARS = 1


def listed_dates(text: str, lenient: bool = False) -> str | None:
    """`text` in the notation of `WatchlistEntry.date_of_birth`; None if it names no date.

    "circa" widens a year by one either way. With `lenient` alternatives that can't be read are passed over.

    >>> listed_dates("20 May 1985; alt. circa 1960; 1979 to 1982", lenient=True)
    '1985-05-20;1979/1982'
    >>> listed_dates("circa 1960")
    '1959/1961'

    Raises:
        ValueError: an alternative is no date (only without `lenient`).
    """
    found = []
    for alternative in text.split(";"):
        if not alternative.strip():
            continue
        read = _read(alternative.strip())
        if read is not None:
            found.append(read)
        elif not lenient:
            raise ValueError(f"{alternative.strip()!r} is no date like 1970-12-31, 1970-12, 1970 or 1970/1975")
    return ";".join(dict.fromkeys(found)) or None


def differs(listed: str | None, given: str | None) -> bool:
    """Whether a payment's date of birth speaks against a listed one: every alternative is over a year away.

    A day or a month that differs says nothing (lists know many only roughly, calendars are converted, days
    and months swapped); nor does a date that is missing or unreadable.

    >>> differs("1985-05-20;1979/1982", "1983-01-01"), differs("1985-05-20", "1962")
    (False, True)
    """
    year = _year(given or "")
    if not listed or year is None:
        return False
    for alternative in listed.split(";"):
        first, _, last = alternative.partition("/")
        earliest, latest = _year(first), _year(last or first)
        if earliest is None or latest is None:
            return False
        if earliest - _TOLERANCE_YEARS <= year <= latest + _TOLERANCE_YEARS:
            return False
    return True


def _year(text: str) -> int | None:
    start = text.strip()[:4]
    return int(start) if len(start) == 4 and start.isascii() and start.isdecimal() else None


def _read(text: str) -> str | None:
    """One alternative, or None."""
    about = text.lower().startswith("circa ")
    text = text[6:].strip() if about else text
    years = _YEARS.match(text)
    if years:
        first, last = int(years[1]), int(years[2])
    elif re.fullmatch(r"\d{4}", text):
        first = last = int(text)
    else:
        day = _parsed(text, _FULL)
        if day is not None:
            return f"{day.year - 1:04}/{day.year + 1:04}" if about else day.isoformat()
        month = _parsed(text, _MONTH)
        return f"{month:%Y-%m}" if month else None
    if about:
        first, last = first - 1, last + 1
    if first > last:
        return None
    return f"{first:04}" if first == last else f"{first:04}/{last:04}"


def _parsed(text: str, patterns: tuple[str, ...]) -> date | None:
    for pattern in patterns:
        try:
            return datetime.strptime(text, pattern).date()
        except ValueError:
            continue
    return None
