"""What is told of rows that were written: each once, in order, and a failure costs nobody else anything."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mitmeter.exchange import Answer, Exchange, Exporter, Opening, Outcome
from mitmeter.live import Ending, Live
from mitmeter.recorder import Limits
from mitmeter.store.sqlite import Store
from mitmeter.usage.registry import find
from mitmeter.worker import Settings, Worker

PATH = "/v1/chat/completions"
HEAD = (("content-type", "application/json"),)
BODY = b'{"model":"m","usage":{"prompt_tokens":4,"completion_tokens":5}}'


def opening(flow_id: str) -> Opening:
    return Opening(
        flow_id=flow_id,
        started=1_700_000_000.0,
        zero=0.0,
        method="POST",
        url=f"http://h.invalid{PATH}",
        headers=HEAD,
        body=b"{}",
    )


def ignore(tag: object, exchange: Exchange, ident: int) -> None:
    pass


@pytest.fixture
def metering(tmp_path: Path) -> Callable[..., Path]:
    def run(number: int, **exporters: Exporter) -> Path:
        settings = Settings(folder=tmp_path / "meter", limits=Limits(traced=True))
        worker = Worker(settings, ignore)
        worker.outlets.exporters.update(exporters)
        worker.start()
        for at in range(number):
            live = Live(partial(opening, f"f{at}"), find("POST", "h.invalid", PATH))
            live.answer = Answer(status=200, headers=HEAD)
            worker.end(live, Ending(outcome=Outcome.COMPLETE, at=0.1, body=BODY))
        assert worker.stop(10.0)
        return settings.folder

    return run


def test_each_row_is_told_once_in_order(metering: Callable[..., Path]) -> None:
    told: list[Exchange] = []
    metering(200, list=told.append)
    assert [exchange.flow_id for exchange in told] == [f"f{at}" for at in range(200)]
    assert all(exchange.trace is not None and exchange.usage.output_tokens == 5 for exchange in told)


def test_an_exporter_that_fails_is_counted_and_costs_nobody_else(metering: Callable[..., Path]) -> None:
    told: list[Exchange] = []

    def broken(exchange: Exchange) -> None:
        raise KeyError(exchange.flow_id)

    folder = metering(3, broken=broken, list=told.append)
    assert len(told) == 3
    with Store(folder / "meter.db", readonly=True) as store:
        assert store.requests() == 3


def test_the_failures_of_one_batch_are_in_the_counters_of_the_next(
    metering: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitmeter.worker.TOGETHER", 1)

    def broken(exchange: Exchange) -> None:
        raise KeyError(exchange.flow_id)

    with Store(metering(5, broken=broken) / "meter.db", readonly=True) as store:
        assert store.counters()["broken_failures"] >= 1
