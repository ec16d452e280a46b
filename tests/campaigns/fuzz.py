"""`python -m tests.campaigns.fuzz --seconds N [--target NAME]`: every decoder fuzzed, each for its share of the time.

Under atheris where it is installed (`pip install 'paysaga[fuzz]'`; it follows coverage), else under hypothesis. Ends
with status 1 at the first finding, and says which input it was; the table counts the executions without one.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from tests.campaigns import targets

MEMORY_MB = 2_048
LONGEST_INPUT = 16_384
STRANGE = (b"\x00", b"\xff\xff\xff\xff", b"-1", b"\xef\xbb\xbf", b"\r", b'"', b",", b"\xe2\x80\xa8", b"1e999", b"nan",
           b"\x91", b"\xc7\x05\xff", b"<!DOCTYPE a>", b"&#0;", b"9" * 5_000, b"[" * 5_000, b"\xed\xa0\x80")  # fmt: skip


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """The seed with some of its bytes changed, cut, repeated or joined by strange ones."""
    data = bytearray(seed)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(data) + 1)
        length = chance.choice((1, 1, 2, 4, 16, 64))
        match chance.randrange(6):
            case 0:
                data[at : at + 1] = bytes((chance.randrange(256),))
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length] * chance.randrange(1, 9)
            case 3:
                data[at:at] = chance.choice(STRANGE)
            case 4:
                data[at : at + length] = chance.randbytes(length)
            case _:
                if data:
                    data[at % len(data)] ^= 1 << chance.randrange(8)
    return bytes(data[:LONGEST_INPUT])


def by_mutation(name: str, seconds: float, seed: int) -> int:
    """Run mutations of the target's seeds for so long; how many.

    Raises:
        Finding: with the input in its note.
    """
    chance = random.Random(seed)
    pool = list(targets.TARGETS[name][2])
    until = time.monotonic() + seconds
    count = 0
    while time.monotonic() < until:
        data = mutated(chance.choice(pool), chance)
        if chance.random() < 0.02 and len(pool) < 500:
            pool.append(data)
        try:
            targets.run(name, data)
        except targets.Finding as finding:
            finding.add_note(f"input: {data[:2_000]!r}")
            raise
        count += 1
    return count


def whole_seconds(seconds: float) -> int:
    """A target's share of the time as libFuzzer takes it; 0 would mean without end."""
    return max(1, round(seconds))


def by_coverage(name: str, seconds: float, seed: int) -> int:
    """The same under atheris, in a process of its own, which it ends itself; how many executions it reports."""
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(targets.TARGETS[name][2]):
            (Path(corpus) / str(number)).write_bytes(data)
        limits = (
            f"-max_total_time={whole_seconds(seconds)}",
            f"-rss_limit_mb={MEMORY_MB}",
            "-timeout=20",
            "-print_final_stats=1",
        )
        where = (
            f"-seed={seed}",
            f"-max_len={LONGEST_INPUT}",
            f"-artifact_prefix={tempfile.gettempdir()}/paysaga-fuzz-",
        )
        command = [sys.executable, "-m", "tests.campaigns.fuzz", "--inside", name, corpus, *limits, *where]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise targets.Finding(f"{name}:\n{done.stdout[-3_000:]}\n{done.stderr[-5_000:]}")
    for line in done.stderr.splitlines():
        if line.startswith("stat::number_of_executed_units"):
            return int(line.rpartition(":")[2])
    return 0


def inside(name: str, arguments: list[str]) -> None:
    """Within atheris' own process: instrument what is fuzzed, and go."""
    import atheris  # type: ignore[import-not-found]  # an extra

    for module in [module for module in sys.modules if module.startswith(("actors", "config"))]:
        with contextlib.suppress(Exception):  # what can't be instrumented is fuzzed all the same
            for value in vars(sys.modules[module]).values():
                if getattr(value, "__module__", "") == module and hasattr(value, "__code__"):
                    atheris.instrument_func(value)
    atheris.Setup([sys.argv[0], *arguments], lambda data: targets.run(name, data))
    atheris.Fuzz()


def main() -> int:
    """The command."""
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=160, help="in all (default: %(default)s)")
    parser.add_argument(
        "--target", choices=list(targets.TARGETS), action="append", help="only this one; may be repeated"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 2**31))
    parser.add_argument("--plain", action="store_true", help="without atheris even where it is installed")
    given = parser.parse_args()
    names = given.target or list(targets.TARGETS)
    with_coverage = find_spec("atheris") is not None and not given.plain
    print(f"seed {given.seed}, {'atheris' if with_coverage else 'mutations'}", file=sys.stderr)
    total = 0
    for name in names:
        fuzz = by_coverage if with_coverage else by_mutation
        try:
            count = fuzz(name, given.seconds / len(names), given.seed)
        except targets.Finding as finding:
            print(f"{name:20} FINDING: {finding}\n" + "\n".join(getattr(finding, "__notes__", [])))
            return 1
        total += count
        print(f"{name:20} {count:>12,} executions, no finding", flush=True)
    print(f"{'in all':20} {total:>12,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
