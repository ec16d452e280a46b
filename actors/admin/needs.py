"""Who still needs a version of a workflow, in a data directory, and whether it could be taken out of the code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from actors.messaging.envelope import ORCHESTRATED
from actors.vocabulary.counts import counted
from actors.vocabulary.offers import REFUND, NotOffered

if TYPE_CHECKING:
    from actors.admin.reading import Reading
    from actors.payment.versions import Version

NOTHING: Final = "nothing: it can be removed once nothing new starts with it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What needs one version, or one chain.

    `payments` under way run it, `attention` of them wait for a person; `ended` run no more, but it is the last version
    of its name, which takes what comes late for them. `new` says which new payments take it, or "".
    """

    payments: int = 0
    attention: int = 0
    ended: int = 0
    new: str = ""

    @property
    def nobody(self) -> bool:
        """Whether it could go."""
        return not (self.payments or self.ended or self.new)

    @property
    def default(self) -> bool:
        """Whether new payments take it unless they ask for something else."""
        return bool(self.new)

    @property
    def in_words(self) -> str:
        """For a person: who needs it, or that nobody does."""
        said = [self.new] if self.new else []
        if self.payments:
            said.append(f"{counted(self.payments, 'payment')} under way{self._waiting}")
        if self.ended and not said:
            said.append(f"what comes late for {counted(self.ended, 'ended payment')}, as the last of its name")
        return "; ".join(said) or NOTHING

    @property
    def _waiting(self) -> str:
        if not self.attention:
            return ""
        needs = "needs" if self.attention == 1 else "need"
        if self.attention < self.payments:
            return f", {self.attention:,} of which {needs} attention"
        return f", {'which' if self.payments == 1 else 'all of which'} {needs} attention"


class Run(NamedTuple):
    """What a payment runs on: an orchestrated workflow's version, or a chain, which is offered as version 1."""

    flow: str
    name: str
    version: int


def needs(reading: Reading) -> dict[Run, Need]:
    """All that is there, or that payments of this data directory miss, with what needs it."""
    from actors import assembly
    from actors.payment.versions import Version, census, not_begun

    running: Counter[Version] = Counter()
    late: Counter[str] = Counter()
    for reader in reading.readers.values():
        living, ended = census(reader)
        running.update(living)
        late.update(ended)
    for version, cells in not_begun(reading.readers, assembly.accepted).items():
        running[version] += sum(map(len, cells.values()))
    there = {Run(*offer[:3]) for offer in assembly.offers().all}
    names = Counter(run.name for run in there if run.flow == ORCHESTRATED)
    new = new_payments(reading.data)

    def need(run: Run) -> Need:
        if run.flow != ORCHESTRATED:
            return Need(new=new.get(run, ""))
        version = Version(run.name, run.version)
        return Need(
            payments=running[version],
            attention=_needing_attention(reading, version) if running[version] else 0,
            ended=late[run.name] if run in there and names[run.name] == 1 else 0,
            new=new.get(run, ""),
        )

    return {run: need(run) for run in there | {Run(ORCHESTRATED, *version) for version in running}}


def new_payments(data: Path) -> dict[Run, str]:
    """Which new payments take what unless they ask for something else, as the system there was last configured."""
    from actors import assembly
    from config.settings import BadSettings, effective_settings

    offers = assembly.offers()
    try:
        configured = effective_settings(data).disbursement
    except BadSettings:
        return {}
    taken: dict[Run, str] = {}
    for flow in dict.fromkeys(offer.flow for offer in offers.all):
        which = "" if flow == configured.flow else f" that are {flow}"
        for workflow, who in ((configured.workflow, "new payments{}: it is the default"), (REFUND, "new refunds{}")):
            try:
                taken[Run(*offers.find(flow, workflow)[:3])] = who.format(which)
            except NotOffered:
                continue
    return taken


def _needing_attention(reading: Reading, version: Version) -> int:
    """Those of its payments under way that wait for a person: they need it for as long as nobody decides."""
    from actors.admin.bulk import parsed
    from actors.payment.versions import living

    waiting = reading.payment_ids(
        parsed(
            f"flow={ORCHESTRATED} and workflow={version.name} and version={version.number} and status=needs_attention"
        )
    )
    return sum(living(reader, waiting) for reader in reading.readers.values())
