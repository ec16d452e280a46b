"""All watchlists in force as one index, and the screening of one name against it; pure.

A name is scored only against those listed names that can reach a hit. Above `CONFLICT_CEILING` the words of
one of the two names must all have a counterpart in the other. So it is enough to look at listed names that
contain something near *every* word of the given name, and at listed names whose *own* words are all near one
of the given name's. The latter are found through their rarest word, which few ordinary names have.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations

from actors.aml.dates import differs
from actors.aml.matching import CONFLICT_CEILING, score
from actors.aml.names import NormalName, normalise, weight
from actors.aml.vocabulary import Vocabulary
from actors.aml.watchlist import Watchlist, WatchlistEntry

CLEARED, HELD, BLOCKED = "cleared", "held", "blocked"
_VERDICTS = (CLEARED, HELD, BLOCKED)
# A longer name is held unread: nobody is called that, and pairing words takes quadratic time.
_MOST_WORDS, _MOST_LETTERS = 24, 500
_HITS_SHOWN = 20

# Where a name of one word agrees with a word of a name of this weight or more, as much is left over as
# agrees, and the score is below the ceiling.
_SLIGHT = 2.0
_LONE, _LONE_WITH_INITIALS = -1, -2  # in the place of a second word

NO_WATCHLIST = "no watchlist is loaded"
UNREADABLE = "the name has no letters or digits that could be compared"
TOO_LONG = f"the name has more than {_MOST_WORDS} words or {_MOST_LETTERS} characters"
VOWELLESS = "the name is in a script without vowels and can't be compared with lists in Latin letters"


@dataclass(frozen=True, slots=True)
class Hit:
    """One listed entry that the name is like; `score` is 0 to 100, `verdict` what this hit alone leads to."""

    entry_id: str
    list_name: str
    matched_name: str
    score: float
    verdict: str = HELD


@dataclass(frozen=True, slots=True)
class Screening:
    """What the lists say: `verdict`, the highest `score`, `hits` best first, `reason` in words."""

    verdict: str
    score: float
    hits: tuple[Hit, ...]
    reason: str


class ScreeningIndex:
    """The watchlists in force, ready for screening; built once, never changed.

    From `block_at` (0 to 100) on a hit blocks, from `hold_at` on it is held for a person. Without any list
    every name is held.
    """

    __slots__ = (
        "_anchored", "_bearers", "_names", "_owners", "_slight", "_texts", "_vocabulary", "_weak",
        "_wordless", "block_at", "hold_at",
    )  # fmt: skip

    def __init__(self, watchlists: Iterable[Watchlist], block_at: float, hold_at: float) -> None:
        """Build the index.

        Raises:
            ValueError: unless `CONFLICT_CEILING` < `hold_at` <= `block_at` <= 100. A lower threshold would
                ask for hits that the index passes over.
        """
        if not CONFLICT_CEILING < hold_at <= block_at <= 100:
            raise ValueError(
                f"block_at ({block_at}) must be at most 100, hold_at ({hold_at}) at most block_at and more "
                f"than {CONFLICT_CEILING}."
            )
        self.block_at, self.hold_at = block_at, hold_at
        self._names: list[NormalName] = []
        self._texts: list[str] = []
        self._owners: list[tuple[str, WatchlistEntry]] = []
        self._weak = bytearray()
        self._wordless: defaultdict[NormalName, list[int]] = defaultdict(list)
        self._collect(watchlists)

        bearers: defaultdict[str, list[int]] = defaultdict(list)
        for at, name in enumerate(self._names):
            for word in set(name.words):
                bearers[word].append(at)
        self._vocabulary = Vocabulary(bearers)
        self._bearers = [array("I", names) for names in bearers.values()]
        self._anchored = self._anchor()
        self._slight = bytearray(sum(map(weight, name.words)) < _SLIGHT for name in self._names)

    def __len__(self) -> int:
        """How many names, aliases included, are compared."""
        return len(self._names)

    def screen(self, name: str, date_of_birth: str | None = None, country: str | None = None) -> Screening:
        """What the lists say about `name`; the same question has the same answer as long as the lists stay.

        A date of birth (ISO) more than a year from every date that the list gives for a person lowers that
        hit by one step, from blocked to held or from held to cleared. A missing date lowers nothing.
        `country` never lowers a hit, because on an order it says where the account is, not whose citizen the
        creditor is; among equal scores the hit with the same country comes first.
        """
        given = normalise(name[: _MOST_LETTERS + 1])
        unscreened = self._unscreened(name, given)
        if unscreened:
            return Screening(HELD, 0.0, (), unscreened)
        best: dict[tuple[str, str], tuple[float, bool, int]] = {}
        for at in self._candidates(given):
            likeness = score(given, self._names[at])
            if likeness >= self.hold_at:
                list_name, entry = self._owners[at]
                key = (list_name, entry.entry_id)
                found = (likeness, not self._weak[at], -at)
                if key not in best or self._rank(found) > self._rank(best[key]):
                    best[key] = found
        if not best:
            if given.vowelless:
                return Screening(HELD, 0.0, (), VOWELLESS)
            return Screening(CLEARED, 0.0, (), "no listed name is like it")
        return self._judge(best.values(), date_of_birth, country)

    def _unscreened(self, name: str, given: NormalName) -> str | None:
        """Why the name can't be screened at all; None if it can."""
        if not self._names:
            return NO_WATCHLIST
        if given.empty:
            return UNREADABLE
        if len(name) > _MOST_LETTERS:
            return TOO_LONG
        parts = len(given.words) + len(given.initials) + len(given.numbers)
        return TOO_LONG if parts > _MOST_WORDS else None

    def _collect(self, watchlists: Iterable[Watchlist]) -> None:
        """Take in every distinct name of every entry."""
        for watchlist in watchlists:
            for entry in watchlist.entries:
                owner = (watchlist.name, entry)
                seen: set[NormalName] = set()
                strong = (entry.name, *entry.aliases)
                for number, text in enumerate((*strong, *entry.weak_aliases)):
                    name = normalise(text)
                    if name.empty or name in seen:
                        continue
                    seen.add(name)
                    if not name.words:
                        self._wordless[name].append(len(self._names))
                    self._names.append(name)
                    self._texts.append(text)
                    self._owners.append(owner)
                    self._weak.append(number >= len(strong))

    def _anchor(self) -> dict[int, list[tuple[int, int]]]:
        """Each listed name under the number of its rarest word, with that of its next rarest or `_LONE`."""
        anchored: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for at, name in enumerate(self._names):
            if name.words:
                numbers = sorted(
                    (self._vocabulary.number[word] for word in name.words),
                    key=lambda number: (len(self._bearers[number]), number),
                )
                lone = _LONE_WITH_INITIALS if name.initials else _LONE
                anchored[numbers[0]].append((at, numbers[1] if len(numbers) > 1 else lone))
        return dict(anchored)

    def _candidates(self, given: NormalName) -> set[int]:
        """The listed names that may score above `CONFLICT_CEILING`; superset, found without scoring."""
        if not given.words:
            return set(self._wordless.get(given, ()))
        near = [self._vocabulary.near(word) for word in given.words]
        joined = self._joined(given.words)
        split = [self._vocabulary.splits(word) for word in given.words]
        return self._containing(given, near, joined, split) | self._contained(given, near, joined, split)

    def _joined(self, words: tuple[str, ...]) -> list[tuple[int, int, int]]:
        """The places of two words and the number of the listed word that they make when joined."""
        number = self._vocabulary.number
        return [(i, j, number[a + b]) for (i, a), (j, b) in permutations(enumerate(words), 2) if a + b in number]

    def _containing(
        self,
        given: NormalName,
        near: list[frozenset[int]],
        joined: list[tuple[int, int, int]],
        split: list[list[tuple[int, int]]],
    ) -> set[int]:
        """The listed names that have a counterpart for every given word."""
        options: list[tuple[int, set[int]]] = []
        for at, numbers in enumerate(near):
            wanted = set(numbers)
            wanted.update(number for i, j, number in joined if at in (i, j))
            wanted.update(first for first, _ in split[at])
            if not wanted:
                return set()
            options.append((sum(len(self._bearers[number]) for number in wanted), wanted))
        options.sort(key=lambda option: option[0])
        found = self._bearing(options[0][1])
        for _, wanted in options[1:]:
            if not found:
                break
            found &= self._bearing(wanted)
        if len(near) == 1 and not split[0] and not given.initials:
            return {at for at in found if self._slight[at]}
        return found

    def _bearing(self, numbers: Iterable[int]) -> set[int]:
        """The listed names with any of the words numbered."""
        return set().union(*(self._bearers[number] for number in numbers))

    def _contained(
        self,
        given: NormalName,
        near: list[frozenset[int]],
        joined: list[tuple[int, int, int]],
        split: list[list[tuple[int, int]]],
    ) -> set[int]:
        """The listed names whose two rarest words both have a counterpart among the given words."""
        covered = set().union(*near)
        covered.update(number for _, _, number in joined)
        for pairs in split:
            covered.update(number for pair in pairs for number in pair)
        found = set()
        covered.add(_LONE_WITH_INITIALS)
        if joined or sum(map(weight, given.words)) < _SLIGHT:
            covered.add(_LONE)
        anchored = self._anchored
        for number in covered:
            for at, second in anchored.get(number, ()):
                if second in covered:
                    found.add(at)
        return found

    def _rank(self, found: tuple[float, bool, int]) -> tuple[int, float, int]:
        likeness, strong, at = found
        return self._step(likeness, strong), likeness, at

    def _step(self, likeness: float, strong: bool) -> int:
        """The verdict's place among `_VERDICTS`; a weak alias only holds."""
        return 2 if likeness >= self.block_at and strong else 1

    def _judge(
        self, found: Iterable[tuple[float, bool, int]], date_of_birth: str | None, country: str | None
    ) -> Screening:
        """The verdict that the best name of each entry leads to, once the date of birth is looked at."""
        hits: list[tuple[int, float, bool, Hit]] = []
        lowered = 0
        for likeness, strong, place in found:
            list_name, entry = self._owners[-place]
            step = self._step(likeness, strong)
            if entry.kind == "person" and differs(entry.date_of_birth, date_of_birth):
                step -= 1
                lowered += 1
            hit = Hit(entry.entry_id, list_name, self._texts[-place], round(likeness, 1), _VERDICTS[step])
            hits.append((step, likeness, _same(country, entry.country), hit))
        hits.sort(key=lambda item: (-item[0], -item[1], not item[2], item[3].list_name, item[3].entry_id))
        worst, _, _, first = hits[0]
        reason = f"{first.matched_name!r} on {first.list_name} scores {first.score:.1f}"
        if lowered:
            reason += f"; another date of birth lowered {lowered} of {len(hits)} hits by a step"
        return Screening(
            _VERDICTS[worst],
            max(hit.score for *_, hit in hits),
            tuple(hit for *_, hit in hits[:_HITS_SHOWN]),
            reason,
        )


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.casefold() == other.casefold()
