"""The campaigns of tests/campaigns/ in small; each of them runs for as long as one likes by its own command."""

from __future__ import annotations

from pathlib import Path

from tests.campaigns import attack, kills

MEGABYTE = 1024


def test_a_system_under_attack_at_every_door_serves_on(tmp_path: Path) -> None:
    """Nothing of a stranger is decoded, memory and descriptors stay bounded, no process falls, payments go on."""
    outcomes = attack.campaign(tmp_path, seconds=6, seed=3)
    assert [each.attack for each in outcomes] == list(attack.KINDS)
    assert all(each.tries for each in outcomes)
    assert sum(each.decoded for each in outcomes) == 0
    assert sum(each.rss_growth_kb for each in outcomes) < 300 * MEGABYTE
    assert max(each.peak_rss_mb for each in outcomes) < 600
    assert max(each.descriptors for each in outcomes) < 700
    for log in (tmp_path / "data" / "logs").glob("*.log"):
        said = [line for line in log.read_text().splitlines() if "refused" in line or "closed; the last" in line]
        assert len(said) < 20, f"an attacker must not fill the disk with {log.name} either"


def test_a_system_whose_processes_are_killed_at_random_ends_every_order_as_it_must(tmp_path: Path) -> None:
    """Services that live apart, any of them killed, the gateway too."""
    outcome = kills.campaign(tmp_path, "isolated", kills=4, seed=2)
    assert outcome.kills.total() == len(outcome.back_s) == 4
    assert outcome.orders >= kills.LINES
