"""From the configured topology to the cells, and what is refused with a sentence."""

from __future__ import annotations

import pytest

from actors.store.placement import spread
from actors.store.session import StoreRefused
from actors.topology import SERVICES, placed
from config.settings import CONFIG, BadSettings, TopologySettings, read_settings

ALL = ("disbursement", "ledger", "aml", "execution", "payment:2", "notification", "replication", "tracker")


def isolated(*groups: str) -> TopologySettings:
    """An isolated topology of these groups."""
    return TopologySettings(name="isolated", groups=groups)


def test_without_groups_every_cell_hosts_every_service() -> None:
    """One cell for a laptop, one a core for speed."""
    assert placed(TopologySettings(cells=2)) == spread(2)


def test_the_shipped_isolation_gives_each_service_a_cell_and_the_sagas_two() -> None:
    """A service dies alone."""
    placement = placed(read_settings(CONFIG / "isolated.toml").topology)
    assert placement.names == (
        "disbursement", "ledger", "aml", "execution", "payment-0", "payment-1", "notification", "replication",
        "tracker",
    )  # fmt: skip
    assert all(len(placement.cells_of(service)) == 1 for service in SERVICES if service != "payment")


def test_a_service_that_came_later_lives_where_older_groups_leave_room_for_it() -> None:
    """A configuration of before it still starts, and one that names it decides."""
    assert placed(isolated(*ALL)).cells_of("operations") == ("tracker",)
    assert placed(isolated(*ALL)).cells_of("approval") == ("aml",)
    assert placed(isolated(*ALL)).cells_of("limits") == ("ledger",)
    assert placed(isolated(*ALL, "operations")).cells_of("operations") == ("operations",)


def test_whoever_waits_for_a_payment_asks_where_its_whole_story_is_told() -> None:
    """The lines of all cells come together at the tracker."""
    assert placed(isolated(*ALL)).cells_of("waiting") == ("tracker",)


def test_services_of_one_group_live_together() -> None:
    """Apart where a failure shall not spread, together where nobody gains by distance."""
    groups = ("disbursement+ledger+execution", "aml", "payment:3", "notification+replication", "tracker")
    placement = placed(isolated(*groups))
    assert placement.names == ("disbursement", "aml", "payment-0", "payment-1", "payment-2", "notification", "tracker")
    assert placement.cells_of("execution") == ("disbursement",)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (ALL[1:], "disbursement is in none; put it into one of the groups"),
        ((*ALL, "aml"), "aml is in two groups; a service lives in one"),
        ((*ALL, "audit"), "no service is called audit; there are disbursement, ledger"),
    ],
)
def test_groups_that_leave_a_service_out_or_double_it_are_refused(groups: tuple[str, ...], words: str) -> None:
    """A message without a home would wait for ever, one with two would be handled twice."""
    with pytest.raises(StoreRefused, match=words):
        placed(isolated(*groups))


@pytest.mark.parametrize(
    ("key", "value"), [("topology.groups", '["Ledger"]'), ("topology.groups", '["payment:0"]'),
                       ("topology.name", "isolated"), ("topology.groups", '["ledger"]')],
)  # fmt: skip
def test_a_topology_that_contradicts_itself_is_refused_in_one_sentence(key: str, value: str) -> None:
    """Before any process is started."""
    with pytest.raises(BadSettings) as refused:
        read_settings(None, {key: value})
    assert "\n" not in str(refused.value)
