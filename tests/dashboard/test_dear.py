"""Answers that cost: when they are made anew, waited for, or given again."""

import asyncio
import json
import time
from typing import Any

import pytest

from mitmeter.dashboard import dear
from mitmeter.dashboard.dear import Dear
from mitmeter.dashboard.reader import Unreadable


class Source:
    """What makes answers, and the rows that there are."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.rows, self.made = seconds, 1, 0
        self.fails = False

    async def newest(self) -> int:
        return self.rows

    async def make(self) -> bytes:
        await asyncio.sleep(self.seconds)
        if self.fails:
            self.fails = False
            raise Unreadable("gone")
        self.made += 1
        return json.dumps({"made": self.made}).encode()


async def ask(answers: Dear, source: Source, key: str = "k") -> Any:
    return json.loads(await answers.get(key, source.make))


def run(source: Source, *steps: Any) -> list[Any]:
    async def all_of_them() -> list[Any]:
        answers = Dear(source.newest)
        return [await step(answers, source) for step in steps]

    return asyncio.run(all_of_them())


async def more(answers: Dear, source: Source) -> None:
    source.rows += 1


def test_what_is_quick_is_made_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dear, "QUICK_SECONDS", 9.0)
    assert run(Source(0.0), ask, ask) == [{"made": 1}, {"made": 2}]


def test_without_new_rows_it_stays() -> None:
    assert run(Source(0.03), ask, ask, ask) == [{"made": 1}] * 3


def test_with_new_rows_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dear, "PATIENCE_SECONDS", 60.0)
    begun = time.monotonic()
    assert run(Source(0.03), ask, more, ask) == [{"made": 1}, None, {"made": 2}]
    assert time.monotonic() - begun > 0.03 * dear.SHARE


def test_what_would_take_long_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dear, "PATIENCE_SECONDS", 0.1)
    first, _, again = run(Source(0.03), ask, more, ask)
    assert (first, again["made"]) == ({"made": 1}, 1)
    assert again["again_ms"] > 100


def test_the_same_is_made_once() -> None:
    async def together(answers: Dear, source: Source) -> Any:
        return await asyncio.gather(*(ask(answers, source) for _ in range(5)))

    assert run(Source(0.03), together) == [[{"made": 1}] * 5]


def test_whoever_waits_does_not_go_with_another() -> None:
    async def together(answers: Dear, source: Source) -> Any:
        source.fails = True
        return await asyncio.gather(ask(answers, source), ask(answers, source), return_exceptions=True)

    ((gone, other),) = run(Source(0.03), together)
    assert isinstance(gone, Unreadable)
    assert other == {"made": 1}


def test_old_ones_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dear, "KEPT", 1)

    async def other(answers: Dear, source: Source) -> Any:
        return await ask(answers, source, "other")

    assert run(Source(0.03), ask, other, ask) == [{"made": 1}, {"made": 2}, {"made": 3}]
