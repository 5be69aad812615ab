"""A real llama-server behind a real mitmdump with the addon: the rows must say what the engine's own bodies say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from harness import End, Mitm, Reply, fetch, wait_rows
from harness.engine import MODEL, Engine, where

pytestmark = pytest.mark.engine

MESSAGES = [{"role": "user", "content": "the cat sat on the mat and looked at the moon"}]
# llama-server announces keep-alive and then closes after a stream; a proxy that reuses the connection gets a 502.
CLOSE = {"connection": "close"}


@dataclass
class Bench:
    """The proxy in front of the engine, and a way to ask through it."""

    proxy: Mitm
    asked: int = 0

    def ask(self, path: str, body: dict[str, Any], *, cut_after: int | None = None) -> Reply:
        """Sends one request through the proxy."""
        self.asked += 1
        return fetch(self.proxy.port, path, body, CLOSE, cut_after=cut_after)

    def row(self) -> dict[str, Any]:
        """The row of the newest request; there is exactly one for each request that was sent."""
        found = wait_rows(self.proxy.meter_dir, self.asked)
        assert len(found) == self.asked, self.proxy.output
        return found[-1]

    def metered(self, path: str, body: dict[str, Any]) -> tuple[Reply, dict[str, Any]]:
        """A complete exchange and its row."""
        reply = self.ask(path, body)
        assert (reply.status, reply.end) == (200, End.COMPLETE), reply.body
        row = self.row()
        assert (row["outcome"], row["status"], row["provider"], row["path"]) == ("complete", 200, "llamacpp", path)
        assert row["sizes"]["response_bytes"] == len(reply.body)
        return reply, row


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    found = where()
    if found is None:
        pytest.skip("NO REAL ENGINE: llama-server is not built; run scripts/engine (about 9 minutes, once)")
    directory = tmp_path_factory.mktemp("engine")
    with Engine(*found, directory / "engine.log") as engine, Mitm(engine.url, directory) as proxy:
        yield Bench(proxy)


def assert_timings(row: dict[str, Any], timings: dict[str, Any]) -> None:
    """`prompt_n` leaves the cache out, `input_tokens` does not."""
    usage = row["usage"]
    assert usage["input_tokens"] == timings["prompt_n"] + timings["cache_n"]
    assert usage["output_tokens"] == timings["predicted_n"]
    assert row["timing"]["tokens_per_second"] == pytest.approx(timings["predicted_per_second"], abs=1e-3)
    assert row["timing"]["prompt_per_second"] == pytest.approx(timings["prompt_per_second"], abs=1e-3)


def assert_openai(row: dict[str, Any], usage: dict[str, Any]) -> None:
    """The counts of an OpenAI-shaped usage object."""
    read = row["usage"]
    assert (read["input_tokens"], read["output_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert read["cache_read_tokens"] == usage["prompt_tokens_details"]["cached_tokens"]


def test_chat(bench: Bench) -> None:
    reply, row = bench.metered("/v1/chat/completions", {"messages": MESSAGES, "max_tokens": 16})
    assert_openai(row, reply.json()["usage"])
    assert_timings(row, reply.json()["timings"])
    assert (row["model"], row["stream"], row["finish"]) == (MODEL, False, "length")


def test_chat_repeat_hits_the_cache(bench: Bench) -> None:
    body = {"messages": [{"role": "user", "content": "once upon a time there was a fox"}], "max_tokens": 4}
    bench.metered("/v1/chat/completions", body)
    reply, row = bench.metered("/v1/chat/completions", body)
    timings = reply.json()["timings"]
    assert timings["cache_n"] > 0
    assert row["usage"]["cache_read_tokens"] == timings["cache_n"]
    assert_timings(row, timings)


@pytest.mark.parametrize("counted", [True, False])
def test_chat_stream(bench: Bench, counted: bool) -> None:
    body: dict[str, Any] = {"messages": MESSAGES, "max_tokens": 64, "stream": True}
    body |= {"stream_options": {"include_usage": True}} if counted else {}
    reply, row = bench.metered("/v1/chat/completions", body)
    last = reply.events()[-1]
    if counted:
        assert_openai(row, last["usage"])
    assert_timings(row, last["timings"])
    timing = row["timing"]
    assert row["stream"] is True
    assert 0 < timing["first_byte_ms"] <= timing["first_token_ms"] <= timing["duration_ms"]


def test_completions(bench: Bench) -> None:
    reply, row = bench.metered("/v1/completions", {"prompt": "the cat", "max_tokens": 8})
    assert_openai(row, reply.json()["usage"])
    assert_timings(row, reply.json()["timings"])


@pytest.mark.parametrize("stream", [False, True])
def test_native_completion(bench: Bench, stream: bool) -> None:
    reply, row = bench.metered("/completion", {"prompt": "the moon and the fox", "n_predict": 12, "stream": stream})
    last = reply.events()[-1] if stream else reply.json()
    assert_timings(row, last["timings"])
    assert row["usage"]["input_tokens"] == last["tokens_evaluated"]


def test_infill(bench: Bench) -> None:
    body = {"input_prefix": "the cat sat", "input_suffix": "on the mat", "n_predict": 6}
    reply, row = bench.metered("/infill", body)
    assert_timings(row, reply.json()["timings"])


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_messages(bench: Bench, stream: bool) -> None:
    body = {"model": "m", "messages": MESSAGES, "max_tokens": 12, "stream": stream}
    reply, row = bench.metered("/v1/messages", body)
    if stream:
        events = reply.events()
        usage = events[0]["message"]["usage"] | events[-2]["usage"]
    else:
        usage = reply.json()["usage"]
    read = row["usage"]
    assert read["input_tokens"] == usage["input_tokens"] + usage["cache_read_input_tokens"]
    assert (read["cache_read_tokens"], read["output_tokens"]) == (usage["cache_read_input_tokens"], 12)
    assert row["finish"] == "max_tokens"


@pytest.mark.parametrize("stream", [False, True])
def test_responses(bench: Bench, stream: bool) -> None:
    reply, row = bench.metered("/v1/responses", {"input": "the fox ran", "max_output_tokens": 8, "stream": stream})
    last = reply.events()[-1] if stream else reply.json()
    usage = last["response"]["usage"] if stream else last["usage"]
    read = row["usage"]
    assert (read["input_tokens"], read["output_tokens"]) == (usage["input_tokens"], usage["output_tokens"])
    assert read["cache_read_tokens"] == usage["input_tokens_details"]["cached_tokens"]
    if stream:
        assert_timings(row, last["timings"])


def test_error_body(bench: Bench) -> None:
    reply = bench.ask("/v1/chat/completions", {})
    row = bench.row()
    assert (reply.status, row["status"], row["outcome"]) == (400, 400, "error")
    assert reply.json()["error"]["message"] in row["error"]
    assert row["usage"]["input_tokens"] is None


def test_client_cut(bench: Bench) -> None:
    body = {"messages": MESSAGES, "max_tokens": 4000, "stream": True}
    reply = bench.ask("/v1/chat/completions", body, cut_after=2000)
    assert reply.end is End.CUT
    assert bench.row()["outcome"] == "client_aborted"


def test_everything_is_captured(bench: Bench) -> None:
    found = wait_rows(bench.proxy.meter_dir, bench.asked)
    assert all(row["has_capture"] for row in found)


def test_log_is_clean(bench: Bench) -> None:
    assert "Traceback" not in bench.proxy.output
