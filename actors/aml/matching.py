"""How much two normalised names are one, 0 to 100; pure, knows no list and keeps nothing.

The figure depends on the two names alone, never on which list is loaded, so a threshold means the same for
every list and a score can be explained years later.
"""

from __future__ import annotations

import math
from itertools import permutations

from rapidfuzz.distance import OSA

from actors.aml.names import NormalName, skeleton, weight, word_cost

# Words left over on both sides mean two names, however much else agrees.
CONFLICT_CEILING = 60.0

_PER_EDIT = 0.13  # of the score, in a name of 12 letters
_EXTRA_POWER = 0.42  # half of the weight left over: 0.75
_LONE_EXTRA_POWER = 0.85  # the same, where only one word agrees: 0.55
_SIBLING = 0.8  # the same words with another number
_INITIAL_EDITS = 0.5
_LONE_INITIAL_EDITS = 0.9  # beside a single word, which must itself agree: T. Rubber is not Robert Taylor
_JOINED_EDITS = 0.15
_RESPELT = 0.18  # of an edit, for each letter that differs in two spellings of one sound
# What a folded word may begin with, where that isn't the letter itself.
_STARTS = {"c": "cks", "o": "u", "q": "k", "w": "v", "x": "ks", "y": "i", "z": "s"}


def score(one: NormalName, other: NormalName) -> float:
    """How much `one` and `other` name the same, 0 (nothing in common) to 100; symmetrical.

    Each word is paired with its nearest counterpart, and each edit costs, less in a longer name. Words left
    over on one side cost their share of the weight, more where a single word agrees. Words left over on both
    sides score at most `CONFLICT_CEILING`. Two words pair with the one they make when joined, and the
    initials of a name that is wholly contained in the other pair with words of the other. Another number is a
    sibling (a ship's successor, the next fund), other ideographs are another name.
    """
    if one.vowelless != other.vowelless:
        one, other = skeleton(one), skeleton(other)
    if one.empty or other.empty:
        return 0.0
    if other.words < one.words:  # pairing is greedy, so the order of the two must not matter
        one, other = other, one
    left_one, left_other = list(one.words), list(other.words)
    _strike_out(left_one, left_other)
    edits = _respelt(one, other) if one.spelt != other.spelt else 0.0
    if left_one and left_other:
        edits += _join(left_one, left_other) + _join(left_other, left_one) + _pair(left_one, left_other)
    initials_one, initials_other = list(one.initials), list(other.initials)
    _strike_out(initials_one, initials_other)
    if len(left_one) < len(one.words):  # a name of initials alone abbreviates everybody's
        if not initials_other and not left_one and (len(one.words) > 1 or edits < 1):
            edits += _abbreviate(initials_one, left_other, len(one.words))
        elif not initials_one and not left_other and (len(other.words) > 1 or edits < 1):
            edits += _abbreviate(initials_other, left_one, len(other.words))

    words_one, words_other = _total(one.words), _total(other.words)
    extra_one = _total(left_one) + 0.3 * len(initials_one)
    extra_other = _total(left_other) + 0.3 * len(initials_other)
    agreed = (words_one - _total(left_one) + words_other - _total(left_other)) / 2
    if not agreed:
        return _without_words(one, other)
    letters = sum(map(len, one.words)) + sum(map(len, other.words))
    alike = max(0.0, 1 - _PER_EDIT * edits * math.sqrt(24 / max(letters, 12)))
    conflict = bool(extra_one and extra_other) or _other_ideographs(one, other)
    if not conflict:
        extra = max(extra_one, extra_other)
        power = _EXTRA_POWER if agreed > 1 else _LONE_EXTRA_POWER
        alike *= math.pow(agreed / (agreed + extra), power)
    result = 100 * alike * _numbers(one, other, agreed)
    if conflict:
        common = 2 * agreed / (2 * agreed + extra_one + extra_other)
        return CONFLICT_CEILING * min(common, result / 100)
    return result


def _respelt(one: NormalName, other: NormalName) -> float:
    """What it costs that words of one sound are spelt differently, in edits."""
    spelt_other = dict(zip(other.words, other.spelt, strict=False))
    cost = 0.0
    for word, spelt in dict(zip(one.words, one.spelt, strict=False)).items():
        found = spelt_other.get(word, spelt)
        if found != spelt:
            cost += _RESPELT * OSA.distance(spelt, found)
    return cost


def _pair(one: list[str], other: list[str]) -> float:
    """Strike out the words that have a counterpart, the nearest first; what that costs in edits."""
    costs = ((word_cost(a, b), a, b) for a in set(one) for b in set(other))
    edits = 0.0
    for cost, a, b in sorted((cost, a, b) for cost, a, b in costs if cost is not None):
        while a in one and b in other:
            one.remove(a)
            other.remove(b)
            edits += cost
    return edits


def _strike_out(one: list[str], other: list[str]) -> None:
    """Remove from both what both have."""
    for item in one.copy():
        if item in other:
            one.remove(item)
            other.remove(item)


def _join(parts: list[str], wholes: list[str]) -> float:
    """Strike out two of `parts` for the one of `wholes` that they make; what that costs in edits."""
    cost = 0.0
    if len(parts) < 2 or not wholes:
        return cost
    for a, b in permutations(sorted(parts), 2):
        if a + b in wholes and a in parts and b in parts and (a != b or parts.count(a) > 1):
            wholes.remove(a + b)
            parts.remove(a)
            parts.remove(b)
            cost += _JOINED_EDITS
    return cost


def _abbreviate(initials: list[str], words: list[str], beside: int) -> float:
    """Strike out each initial and the word that it may stand for; what that costs `beside` so many words."""
    cost = 0.0
    each = _INITIAL_EDITS if beside > 1 else _LONE_INITIAL_EDITS
    for initial in initials.copy():
        for word in words:
            if word[0] in _STARTS.get(initial, initial):
                initials.remove(initial)
                words.remove(word)
                cost += each
                break
    return cost


def _total(words: list[str] | tuple[str, ...]) -> float:
    return sum(map(weight, words))


def _numbers(one: NormalName, other: NormalName, agreed: float) -> float:
    """The factor for numbers: 1 if they agree, less if one side has none, least if they differ."""
    if one.numbers == other.numbers:
        return 1.0
    ones, others = list(one.numbers), list(other.numbers)
    _strike_out(ones, others)
    if ones and others:
        return _SIBLING if agreed >= 2 else CONFLICT_CEILING / 100
    return 0.9


def _without_words(one: NormalName, other: NormalName) -> float:
    """Names of initials and numbers alone are the same or not."""
    same = (one.words, one.initials, one.numbers) == (other.words, other.initials, other.numbers)
    return 100.0 if same and not _other_ideographs(one, other) else 0.0


def _other_ideographs(one: NormalName, other: NormalName) -> bool:
    """Each character is a syllable: one that differs is as much as another word."""
    return bool(one.ideographs and other.ideographs) and sorted(one.ideographs) != sorted(other.ideographs)
