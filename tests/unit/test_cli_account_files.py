"""Account files: what is taken, and what is said about the rest."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.admin.account_files import read_accounts
from actors.admin.command import CommandFailed
from actors.ledger.messages import OpenAccount


def lines(tmp_path: Path, content: str | bytes) -> list[tuple[int, OpenAccount | str]]:
    """What a file with this content has."""
    path = tmp_path / "accounts.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_accounts(path))


def test_columns_may_stand_in_any_order_and_four_may_be_missing(tmp_path: Path) -> None:
    """A file from elsewhere needs no rearranging."""
    ((number, account),) = lines(tmp_path, "currency,account_id,overdraft\nJPY,ACC-1,500\n")
    assert number == 2
    assert account == OpenAccount(account_id="ACC-1", currency="JPY", overdraft=500)


def test_a_spreadsheets_file_is_read(tmp_path: Path) -> None:
    """With a byte order mark, Windows' line ends, quotes and blank lines."""
    content = '\ufeffaccount_id,currency,owner\r\n\r\nA,EUR,"Ltd, Example"\r\n'
    ((number, account),) = lines(tmp_path, content)
    assert number == 3
    assert isinstance(account, OpenAccount)
    assert account.owner == "Ltd, Example"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("A,XXX,1,,,", "currency 'XXX'"),
        ("A,EUR,-1,,,", "must be more than zero"),
        ("A,EUR,1.234,,,", "decimals of EUR"),
        (",EUR,1,,,", "no account_id"),
        ("A,EUR,1", "3 columns instead of 6"),
    ],
)
def test_a_bad_line_is_named_and_the_next_is_read(tmp_path: Path, line: str, said: str) -> None:
    """One mistake does not cost the whole file."""
    content = f"account_id,currency,deposit,overdraft,owner,email\n{line}\nB,EUR,1,,,\n"
    bad, good = lines(tmp_path, content)
    assert bad[0] == 2
    assert isinstance(bad[1], str)
    assert said in bad[1]
    assert isinstance(good[1], OpenAccount)


def test_an_account_on_two_lines_is_taken_once(tmp_path: Path) -> None:
    """The second line names the first."""
    _, second = lines(tmp_path, "account_id,currency\nA,EUR\nA,USD\n")
    assert second == (3, "account A is on line 2 already")


@pytest.mark.parametrize(
    "content", ["", "a,b\n1,2\n", "account_id,currency,colour\n", "account_id,account_id,currency\n"]
)
def test_a_file_with_another_header_is_refused_whole(tmp_path: Path, content: str) -> None:
    """Before a single account is opened."""
    with pytest.raises(CommandFailed, match="needs the header"):
        lines(tmp_path, content)


def test_a_file_that_is_no_text_is_refused_with_the_line(tmp_path: Path) -> None:
    """Somebody saved it in an old encoding."""
    with pytest.raises(CommandFailed, match=r"not UTF-8 text \(line 2\)"):
        lines(tmp_path, b"account_id,currency,owner\nA,EUR,M\xfcller\n")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """With the operating system's reason."""
    with pytest.raises(CommandFailed, match="can't be read"):
        list(read_accounts(tmp_path / "absent.csv"))


@given(st.binary(max_size=200))
def test_no_content_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Every line is an account or a sentence, or the whole file is refused."""
    with contextlib.suppress(CommandFailed):
        for number, account in lines(tmp_path_factory.getbasetemp(), b"account_id,currency\n" + content):
            assert number >= 2
            assert isinstance(account, OpenAccount | str)
