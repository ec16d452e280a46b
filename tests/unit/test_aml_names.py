"""Normalising names and comparing two of them."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.aml.matching import CONFLICT_CEILING, score
from actors.aml.names import fold, most_edits, normalise, word_cost
from actors.aml.words import COMMON, LEGAL_FORMS, PARTICLES, TITLES, VARIANTS

PAIRS = Path(__file__).parents[3] / "shared" / "data" / "name_pairs" / "pairs.csv"

WORDS = """
    viktor blockov amina testari mohammed ahmed li van der bilt vanderbilt co bank 7 ii first j o siemens ag müller
    Çelik Øst Иван 김 محمد trading group sergeilavrov abdul rahman abdulrahman
"""
NAME_PARTS = st.sampled_from(WORDS.split())
NAMES = st.lists(NAME_PARTS, min_size=0, max_size=6).map(" ".join) | st.text(max_size=30)


def likeness(one: str, other: str) -> float:
    """The score of two names as they are written."""
    return score(normalise(one), normalise(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("JOSÉ Martínez", "jose martinez"),
        ("Müller", "MUELLER"),
        ("Smith, John", "John Smith"),
        ("Dr. Rami Makhlouf", "Mr Rami Makhlouf"),
        ("Siemens Aktiengesellschaft", "Siemens AG"),
        ("Oboronnye Initsiativy o.O.O.", "OOO Oboronnye Initsiativy"),
        ("Volkswagen Gesellschaft mit beschränkter Haftung", "VOLKSWAGEN G.m.b.H."),
        ("Lloyds Banking Group Public Limited Company", "Lloyds Banking Group plc"),
        ("JPMorgan Chase & Co.", "JP Morgan Chase and Co"),
        ("Виктор Блоков", "Viktor Blokov"),
        ("1st International Bank", "First International Bank"),
        ("Brigade Forty-four", "Brigade 44"),
        ("Fund VII", "Fund 7"),
        ("SergeiLavrov", "Sergei Lavrov"),
        ("A.B.C. Company", "ABC Co."),
        ("Bashar\u200b al-\u00adAssad\x07", "Bashar Assad"),
    ],
)
def test_two_writings_of_one_name_score_full_marks(one: str, other: str) -> None:
    """Case, accents, script, order, titles, legal forms and invisible characters say nothing about who it is."""
    assert likeness(one, other) >= 95


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mohammed Yousef", "Muhammad Yusuf"),
        ("Wolodymyr Selenskyj", "Volodymyr Zelenskyy"),
        ("Usama ibn Laden", "Osama bin Laden"),
        ("Vladimir Pudin", "Vladimir Putin"),
        ("Alexander Luakshenko", "Alexander Lukashenko"),
        ("Good Will Company", "Goodwill Company"),
        ("Vladimir Vladimirovich Putin", "Vladimir Putin"),
        ("Hans J Friedrich", "Hans Joachim Friedrich"),
        ("Wallmart Inc.", "Walmart Inc."),
        ("Victory", "Victory 3"),
    ],
)
def test_a_likely_variant_scores_above_the_threshold_for_a_hold(one: str, other: str) -> None:
    """Typing errors, transliterations, a name in short or in full: a person has to look."""
    assert likeness(one, other) >= 72


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hafez Makhlouf", "Rami Makhlouf"),
        ("Hans O Friedrich", "Hans Joachim Friedrich"),
        ("Daniel Tusk", "Donald Tusk"),
        ("Saddam Hussein al-Dulaimi", "Saddam Hussein al-Tikriti"),
        ("Sergey Borisovitch Lavrov", "Sergey Viktorovich Lavrov"),
        ("Bowne of Atlanta, Inc.", "Bowne of Boston, Inc."),
        ("Volkswagen AG", "Siemens AG"),
        ("高石早苗", "高市早苗"),
        ("Bank 7", "Bank 8"),
    ],
)
def test_a_false_friend_scores_below_every_threshold(one: str, other: str) -> None:
    """A word of its own on either side makes another name, however much else agrees."""
    assert likeness(one, other) <= CONFLICT_CEILING


def test_a_lone_word_with_an_initial_needs_the_word_itself() -> None:
    """Otherwise a firm called T-Rubber would hold every Robert Taylor."""
    assert likeness("Robert Taylor", "T-Rubber Co., Ltd") <= CONFLICT_CEILING
    assert likeness("Viktor Blockov", "V. Blockov") >= 72


def test_a_sister_fund_is_worth_a_look_and_no_more() -> None:
    """The same words with another number: neither the listed one nor nothing to do with it."""
    assert 72 <= likeness("Sable Capital Partners V2 Fund", "Sable Capital Partners V3 Fund") < 95


def test_a_rarer_word_left_over_costs_more_than_a_common_one() -> None:
    """`Group` adds little to a firm's name, another proper name much."""
    assert likeness("Ostwerk Group", "Ostwerk") > likeness("Ostwerk Blackmoor", "Ostwerk")


def test_a_respelling_costs_less_than_an_edit_and_more_than_nothing() -> None:
    """Li and Lee sound alike, and are two names more often than one."""
    assert likeness("John Li", "John Lee") < 95
    assert likeness("Viktor Blocov", "Viktor Blockov") > likeness("Viktor Blotkov", "Viktor Blockov")


def test_an_arabic_name_is_compared_by_its_consonants() -> None:
    """The script leaves out what the Latin spelling adds."""
    assert likeness("محمد بن سلمان", "Muhammad bin Salman") >= 72


@pytest.mark.parametrize("name", ["", " ", "-.,'", "\x00\x07", "\u202e"])
def test_a_name_without_letters_is_empty_and_like_nothing(name: str) -> None:
    """Nothing may be cleared for being unreadable; the index holds such names."""
    assert normalise(name).empty
    assert likeness(name, name) == 0


@pytest.mark.parametrize("name", ["GmbH", "al", "Dr.", "The Company"])
def test_a_name_of_ignored_words_keeps_them(name: str) -> None:
    """What would otherwise vanish is all that there is to compare."""
    assert not normalise(name).empty
    assert likeness(name, name) == 100


@given(NAMES, NAMES)
def test_the_score_is_symmetrical_and_between_0_and_100(one: str, other: str) -> None:
    """Which name is listed and which is given makes no difference."""
    assert likeness(one, other) == likeness(other, one)
    assert 0 <= likeness(one, other) <= 100


@given(st.lists(st.text("abcdefghiklmnorstuvz", min_size=2), min_size=1, max_size=6), st.randoms())
def test_the_order_of_words_is_irrelevant(words: list[str], chance: random.Random) -> None:
    """Family names come first or last, by culture and by form."""
    shuffled = words.copy()
    chance.shuffle(shuffled)
    assert normalise(" ".join(words)).words == normalise(" ".join(shuffled)).words


@given(st.lists(NAME_PARTS, min_size=1, max_size=6).map(" ".join))
def test_a_name_scores_100_with_itself(name: str) -> None:
    """Otherwise an exact hit could pass."""
    assert likeness(name, name) == (0 if normalise(name).empty else 100)


@given(NAMES)
def test_normalising_twice_changes_nothing(name: str) -> None:
    """What the normal form is spelt with is already normal."""
    once = normalise(name)
    again = normalise(" ".join(once.spelt))
    assert normalise(" ".join(again.spelt)).words == again.words


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=14))
def test_folding_leaves_a_word_of_letters(word: str) -> None:
    """Every word keeps something that can be compared."""
    assert fold(word).isalpha()


def test_short_words_must_agree_exactly() -> None:
    """One letter of two or three is another word: Li and Xi, not a typing error."""
    assert (most_edits(2), most_edits(3), most_edits(6)) == (0, 1, 2)
    assert word_cost("li", "la") is None
    assert word_cost("putin", "pudin") == 1
    assert word_cost("blukuv", "bulkuv") == 1


def test_the_word_tables_are_in_the_form_that_names_are_looked_up_in() -> None:
    """An upper case or accented entry would never be found, silently."""
    for word in (*LEGAL_FORMS, *TITLES, *PARTICLES, *COMMON, *VARIANTS, *VARIANTS.values()):
        assert word.isascii()
        assert word.isalpha()
        assert word.islower()


def test_labelled_pairs_are_told_apart() -> None:
    """On pairs labelled by others F1 must stay clear of the 0.786 of a known open matcher."""
    if not PAIRS.exists():
        pytest.skip("the labelled pairs are not part of the project")
    found = missed = wrong = 0
    with PAIRS.open(encoding="utf-8", newline="") as file:
        for pair in csv.DictReader(file):
            hit, wanted = likeness(pair["name1"], pair["name2"]) >= 72, pair["is_match"] == "true"
            found += hit and wanted
            missed += wanted and not hit
            wrong += hit and not wanted
    assert 2 * found / (2 * found + missed + wrong) > 0.84
