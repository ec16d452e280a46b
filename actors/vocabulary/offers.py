"""Which workflows a new payment may run on, in which flow: worked out from the code, given to the intake. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

REFUND: Final = "refund"  # the workflow of refunds, which no other payment runs on
CHAIN: Final = "choreographed-"  # what commands call a choreographed order of steps; no workflow's name begins so
CHAIN_VERSION: Final = 1  # what a choreographed order of steps is offered as: reactions have no versions side by side


class Offer(NamedTuple):
    """One version of a workflow in one flow; `dated` says that it waits for the order's execution date."""

    flow: str
    name: str
    version: int
    dated: bool = False


class NotOffered(Exception):
    """What is asked for isn't there; the text is the sentence to show."""


def parsed(text: str) -> tuple[str, int | None]:
    """Name and version of `guarded@2`; without a version (None) the newest is meant.

    Raises:
        NotOffered: it is neither.

    >>> parsed("guarded@2"), parsed("guarded")
    (('guarded', 2), ('guarded', None))
    """
    name, at, version = text.partition("@")
    if not name or (at and not (version.isascii() and version.isdigit() and int(version[:9]) > 0)):
        raise NotOffered(f"workflow {text[:60]!r} is neither a name nor a name with its version, as in guarded@1")
    return name, int(version[:9]) if at else None


class Offers(NamedTuple):
    """All that is offered.

    >>> offers = Offers((Offer("orchestrated", "guarded", 1, dated=True), Offer("choreographed", "plain", 1)))
    >>> offers.find("orchestrated", "guarded").version
    1
    """

    all: tuple[Offer, ...] = ()

    def find(self, flow: str, workflow: str) -> Offer:
        """What an order gets that asks for `workflow` (`name` or `name@2`) in `flow`.

        Raises:
            NotOffered: it can't have it, with what it can have.
        """
        name, version = parsed(workflow)
        versions = [each for each in self.all if each.name == name]
        if not versions:
            raise NotOffered(f"there is no workflow {name[:60]!r}; there are {_listed(each.name for each in self.all)}")
        there = [each for each in versions if each.flow == flow]
        if not there:
            names = _listed(each.name for each in self.all if each.flow == flow and each.name != REFUND)
            raise NotOffered(f"{name} is {versions[0].flow} only: a payment that is {flow} runs on {names}")
        if version is None:
            return max(there, key=lambda each: each.version)
        for offer in there:
            if offer.version == version:
                return offer
        known = ", ".join(str(each.version) for each in sorted(there))
        raise NotOffered(f"{name} has no version {version} that is {flow}; there are {known}")

    def for_order(self, flow: str, workflow: str, execution_date: str | None) -> Offer:
        """The same for an order, which may be wanted at a date.

        Raises:
            NotOffered: as `find`; or it is for refunds, or does not wait for any date.
        """
        offer = self.find(flow, workflow)
        if offer.name == REFUND:
            raise NotOffered("the workflow refund is for refunds alone: ask for one with the command refund")
        if execution_date is not None and not offer.dated:
            dated = _listed(each.name for each in self.all if each.dated and each.flow == flow) or "none does"
            raise NotOffered(
                f"{offer.name} pays at once and waits for no execution_date; in the {flow} flow these do: {dated}"
            )
        return offer

    def must_have(self, workflow: str) -> None:
        """See that a configured workflow is there, in any flow.

        Raises:
            NotOffered: it is not, or no payment could run on it.
        """
        name, _ = parsed(workflow)
        flows = sorted({each.flow for each in self.all if each.name == name})
        if name == REFUND:
            raise NotOffered("the workflow refund is for refunds alone")
        for flow in flows:
            try:
                self.find(flow, workflow)
            except NotOffered:
                if flow == flows[-1]:
                    raise
            else:
                return
        self.find("", workflow)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
