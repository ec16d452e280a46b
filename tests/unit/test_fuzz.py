"""Decoders are fuzzed, in small: only their own documented error comes out. At length: tests/campaigns/fuzz.py."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.campaigns import targets
from tests.campaigns.fuzz import mutated, whole_seconds

BYTES = 1 << 16
MEMORY_FACTOR = 100  # an empty array is one byte on the wire and seventy in memory
ALWAYS = 4 << 20  # bytes that a first call may take for what it keeps


@pytest.mark.parametrize("name", targets.TARGETS)
def test_bad_input_is_refused_with_the_decoders_own_error_and_nothing_else(name: str) -> None:
    """Another exception is one that nobody catches: a traceback for a person, the end of a turn or a process."""
    seeds = targets.TARGETS[name][2]

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=200) | st.builds(mutated, st.sampled_from(seeds), st.randoms(use_true_random=False)))
    def is_refused(data: bytes) -> None:
        targets.run(name, data)

    is_refused()
    for seed in seeds:
        targets.run(name, seed)


@pytest.mark.parametrize(
    ("name", "data"),
    [pytest.param(name, data, id=f"{name}-{number}") for number, (name, data) in enumerate(targets.greedy(BYTES))],
)
def test_input_made_to_grow_takes_no_more_memory_than_its_length_explains(name: str, data: bytes) -> None:
    """Depth, repetition, claimed lengths, numbers of thousands of digits, entities that stand for each other."""
    tracemalloc.start()
    try:
        targets.run(name, data)
        assert tracemalloc.get_traced_memory()[1] < ALWAYS + MEMORY_FACTOR * len(data)
    finally:
        tracemalloc.stop()


def test_a_finding_is_noticed() -> None:
    """The net holds fish: another exception, a refusal without a word, and what was taken and is none."""

    def surprised(data: bytes) -> None:
        raise KeyError(data)

    def speechless(data: bytes) -> None:
        raise targets.CannotDecode

    for target in (surprised, speechless):
        targets.TARGETS["odd"] = (target, (targets.CannotDecode,), ())
        try:
            with pytest.raises(targets.Finding):
                targets.run("odd", b"")
        finally:
            del targets.TARGETS["odd"]


def test_the_same_seed_makes_the_same_inputs() -> None:
    """A finding can be had again."""
    first, second = random.Random(5), random.Random(5)
    assert [mutated(b"seed", first) for _ in range(20)] == [mutated(b"seed", second) for _ in range(20)]


def test_a_short_campaign_gives_each_target_a_second_and_not_for_ever() -> None:
    """libFuzzer takes no time at all for all the time there is."""
    assert [whole_seconds(seconds) for seconds in (0.01, 0.5, 1.4, 26.25)] == [1, 1, 1, 26]
