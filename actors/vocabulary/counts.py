"""Counts in words, so that one of a kind is told as one. Pure."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """So many of a thing, as a sentence tells it, with what is said of them if need be.

    `many` is needed where the plural takes more than an s at the end.

    >>> counted(1, "payment"), counted(0, "payment"), counted(1200, "payment")
    ('1 payment', '0 payments', '1,200 payments')
    >>> counted(1, "order was taken", "orders were taken"), counted(2, "order was taken", "orders were taken")
    ('1 order was taken', '2 orders were taken')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
