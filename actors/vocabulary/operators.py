"""Who may act on payments, and what takes two of them: names are what people say they are called, not proof. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final, NamedTuple

CANCEL: Final = "cancel"
SETTLE: Final = "settle"
PAUSE: Final = "pause"
RESUME: Final = "resume"
RETRY: Final = "retry"
RESTART: Final = "restart"
MIGRATE: Final = "migrate"
BULK: Final = "bulk"  # whatever is done to more than one payment at once
ACTIONS: Final = (PAUSE, RESUME, RETRY, RESTART, CANCEL, SETTLE, MIGRATE)
NOBODY: Final = "nobody named"
# What Unicode calls default-ignorable, beside the format characters (Cf): joiners, fillers, variation selectors, and
# what is reserved for more of them.
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2065\u3164\uffa0").union(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)))
)
_CLIENT: Final = "client/"  # how the gateway calls whoever is no actor; nobody else can be called so


def same_person(one: str, other: str) -> bool:
    """Whether two names are one, however they are written: a Shift key makes nobody a second person.

    Nor does a mark that nobody sees. Letters of another script that look alike are other letters here: where that
    matters, `operators.names` and `approval.approvers` say who may act at all.

    >>> same_person("Ada Miller", "  ada MILLER"), same_person("Ada", "A d a"), same_person("Ada", "Bob")
    (True, True, False)
    >>> [same_person("Ada", f"A{mark}da") for mark in ("\u00ad", "\u034f", "\u200b", "\ufe0f", "\U000e0100")]
    [True, True, True, True, True]
    """
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    seen = "".join(mark for mark in unicodedata.normalize("NFKC", name).casefold() if _is_seen(mark))
    return unicodedata.normalize("NFKC", seen)  # once more: an unseen mark keeps a letter and its accent apart


def _is_seen(mark: str) -> bool:
    return not (mark.isspace() or mark in _UNSEEN or unicodedata.category(mark) == "Cf")


class OperatorRules(NamedTuple):
    """The configured `operators`: `names` who may act (empty: anyone), `four_eyes` what takes two different names."""

    names: tuple[str, ...] = ()
    four_eyes: tuple[str, ...] = ()

    def why_not(self, by: str) -> str:
        """The sentence that refuses this person, or "".

        >>> OperatorRules(names=("Ada",)).why_not("Bob")
        'Bob is none of those who may act here (Ada): say who you are with --by'
        """
        if not self.names or any(same_person(by, name) for name in self.names):
            return ""
        return f"{by or NOBODY} is none of those who may act here ({', '.join(self.names)}): say who you are with --by"

    def takes_two(self, action: str, payments: int = 1) -> bool:
        """Whether `action` on so many payments waits for a second person.

        >>> rules = OperatorRules(four_eyes=("bulk",))
        >>> rules.takes_two("pause", 2), rules.takes_two("pause")
        (True, False)
        """
        return action in self.four_eyes or (payments > 1 and BULK in self.four_eyes)

    def why_not_directly(self, action: str, by: str, sender: str) -> str:
        """Why a command that `sender` gives to a service at once is refused, or "": actors pass on what was allowed.

        >>> OperatorRules(four_eyes=("settle",)).why_not_directly("settle", "Ada", "client/1/1")
        'settle takes two people here: one asks for it as a job, another one approves it'
        >>> OperatorRules(four_eyes=("settle",)).why_not_directly("settle", "Ada", "operations")
        ''
        """
        if not sender.startswith(_CLIENT):
            return ""
        if self.takes_two(action):
            return f"{action} takes two people here: one asks for it as a job, another one approves it"
        return self.why_not(by)
