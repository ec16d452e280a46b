"""What is one cause and what are two."""

from __future__ import annotations

import pytest

from actors.runtime.causes import is_cause, normalised, stable_cause


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("KeyError: 'ACC-1001'", "KeyError: 'ACC-2'"),
        ("OverflowError: 92233720368547758080 of P01M841-2f", "OverflowError: 7 of P99X0-01"),
        ("ValueError: 13f995ad-a8c1-4b3e-9d3f-000000000001 is known", "ValueError: 00000000-0000-4000-8000-1 is known"),
        ("OSError: /var/lib/x/store.db: disk full", "OSError: /srv/other/y.db: disk full"),
        ("TypeError: <Order at 0x7f00ab> is none", "TypeError: <Order at 0x1b> is none"),
        ("E: due 2030-01-01T12:00:00+00:00", "E: due 2031-12-31T23:59:59.123"),
        ('E: key "a \\" b" twice', 'E: key "c" twice'),
        ("E: ids 1, 2, 3", "E: ids 4"),
        ("E: broke\nwith a second line 1", "E: broke\nwith another"),
    ],
)
def test_ids_numbers_and_quotations_split_no_group(one: str, other: str) -> None:
    """Ten thousand payments that meet one defect are one line in the list."""
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("KeyError: 'a'", "ValueError: 'a'"),
        ("ValueError: the account is closed", "ValueError: the account is unknown"),
        ("E: no such table", "E: no such column"),
    ],
)
def test_other_words_are_another_cause(one: str, other: str) -> None:
    """Two defects are mended one after the other, and their letters retried apart."""
    assert normalised(one) != normalised(other)


def test_the_place_is_part_of_the_cause() -> None:
    """The same words at another service, or at another message, are another defect; each saga is one place."""
    here = stable_cause("ledger", "DebitAccount", "KeyError: 1")
    assert here == "DebitAccount at ledger: KeyError: …"
    assert here != stable_cause("aml", "DebitAccount", "KeyError: 1")
    assert here != stable_cause("ledger", "PostDebit", "KeyError: 1")
    assert stable_cause("payment/P1-00", "M", "E: x") == stable_cause("payment/P2-01", "M", "E: x")


def test_a_cause_is_found_by_its_name_or_by_what_one_letter_said() -> None:
    """Whatever the operator copies out of the list."""
    letter = ("ledger", "DebitAccount", "KeyError: 'ACC-1'")
    assert is_cause("DebitAccount at ledger: KeyError: …", *letter)
    assert is_cause("KeyError: 'ACC-1'", *letter)
    assert is_cause("KeyError: 'ACC-2'", *letter)
    assert not is_cause("DebitAccount at aml: KeyError: …", *letter)
    assert not is_cause("KeyError", *letter)
    assert not is_cause("", *letter)


def test_a_long_cause_is_cut() -> None:
    """A group's name fits into a line and into a table."""
    assert len(normalised("word " * 1_000)) <= 300
