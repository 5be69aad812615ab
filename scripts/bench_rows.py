"""What a million rows cost: an insert, the newest page, a day's stats, a count. `scripts/bench rows [rows] [days]`."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import batched
from pathlib import Path
from random import Random
from typing import Any

from click import echo

from mitmeter.exchange import Client, Exchange, Outcome, Place, Sizes, Timing, Usage
from mitmeter.store.filters import Filter, Window
from mitmeter.store.sqlite import Store

DAY = 86_400
BEGIN = 1_790_000_000.0
TOGETHER = 1000
TIMES = 3
PROVIDERS = ("openai", "anthropic", "gemini", "ollama")
OUTCOMES = (Outcome.COMPLETE,) * 95 + (Outcome.ERROR,) * 3 + (Outcome.CLIENT_ABORTED,) * 2
REPORTED = {"prompt_tokens": 12345, "completion_tokens": 123, "prompt_tokens_details": {"cached_tokens": 5}}


def exchanges(number: int, days: float) -> Iterator[Exchange]:
    chance = Random(1)
    for index in range(number):
        outcome, provider = chance.choice(OUTCOMES), chance.choice(PROVIDERS)
        yield Exchange(
            flow_id=f"{chance.getrandbits(128):032x}",
            started=BEGIN + index * days * DAY / number,
            method="POST",
            host=f"{provider}.invalid",
            path="/v1/chat/completions",
            provider=provider,
            api="chat",
            model=f"model-{chance.randrange(12)}",
            stream=True,
            status=chance.choice((429, 500)) if outcome is Outcome.ERROR else 200,
            content_type="text/event-stream",
            outcome=outcome,
            usage=Usage(input_tokens=chance.randint(1, 10**5), output_tokens=chance.randint(1, 2000), source="body"),
            timing=Timing(duration_ms=chance.random() * 1e4, first_token_ms=chance.random() * 1e3),
            sizes=Sizes(request_bytes=1, response_bytes=1, decoded_bytes=1),
            client=Client(address="127.0.0.1", agent="bench"),
            reported=REPORTED,
        )


def fill(store: Store, number: int, days: float) -> None:
    shown, begun = max(TOGETHER, number // 10), time.perf_counter()
    for some in batched(exchanges(number, days), TOGETHER):
        with store.batch() as batch:
            for exchange in some:
                ident = batch.add(exchange)
                batch.place(ident, Place(f"segment-{ident // 600:06}", ident % 600 * 50_000, 50_000, ident))
        if ident % shown == 0:
            echo(f"{ident:>9,} rows: {(time.perf_counter() - begun) / shown * 1e6:5.1f} us an insert")
            begun = time.perf_counter()


def measure(name: str, work: Callable[[], Any]) -> None:
    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    echo(f"{name:34}{min(taken) * 1000:9.1f} ms")


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    days = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    since, until = BEGIN + days / 2 * DAY, BEGIN + (days / 2 + 1) * DAY
    filters = {
        "all": Filter(),
        "a model": Filter(model=("model-3",)),
        "a provider": Filter(provider=("openai",)),
        "hosts": Filter(host=("openai.*",)),
        "a status": Filter(status=(5,)),
        "an outcome": Filter(outcome=("error",)),
        "most outcomes": Filter(outcome=("complete",)),
        "a model's errors": Filter(model=("model-3",), outcome=("error",)),
        "a day": Filter(since=since, until=until),
        "a model in a day": Filter(model=("model-3",), since=since, until=until),
    }
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "meter.db") as store:
        fill(store, number, days)
        for name, wanted in filters.items():
            measure(f"newest page of {name}", partial(store.rows, Window(limit=50, wanted=wanted)))
            measure(f"count of {name}", partial(store.requests, wanted))
        for name in ("a day", "a model in a day", "all"):
            measure(f"stats of {name}", partial(store.stats, "model", filters[name]))


if __name__ == "__main__":
    main()
