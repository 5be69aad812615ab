"""Runs the targets of `tests/fuzz` by turns for some minutes, and prints executions and findings; exits 1 if any.

A finding is an exception, or more than 5 s for one input. It is printed with the seed that makes it again:
`scripts/fuzz --target NAME --seed N`.
"""

import argparse
import resource
import secrets
import sys
import time
import traceback
from collections import Counter
from random import Random

from fuzz.targets import TARGETS

SLOW_SECONDS = 5.0
TURN_SECONDS = 2.0
SAY_SECONDS = 300.0


def say(text: str) -> None:
    sys.stdout.write(f"fuzz: {text}\n")
    sys.stdout.flush()


class TooSlow(Exception):
    """One input took too long."""


def attempt(name: str, seed: int) -> str | None:
    """Run a target once; where that fails, return where and why."""
    begun = time.process_time()
    try:
        TARGETS[name](Random(seed))
        if time.process_time() - begun > SLOW_SECONDS:
            raise TooSlow(f"{time.process_time() - begun:.1f} s")
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {frame.filename.rpartition('/')[2]}:{frame.lineno}: {str(error)[:300]!r}"
    return None


def run(names: list[str], minutes: float) -> bool:
    """Run targets by turns; whether nothing was found."""
    begun, told = time.monotonic(), time.monotonic()
    runs: Counter[str] = Counter()
    found: dict[str, str] = {}
    seeds = Random(first := secrets.randbits(64))
    say(f"{len(names)} targets for {minutes:g} minutes, seeds from {first}")
    while time.monotonic() - begun < minutes * 60:
        for name in names:
            until = time.monotonic() + min(TURN_SECONDS, minutes * 6)
            while time.monotonic() < until:
                seed = seeds.getrandbits(63)
                runs[name] += 1
                failure = attempt(name, seed)
                if failure is not None and (place := f"{name}: {failure.partition(': ')[0]}") not in found:
                    found[place] = failure
                    say(f"FOUND --target {name} --seed {seed}: {failure}")
        if time.monotonic() - told > SAY_SECONDS:
            told = time.monotonic()
            report(runs, found, begun)
    report(runs, found, begun)
    return not found


def report(runs: Counter[str], found: dict[str, str], begun: float) -> None:
    spent, peak = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    each = ", ".join(f"{name} {number:,}" for name, number in runs.items())
    minutes = f"{(time.monotonic() - begun) / 60:.1f} min ({spent / 60:.1f} min of CPU)"
    say(f"{runs.total():,} executions in {minutes}, {len(found)} findings, at most {peak} MiB ({each})")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/fuzz")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--target", choices=tuple(TARGETS), action="append")
    parser.add_argument("--seed", type=int, help="run one input again, with its traceback")
    given = parser.parse_args()
    names = given.target or list(TARGETS)
    if given.seed is not None:
        for name in names:
            TARGETS[name](Random(given.seed))
        return 0
    return 0 if run(names, given.minutes) else 1


if __name__ == "__main__":
    sys.exit(main())
