"""Each target of the long fuzz, for a short while; `scripts/fuzz --minutes N` runs them for longer."""

import os
from random import Random

import pytest

from fuzz.targets import TARGETS

SEEDS = 300 if os.environ.get("CI") else 30


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_found(target: str) -> None:
    for seed in range(SEEDS):
        TARGETS[target](Random(seed))
