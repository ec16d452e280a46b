"""Names made comparable; pure, knows no list and keeps nothing.

A name becomes a `NormalName`: its significant words without case, accents, script, legal forms, titles and
particles, each folded so that the usual ways of writing one sound in Latin letters fall together.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from sys import intern

from anyascii import anyascii
from rapidfuzz.distance import OSA

from actors.aml.words import (
    COMMON,
    LEGAL_FORMS,
    LEGAL_PHRASES,
    PARTICLES,
    ROMAN,
    TENS,
    TITLES,
    UNITS,
    VARIANTS,
)

_CAMEL = re.compile(r"(?<=[a-z]{3})(?=[A-Z][a-z]{3})")
_WORD = re.compile(r"[a-z0-9]+")
_DOUBLED = re.compile(r"(.)\1+")
_ORDINAL = re.compile(r"^(\d+)(?:st|nd|rd|th)$")
_SPLIT_DIGITS = re.compile(r"\d+|[a-z]+")
_VOWELS = str.maketrans("", "", "aeiouyvwh")

# Ways of writing one sound; longer spellings before those that begin them.
_SOUND = {
    spelling: sound
    for sound, spellings in {
        "ch": "tsch tch ch",
        "sh": "sch",
        "s": "tz ts z",
        "se": "ce",
        "si": "ci cy",
        "j": "dzh dj zh",
        "k": "kh ck qu c q",
        "ks": "x",
        "g": "gh",
        "d": "dh",
        "t": "th",
        "f": "ph",
        "v": "w",
        "ai": "ei ey ay",
        "a": "ae",
        "u": "oe ue ou oo o",
        "i": "ee ie ii iy yi ij yj y",
    }.items()
    for spelling in spellings.split(" ")
}
_SOUNDS = re.compile("|".join(sorted(_SOUND, key=len, reverse=True)))


@dataclass(frozen=True, slots=True)
class NormalName:
    """A name ready to be compared.

    `words` are folded and sorted, `spelt` the same words unfolded (known variants apart), `initials` single
    letters, `numbers` everything with a digit. `ideographs` are the name's Chinese or Korean characters (each
    a whole syllable); `vowelless` says that it was written in a script that leaves most vowels out (Arabic,
    Hebrew), so that only consonants can be compared with other scripts.
    """

    words: tuple[str, ...]
    spelt: tuple[str, ...] = ()
    initials: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    ideographs: str = ""
    vowelless: bool = False

    @property
    def empty(self) -> bool:
        """Nothing is left that could be compared."""
        return not (self.words or self.initials or self.numbers)


@lru_cache(maxsize=16_384)
def fold(word: str) -> str:
    """The form in which spellings of the same sound agree; lower case ASCII in, lower case ASCII out.

    >>> fold("mohammed") == fold("muhammad"), fold("zelenskyy") == fold("selenskyj")
    (True, True)
    """
    word = VARIANTS.get(word, word)
    if not word.isalpha():
        return word
    folded = _SOUNDS.sub(lambda found: _SOUND[found.group()], word)
    folded = _DOUBLED.sub(r"\1", folded)
    if len(folded) > 3 and folded.endswith("h") and folded[-2] in "aeiu":
        folded = folded[:-1]
    return folded


_IGNORED = LEGAL_FORMS | TITLES | PARTICLES
_COMMON = frozenset(fold(word) for word in COMMON)
_PHRASES_BY_FIRST: dict[str, list[tuple[str, ...]]] = {}
for _phrase in sorted(LEGAL_PHRASES, key=len, reverse=True):
    _PHRASES_BY_FIRST.setdefault(_phrase[0], []).append(_phrase)


def normalise(name: str) -> NormalName:
    """`name` without what differs between two writings of one name.

    Any script is transliterated; accents, case, punctuation, control characters, word order, legal forms,
    titles and particles are dropped, unless nothing else remains. Numbers in words and in Roman digits
    become Arabic.

    >>> normalise("Dr. José MARTÍNEZ-López") == normalise("martinez lopez, jose")
    True
    >>> normalise("Siemens Aktiengesellschaft") == normalise("SIEMENS AG")
    True
    """
    ideographs, vowelless = "", False
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
        ideographs, vowelless = _script(name)
        name = anyascii(_visible(name))
    text = _CAMEL.sub(" ", name).lower().replace("'", "").replace("`", "").replace("\u2019", "")
    found = _joined_letters(_without_legal_phrases(_WORD.findall(text)))
    kept = (
        [word for word in found if word not in _IGNORED] or [word for word in found if word not in LEGAL_FORMS] or found
    )
    words: list[tuple[str, str]] = []
    initials: list[str] = []
    numbers: list[str] = []
    for word in _with_digits(kept):
        if word[0].isdigit():
            numbers.append(word)
        elif len(word) == 1:
            initials.append(word)
        else:
            words.append((fold(word), intern(VARIANTS.get(word, word))))
    words.sort()
    return NormalName(
        words=tuple(folded for folded, _ in words),
        spelt=tuple(spelt for _, spelt in words),
        initials=tuple(sorted(initials)),
        numbers=tuple(sorted(numbers)),
        ideographs=ideographs,
        vowelless=vowelless,
    )


def _visible(name: str) -> str:
    """Without accents that are written apart and without control and formatting characters."""
    return "".join(c for c in name if unicodedata.category(c) not in {"Cc", "Cf", "Mn"} or c in "\t\n\r")


def _script(name: str) -> tuple[str, bool]:
    """The Chinese and Korean characters in `name`, and whether it has Arabic or Hebrew letters."""
    ideographs = "".join(c for c in name if "\u4e00" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3")
    return ideographs, any("\u0590" <= c <= "\u08ff" or "\ufb1d" <= c <= "\ufeff" for c in name)


def _without_legal_phrases(words: list[str]) -> list[str]:
    """`words` without legal forms that are several words long; all of them if nothing else is there."""
    if _PHRASES_BY_FIRST.keys().isdisjoint(words):
        return words
    kept: list[str] = []
    at = 0
    while at < len(words):
        for phrase in _PHRASES_BY_FIRST.get(words[at], ()):
            if tuple(words[at : at + len(phrase)]) == phrase:
                at += len(phrase)
                break
        else:
            kept.append(words[at])
            at += 1
    return kept or words


def _joined_letters(words: list[str]) -> list[str]:
    """Three or more single letters in a row are one word: A. B. C. is ABC."""
    joined: list[str] = []
    run = 0
    for word in words:
        run = run + 1 if len(word) == 1 and word.isalpha() else 0
        if run == 3:
            joined[-2:] = ["".join(joined[-2:]) + word]
        elif run > 3:
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _with_digits(words: list[str]) -> list[str]:
    """`words` with Roman, ordinal and written-out numbers as digits, and digits apart from letters."""
    found: list[str] = []
    tens = 0
    for word in words:
        if word in TENS:
            tens = TENS[word]
            found.append(str(tens))
            continue
        number = UNITS.get(word, ROMAN.get(word))
        if number is None and word[0].isdigit() and word.isdigit():
            number = int(word) if len(word) < 19 else None
        if number is not None:
            if tens and 0 < number < 10:
                found[-1] = str(tens + number)
            else:
                found.append(str(number))
        elif word.isalpha():
            found.append(word)
        elif ordinal := _ORDINAL.match(word):
            found.append(str(int(ordinal.group(1))))
        else:
            found.extend(_SPLIT_DIGITS.findall(word))
        tens = 0
    return found


def most_edits(length: int) -> int:
    """How many letters may differ between two folded words, the shorter of which has `length` letters."""
    return 0 if length < 3 else 1 if length < 6 else 2


def word_cost(one: str, other: str) -> float | None:
    """Edits (insertion, deletion, replacement, swap of neighbours) between folded words; None: two words."""
    if one == other:
        return 0.0
    most = most_edits(min(len(one), len(other)))
    if not most:
        return None
    edits = OSA.distance(one, other, score_cutoff=most)
    return float(edits) if edits <= most else None


def weight(word: str) -> float:
    """How much a folded word says about whose name it is: 1, and less if it is common or very short."""
    return 0.5 if word in _COMMON or len(word) < 3 else 1.0


def skeleton(name: NormalName) -> NormalName:
    """`name` without vowels, as a script would write it that leaves them out."""
    words = (word.translate(_VOWELS) for word in name.words)
    return NormalName(
        words=tuple(sorted(word for word in words if word)),
        initials=name.initials,
        numbers=name.numbers,
        vowelless=True,
    )
