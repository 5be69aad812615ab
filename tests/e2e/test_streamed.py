"""A streamed body on its flow: whoever looks finds it, it is put together once, and not before."""

import io
from collections.abc import Callable

import pytest
from mitmproxy import http
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow

from mitmeter.flows import fill
from mitmeter.tee import Kept

WAYS: dict[str, Callable[[http.HTTPFlow], bytes | None]] = {
    "raw_content": lambda flow: flow.response.raw_content,
    "content": lambda flow: flow.response.content,
    "state": lambda flow: flow.response.get_state()["content"],
    "copy": lambda flow: flow.copy().response.raw_content,
    "backup": lambda flow: (flow.backup(), flow.revert(), flow.response.raw_content)[-1],
    "flow file": lambda flow: written(flow).response.raw_content,
}


class Counted(Kept):
    """Counts how often it is put together."""

    asked = 0

    def content(self) -> bytes | None:
        self.asked += 1
        return super().content()


def written(flow: http.HTTPFlow) -> http.HTTPFlow:
    file = io.BytesIO()
    FlowWriter(file).add(flow)
    file.seek(0)
    return next(FlowReader(file).stream())


def streamed(*chunks: bytes, limit: int = 100) -> tuple[http.HTTPFlow, Counted]:
    flow, kept = tflow.tflow(resp=True), Counted(limit)
    flow.response.raw_content = None
    for chunk in chunks:
        kept.append(chunk)
    fill(flow, kept)
    return flow, kept


@pytest.mark.parametrize("way", WAYS)
def test_whoever_looks_finds_it(way: str) -> None:
    flow, kept = streamed(b"one ", b"two")
    assert kept.asked == 0
    assert WAYS[way](flow) == b"one two"
    assert (flow.response.raw_content, kept.asked) == (b"one two", 1)


def test_another_body_takes_its_place() -> None:
    flow, kept = streamed(b"one ", b"two")
    flow.response.content = b"three"
    assert (flow.response.raw_content, kept.asked) == (b"three", 0)


def test_a_body_that_was_too_long_is_none() -> None:
    flow, _ = streamed(b"one ", b"two", limit=5)
    assert flow.response.raw_content is None
    assert flow.response.get_state()["content"] is None


def test_a_body_that_is_there_stays() -> None:
    flow, kept = tflow.tflow(resp=True), Counted(10)
    kept.append(b"other")
    fill(flow, kept)
    assert flow.response.raw_content == b"message"
