"""When a window is open: hours, days, holidays, and clocks that are put forward and back; the euro's closing days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from actors.payment.windows import Window, target_closing_day
from actors.payment.workflow import BANKING_HOURS

BERLIN = Window("08:00", "16:00", zone="Europe/Berlin")


def utc(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2030-01-02T06:59:59", "2030-01-02T07:00:00"),  # 07:59:59 in Berlin
        ("2030-01-02T07:00:00", "2030-01-02T07:00:00"),  # it opens
        ("2030-01-02T14:59:59", "2030-01-02T14:59:59"),
        ("2030-01-02T15:00:00", "2030-01-03T07:00:00"),  # it closes: no moment too late
        ("2030-01-04T15:00:00", "2030-01-07T07:00:00"),  # Friday evening, until Monday
        ("2030-01-05T10:00:00", "2030-01-07T07:00:00"),
        ("2030-03-29T16:00:00", "2030-04-01T06:00:00"),  # over the night in which the clocks are put forward
        ("2030-10-25T15:00:00", "2030-10-28T07:00:00"),  # and back
    ],
)
def test_a_window_opens_by_the_clocks_of_its_zone(now: str, opens: str) -> None:
    """A payment is neither sent when nobody takes it nor kept back while somebody would."""
    assert BERLIN.next(utc(now)) == utc(opens)


def test_the_next_opening_is_never_the_one_that_has_been() -> None:
    """Whoever refused for the hour has said that it is closed by now, whatever our clock says."""
    assert BERLIN.next_opening(utc("2030-01-02T07:00:00")) == utc("2030-01-03T07:00:00")
    assert BERLIN.next_opening(utc("2030-01-02T10:00:00")) == utc("2030-01-03T07:00:00")


def test_a_day_that_is_left_out_stays_closed_all_day() -> None:
    """Whatever day of the week it is."""
    window = Window("08:00", "16:00", closed=lambda day: day == date(2030, 1, 2))
    assert window.next(utc("2030-01-02T10:00:00")) == utc("2030-01-03T08:00:00")
    assert window.next_opening(utc("2030-01-01T20:00:00")) == utc("2030-01-03T08:00:00")


def test_a_window_may_last_until_midnight_and_be_open_on_any_day() -> None:
    """24:00 is the end of the day that it names."""
    late = Window("20:00", "24:00", days=("sun",))
    assert late.next(utc("2030-01-06T23:59:59")) == utc("2030-01-06T23:59:59")
    assert late.next(utc("2030-01-07T00:00:00")) == utc("2030-01-13T20:00:00")


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (Window("08:00", "16:00"), "08:00 to 16:00 UTC, mon to fri"),
        (Window("08:00", "16:00", days=("sat", "sun")), "08:00 to 16:00 UTC, sat sun"),
        (Window("08:00", "16:00", days=("fri", "mon", "wed")), "08:00 to 16:00 UTC, mon wed fri"),
        (Window("00:00", "24:00", days=("mon", "tue", "wed", "thu", "fri", "sat", "sun")),
         "00:00 to 24:00 UTC, every day"),
        (BANKING_HOURS, "02:30 to 17:00 Europe/Berlin, mon to fri but no target closing day"),
    ],
)  # fmt: skip
def test_a_window_is_told_in_words(window: Window, words: str) -> None:
    """In tables and pictures, for people."""
    assert str(window) == words


# The European Central Bank's calendar, weekends apart: New Year, Good Friday, Easter Monday, 1 May, Christmas.
CLOSED = {
    2024: ("01-01", "03-29", "04-01", "05-01", "12-25", "12-26"),
    2025: ("01-01", "04-18", "04-21", "05-01", "12-25", "12-26"),
    2026: ("01-01", "04-03", "04-06", "05-01", "12-25", "12-26"),
    2027: ("01-01", "03-26", "03-29", "05-01", "12-25", "12-26"),
    2038: ("01-01", "04-23", "04-26", "05-01", "12-25", "12-26"),  # the latest Easter there can be
}


@pytest.mark.parametrize("year", CLOSED)
def test_the_euros_settlement_system_is_closed_on_these_days_and_no_other(year: int) -> None:
    """Easter moves, and a payment with it."""
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(366)]
    closed = [f"{day:%m-%d}" for day in days if day.year == year and target_closing_day(day)]
    assert tuple(closed) == CLOSED[year]


def test_banking_hours_wait_for_easter_to_be_over() -> None:
    """Refused for the hour on Maundy Thursday evening: Tuesday is the next day of business."""
    assert BANKING_HOURS.next(utc("2026-04-02T15:00:00")) == utc("2026-04-07T00:30:00")
