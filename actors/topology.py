"""Which services there are, and which cells a configured topology makes of them. Imports no room of any."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from actors.store.placement import Placement, group, spread
from actors.store.session import StoreRefused
from config.settings import TopologySettings

# Service -> (its actor, the module with its REACTIONS, its worker's factory). The order is that of delivery.
SERVICES: Final[dict[str, tuple[str, str, str]]] = {
    "disbursement": ("actor:Disbursement", "reactions", ""),
    "ledger": ("actor:Ledger", "reactions", ""),
    "aml": ("actor:Aml", "reactions", "worker:WatchlistWorker"),
    "execution": ("actor:Execution", "reactions", "worker:RailWorker"),
    "payment": ("actor:Payment", "workflow", ""),
    "notification": ("actor:Notification", "reactions", "worker:MailWorker"),
    "replication": ("actor:Replication", "reactions", "worker:ReplicationWorker"),
    "tracker": ("actor:Tracker", "", ""),
    "operations": ("actor:Operations", "reactions", ""),
    "approval": ("actor:ApprovalDesk", "reactions", ""),
    "limits": ("actor:PaymentLimits", "reactions", ""),
}

# Services that came later live, where the groups don't name them, with one that was there: a configuration and a
# data directory of before still start.
LATER: Final = {"operations": "tracker", "approval": "aml", "limits": "ledger"}

# Whoever waits for a payment asks where all of its story is told.
WAITING, TOLD_BY = "waiting", "tracker"


def placed(topology: TopologySettings) -> Placement:
    """Which cells there are and what lives in each, as configured.

    Raises:
        StoreRefused: a service is in no group or in two, or a group names one that there is not.
    """
    if not topology.groups:
        return spread(topology.cells)
    groups = []
    unnamed = {later: host for later, host in LATER.items() if not any(later in text for text in topology.groups)}
    for text in topology.groups:
        names, _, cells = text.partition(":")
        services = tuple(names.split("+"))
        first = services[0]
        services += tuple(later for later, host in unnamed.items() if host in services)
        if TOLD_BY in services:
            services += (WAITING,)
        groups.append(group(first, services, int(cells or 1)))
    _must_be_all_services([service for each in groups for service in each.services if service != WAITING])
    return Placement(tuple(groups))


def _must_be_all_services(named: list[str]) -> None:
    present = [name for name in SERVICES if find_spec(f"actors.{name}") and find_spec(f"actors.{name}.actor")]
    for name in named:
        if name not in present:
            raise StoreRefused(f"setting topology.groups: no service is called {name}; there are {', '.join(present)}")
        if named.count(name) > 1:
            raise StoreRefused(f"setting topology.groups: {name} is in two groups; a service lives in one")
    for name in present:
        if name not in named:
            raise StoreRefused(f"setting topology.groups: {name} is in none; put it into one of the groups")
