"""Recorded provider traffic through the real recorder: counts and model as an independent parse reads them."""

import random
from typing import Any

import pytest

import corpus
from corpus import COUNTS, EXCEPTIONS, Case

SAMPLE = 300
SMALL = 6000

pytestmark = pytest.mark.skipif(not corpus.FOLDER.is_dir(), reason=corpus.ABSENT)


def sample() -> list[Case]:
    """Small cases, the same each time."""
    small = [case for case in corpus.cases() if len(case["response_body"] or "") < SMALL]
    return random.Random("sample").sample(small, min(SAMPLE, len(small)))


def wrong(cases: list[Case], seed: int, per_byte: bool = False) -> dict[str, Any]:
    """What differs from the expectation, by name: (expected, found) of each fact."""
    differing = {}
    for case in cases:
        wanted = corpus.expected(case)
        found = corpus.found(corpus.record(case, f"{seed} {corpus.name(case)}", per_byte)[0])
        if wanted is not None and found != wanted and corpus.name(case) not in EXCEPTIONS:
            pairs = {fact: (wanted[fact], found[fact]) for fact in wanted if wanted[fact] != found[fact]}
            differing[corpus.name(case)] = pairs
    return differing


@pytest.mark.parametrize("seed", range(3))
def test_counts_and_model_at_random_cuts(seed: int) -> None:
    assert wrong(list(corpus.cases()), seed) == {}


def test_counts_and_model_byte_by_byte() -> None:
    assert wrong(sample(), 0, per_byte=True) == {}


def test_without_usage_on_the_wire_nothing_is_counted() -> None:
    silent = [case for case in corpus.cases() if case["expected"] is not None and not corpus.speaks(case)]
    assert len(silent) > 200
    for case in silent:
        usage = corpus.record(case)[0].usage
        assert usage.source is None, corpus.name(case)
        assert [getattr(usage, count) for count in COUNTS] == [None] * len(COUNTS), corpus.name(case)


def test_where_something_is_counted_its_source_is_told() -> None:
    for case in corpus.cases():
        wanted = corpus.expected(case) or {}
        if any(wanted.get(count) is not None for count in COUNTS) and corpus.name(case) not in EXCEPTIONS:
            assert corpus.record(case)[0].usage.source in ("body", "timings", "headers"), corpus.name(case)


def test_exceptions_are_cases_that_differ() -> None:
    named = {corpus.name(case): case for case in corpus.cases()}
    assert EXCEPTIONS.keys() <= named.keys()
    assert {name: corpus.verdict(named[name]) for name in EXCEPTIONS} == dict.fromkeys(EXCEPTIONS, "excepted")
