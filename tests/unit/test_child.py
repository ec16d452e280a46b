"""One child's bookkeeping: a process that can't be watched isn't left to itself, and an end is put in words."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context

import pytest

from actors.runtime.child import Child, how_it_ended


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    """As on a machine whose limit is reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_that_can_not_be_watched_is_ended() -> None:
    """Its supervisor would start another beside it, and nobody would ever end the first."""
    process = get_context("fork").Process(target=signal.pause)
    process.start()
    child = Child("ledger", None)
    with no_descriptors_left(), pytest.raises(OSError, match="Too many open files"):
        child.born(process)
    process.join(10)
    assert process.exitcode == -signal.SIGKILL
    assert (child.pid, child.pidfd) == (None, None)


def test_a_child_that_is_gone_is_forgotten_with_the_way_it_went() -> None:
    """The exit status tells a crash from an orderly end."""
    process = get_context("fork").Process(target=os._exit, args=(9,))
    process.start()
    child = Child("ledger", None)
    child.born(process)
    process.join(10)
    assert child.bury() == 9
    assert (child.pid, child.pidfd, child.reason) == (None, None, "its process ended with status 9")


def test_why_it_was_ended_says_more_than_how() -> None:
    """`SIGKILL` is what every hang ends with."""
    child = Child("ledger", None, cause="it did not answer for 0:00:10")
    child.bury()
    assert (child.reason, child.cause) == ("it did not answer for 0:00:10", None)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (None, "its process ended"),
        (0, "its process ended in good order"),
        (70, "its process ended with status 70"),
        (-11, "its process was ended by SIGSEGV"),
        (-63, "its process was ended by signal 63"),
    ],
)
def test_an_end_is_put_in_words(status: int | None, said: str) -> None:
    """An operator reads the name of the signal, not its number."""
    assert how_it_ended(status) == said
