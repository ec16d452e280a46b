"""Reading watchlists, and refusing those that can't be trusted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.aml.dates import differs, listed_dates
from actors.aml.watchlist import BadWatchlist, WatchlistEntry, read_watchlist

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"

HEADER = "entry_id,name,aliases,kind,country,date_of_birth,programme\n"
NULLS = ",-0- " * 6
SDN_PERSON = (
    f'7,"BLOCKOV, Viktor","individual","TEST] [ALSO",-0- {NULLS},"DOB 12 Apr 1966; alt. DOB 1967; '
    "nationality Utopia; a.k.a. 'THE SAMPLE'.\"\n"
)
SDN_FIRM = f'36,"SAMPLE AIRLINES",-0- ,"CUBA",-0- {NULLS},-0- \n'


def written(path: Path, content: str | bytes) -> Path:
    """The file at `path` with `content`."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path, format: str | None = None) -> str:
    """The sentence with which the file is refused."""
    with pytest.raises(BadWatchlist) as refused:
        read_watchlist(path, format)
    return str(refused.value)


def test_a_simple_list_gives_its_entries(tmp_path: Path) -> None:
    """The format for lists of one's own: a header and one line an entry."""
    path = written(tmp_path / "own.csv", HEADER + 'S1,"Blockov, Viktor",V. Blokov; Виктор ,person,RU,1966-04-12,ARMS\n')
    assert read_watchlist(path).entries == (
        WatchlistEntry(
            entry_id="S1",
            name="Blockov, Viktor",
            aliases=("V. Blokov", "Виктор"),
            kind="person",
            country="RU",
            date_of_birth="1966-04-12",
            programme="ARMS",
        ),
    )


def test_only_id_and_name_are_needed(tmp_path: Path) -> None:
    """A list of names is a list."""
    (entry,) = read_watchlist(written(tmp_path / "w.csv", "\ufeffentry_id,name\r\n1,Ostwerk\r\n\r\n")).entries
    assert (entry.name, entry.kind, entry.aliases, entry.date_of_birth) == (
        "Ostwerk",
        "organisation",
        (),
        None,
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        (HEADER, "has no entries"),
        ("hello\nworld\n", "no known watchlist format"),
        (HEADER + "1,A,,person,,,\n2,B,,person\n", "line 3 has 4 columns instead of 7"),
        (HEADER + "1,A,,person,,,\n1,B,,person,,,\n", "line 3 repeats the entry_id '1'"),
        (HEADER + ",A,,person,,,\n", "line 2 has no entry_id"),
        (HEADER + "1,,,person,,,\n", "line 2 has no name"),
        (HEADER + "1,A,,ghost,,,\n", "line 2 has the kind 'ghost'"),
        (HEADER + "1,A,,person,,31/12/70,\n", "line 2 has no valid date_of_birth"),
        (HEADER + '1,"A\n', "is not valid CSV"),
        ("entry_id,name,colour\n1,A,red\n", "line 1 has the header"),
        (HEADER.encode("utf-16"), "no known watchlist format"),
        (HEADER.encode() + b"1,A\0B,,person,,,\n", "line 2 has a zero byte"),
        (HEADER.encode() + b"1,A\x81\x8d,,person,,,\n", "save it as UTF-8"),
        ("<html></html>", "not the UN's consolidated list"),
        ("<CONSOLIDATED_LIST>", "is not valid XML"),
        ("<CONSOLIDATED_LIST/>", "has no entries"),
    ],
)
def test_a_malformed_list_is_refused_in_one_sentence(tmp_path: Path, content: str | bytes, said: str) -> None:
    """Whoever loads it must learn which line to look at."""
    sentence = refusal(written(tmp_path / "bad.csv", content))
    assert said in sentence
    assert sentence.startswith("bad.csv")
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_missing_file_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    """The two mistakes of a command line."""
    assert "can't be read" in refusal(tmp_path / "none.csv")
    assert "no watchlist format" in refusal(written(tmp_path / "w.csv", HEADER), "xls")


def test_the_treasurys_list_is_read_with_its_aliases(tmp_path: Path) -> None:
    """No header, -0- for null, names of unsure quality in the remarks, a closing control character."""
    path = written(tmp_path / "sdn.csv", SDN_PERSON + SDN_FIRM + "\x1a")
    written(tmp_path / "alt.csv", '7,12,"aka","BLOKOV, V.",-0- \n\x1a')
    person, firm = read_watchlist(path).entries
    assert person == WatchlistEntry(
        entry_id="7",
        name="BLOCKOV, Viktor",
        aliases=("BLOKOV, V.",),
        weak_aliases=("THE SAMPLE",),
        programme="TEST;ALSO",
        kind="person",
        date_of_birth="1966-04-12;1967",
        country="Utopia",
    )
    assert (firm.kind, firm.name, firm.aliases, firm.weak_aliases) == (
        "organisation",
        "SAMPLE AIRLINES",
        (),
        (),
    )


def test_the_treasurys_list_may_be_in_windows_encoding(tmp_path: Path) -> None:
    """It has been published so."""
    path = written(tmp_path / "sdn.csv", SDN_FIRM.replace("SAMPLE", "ÑANDÚ").encode("cp1252"))
    assert read_watchlist(path).entries[0].name == "ÑANDÚ AIRLINES"


@pytest.mark.parametrize(
    ("sdn", "alt", "said"),
    [
        (SDN_FIRM + "37,SHORT\n", "", "sdn.csv line 2 has 2 columns instead of 12"),
        (SDN_FIRM + SDN_FIRM, "", "sdn.csv line 2 repeats entry 36"),
        (SDN_FIRM + SDN_FIRM.replace("36", "x"), "", "sdn.csv line 2 has no entry number"),
        (SDN_FIRM, '99,1,"aka","X",-0- \n', "alt.csv line 1 names entry '99', which sdn.csv lacks"),
        (SDN_FIRM, "36,1\n", "alt.csv line 1 has 2 columns"),
    ],
)
def test_a_damaged_treasury_list_is_refused(tmp_path: Path, sdn: str, alt: str, said: str) -> None:
    """Half a download, or two files of different days."""
    written(tmp_path / "alt.csv", alt)
    assert said in refusal(written(tmp_path / "sdn.csv", sdn), "sdn")


UN = """<?xml version="1.0"?>
<CONSOLIDATED_LIST><INDIVIDUALS><INDIVIDUAL><FIRST_NAME>VIKTOR</FIRST_NAME><SECOND_NAME>BLOCKOV</SECOND_NAME>
<UN_LIST_TYPE>TEST</UN_LIST_TYPE><REFERENCE_NUMBER>TSi.001</REFERENCE_NUMBER>
<NATIONALITY><VALUE>Utopia</VALUE></NATIONALITY>
<INDIVIDUAL_ALIAS><QUALITY>Good</QUALITY><ALIAS_NAME>Vitya Blockov</ALIAS_NAME></INDIVIDUAL_ALIAS>
<INDIVIDUAL_ALIAS><QUALITY>Low</QUALITY><ALIAS_NAME>The Sample</ALIAS_NAME></INDIVIDUAL_ALIAS>
<INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>APPROXIMATELY</TYPE_OF_DATE><YEAR>1971</YEAR></INDIVIDUAL_DATE_OF_BIRTH>
</INDIVIDUAL></INDIVIDUALS><ENTITIES><ENTITY><FIRST_NAME>OSTWERK</FIRST_NAME>
<REFERENCE_NUMBER>TSe.001</REFERENCE_NUMBER></ENTITY></ENTITIES></CONSOLIDATED_LIST>"""


def test_the_security_councils_list_is_read(tmp_path: Path) -> None:
    """Persons and entities, with names in parts and aliases of two qualities."""
    person, firm = read_watchlist(written(tmp_path / "un.xml", UN)).entries
    assert (person.entry_id, person.name, person.kind) == ("TSi.001", "VIKTOR BLOCKOV", "person")
    assert (person.aliases, person.weak_aliases) == (("Vitya Blockov",), ("The Sample",))
    assert (person.date_of_birth, person.country, person.programme) == ("1970/1972", "Utopia", "TEST")
    assert (firm.name, firm.kind) == ("OSTWERK", "organisation")


def test_a_document_that_declares_entities_is_refused_unread(tmp_path: Path) -> None:
    """A kilobyte of nested entities expands to gigabytes."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "ha">{levels}]><CONSOLIDATED_LIST>&e11;</CONSOLIDATED_LIST>'
    assert "declares a document type" in refusal(written(tmp_path / "bomb.xml", bomb))


def test_the_version_follows_the_content(tmp_path: Path) -> None:
    """Two lists of one name must be told apart, and an alias file is part of the list."""
    path = written(tmp_path / "sdn.csv", SDN_FIRM)
    first = read_watchlist(path).version
    assert read_watchlist(path).version == first
    written(tmp_path / "alt.csv", '36,1,"aka","OTHER",-0- \n')
    assert read_watchlist(path).version != first


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """A download may be anything; nothing else than a refusal may come of it."""
    path = written(tmp_path_factory.getbasetemp() / "any.csv", content)
    for format in (None, "simple", "sdn", "un"):
        with pytest.raises(BadWatchlist):
            read_watchlist(path, format)


@pytest.mark.parametrize(
    ("listed", "given_date", "apart"),
    [
        ("1966-04-12", "1966-12-04", False),
        ("1966", "1967-01-01", False),
        ("1966", "1968-01-01", True),
        ("1960/1965", "1963", False),
        ("1960/1965;1980", "1979-05-05", False),
        ("1960/1965;1980", "1972-05-05", True),
        (None, "1972-05-05", False),
        ("1966", None, False),
        ("1966", "unknown", False),
    ],
)
def test_a_date_of_birth_speaks_against_a_hit_from_over_a_year_on(
    listed: str | None, given_date: str | None, apart: bool
) -> None:
    """Lists know dates roughly; a year either way proves nothing."""
    assert differs(listed, given_date) is apart


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("20 May 1985", "1985-05-20"),
        ("May 1985", "1985-05"),
        ("circa 1960", "1959/1961"),
        ("1979 to 1982", "1979/1982"),
    ],
)
def test_dates_are_read_as_lists_write_them(text: str, dates: str) -> None:
    """The Treasury writes them in words."""
    assert listed_dates(text) == dates


def test_the_sample_list_is_in_good_order() -> None:
    """It is what everybody tries first."""
    entries = read_watchlist(ROOT / "config" / "samples" / "watchlist.csv").entries
    assert len(entries) == 1000
    assert {entry.kind for entry in entries} == {"person", "organisation", "vessel", "aircraft"}
    assert all(entry.programme.startswith("SAMPLE-") for entry in entries)


@pytest.mark.parametrize(("file", "least"), [("ofac/sdn.csv", 8_000), ("un/UN_consolidated.xml", 900)])
def test_published_lists_are_read_whole(file: str, least: int) -> None:
    """The formats as they are, not as they are described."""
    if not (DATA / file).exists():
        pytest.skip("published lists are not part of the project")
    entries = read_watchlist(DATA / file).entries
    assert len(entries) > least
    assert sum(entry.date_of_birth is not None for entry in entries) > least / 4
    assert any(entry.weak_aliases for entry in entries)
