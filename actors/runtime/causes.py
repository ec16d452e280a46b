"""The stable cause of a failure: what is the same of it for every payment, so that its dead letters are one group."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

GAP: Final = "…"  # stands for an id, a number, a quotation
LONGEST: Final = 300

# From the most particular to the most general; what one has replaced, the next leaves alone.
_VARYING: Final = (
    re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`"),  # quoted: a value
    re.compile(r"\b0x[0-9a-fA-F]+\b"),
    re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
    re.compile(r"(?:/[\w.+@~-]+){2,}/?"),  # a path
    re.compile(r"[\w.+@-]*\d[\w.@+:/-]*"),  # any word with a digit in it: ids, accounts, amounts, moments
)
_GAPS: Final = re.compile(rf"{GAP}(?:[\s,;:.()\[\]<>=-]*{GAP})+")


@lru_cache(maxsize=4_096)
def normalised(text: str) -> str:
    """`text` without ids, numbers, quotations and paths: the same for each message that fails alike.

    >>> normalised("OverflowError: 92233720368547758080 of ACC-1001 is too large")
    'OverflowError: … of … is too large'
    """
    first_line = text.strip().partition("\n")[0]
    for pattern in _VARYING:
        first_line = pattern.sub(GAP, first_line)
    return _GAPS.sub(GAP, " ".join(first_line.split()))[:LONGEST].rstrip()


def stable_cause(actor: str, message_type: str, cause: str) -> str:
    """What a group of dead letters is called: the place, then the exception's type and its normalised words.

    >>> stable_cause("payment/P01-2f", "DebitRefused", "KeyError: 'AM04'")
    'DebitRefused at payment: KeyError: …'
    """
    return f"{message_type} at {actor.partition('/')[0]}: {normalised(cause)}"


def is_cause(wanted: str, actor: str, message_type: str, cause: str) -> bool:
    """Whether a dead letter belongs to the group `wanted`: a group's name, or a cause as one letter has it."""
    return wanted.strip() in (stable_cause(actor, message_type, cause), cause.strip()) or (
        normalised(wanted) == normalised(cause)
    )
