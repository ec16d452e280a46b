"""The folded words of all listed names, and which of them are near a given word; pure.

Two words within d edits of each other become equal when at most d letters are taken from each (the
"symmetric deletion" idea). So every listed word is filed under what remains of its beginning when up to two
letters are taken out, and a word is looked up under what remains of it: some thirty look-ups, whatever the
size of the list. The files are one sorted array of numbers, because a dictionary of half a million strings
would take twenty times the memory.

Source: W. Garbe, Symmetric Delete spelling correction (2012), with prefix filtering.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable

from actors.aml.names import most_edits, word_cost

_PREFIX = 7  # letters; deletions beyond it find nothing new
_HASH_BITS = 0xFFFFFFFF
_REMEMBERED = 8_192  # words whose neighbours are kept; names share most of their words


class Vocabulary:
    """Numbers the words given, in order, and finds those near another word."""

    __slots__ = ("_filed", "_filter", "_mask", "_near", "number", "words")

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(words)
        self.number = {word: number for number, word in enumerate(self.words)}
        filed = sorted(
            {
                (hash(rest) & _HASH_BITS) << 24 | number
                for number, word in enumerate(self.words)
                if not word[0].isdigit()
                for rest in _rests(word)
            }
        )
        self._filed = array("Q", filed)
        size = 1 << max(8, (8 * len(filed)).bit_length())
        self._mask = size - 1
        self._filter = bytearray(size)
        for key in filed:
            self._filter[(key >> 24) & self._mask] = 1
        self._near: dict[str, frozenset[int]] = {}

    def near(self, word: str) -> frozenset[int]:
        """The numbers of all words that `word_cost` says may be `word`; exactly those."""
        known = self._near.get(word)
        if known is None:
            if len(self._near) >= _REMEMBERED:
                self._near.clear()
            known = self._near[word] = frozenset(self._find(word))
        return known

    def splits(self, word: str) -> list[tuple[int, int]]:
        """The pairs of words that make `word` when joined."""
        number = self.number
        return [
            (number[word[:at]], number[word[at:]])
            for at in range(2, len(word) - 1)
            if word[:at] in number and word[at:] in number
        ]

    def _find(self, word: str) -> set[int]:
        found: set[int] = set()
        own = self.number.get(word)
        if own is not None:
            found.add(own)
        filed, mask, present = self._filed, self._mask, self._filter
        for rest in _rests(word):
            key = hash(rest) & _HASH_BITS
            if present[key & mask]:
                at = bisect_left(filed, key << 24)
                while at < len(filed) and filed[at] >> 24 == key:
                    number = filed[at] & 0xFFFFFF
                    if number not in found and word_cost(word, self.words[number]) is not None:
                        found.add(number)
                    at += 1
        return found


def _rests(word: str) -> set[str]:
    """What remains of the beginning of `word` when as many letters are taken out as may differ."""
    most = most_edits(len(word))
    start = word[:_PREFIX]
    rests = {start}
    if most:
        once = {start[:at] + start[at + 1 :] for at in range(len(start))}
        rests |= once
        if most > 1:
            rests |= {rest[:at] + rest[at + 1 :] for rest in once for at in range(len(rest))}
    return rests
