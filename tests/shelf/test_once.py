"""What is made in the background and read again, by the tokens of its rows: each answer's count once."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.shelf import Shelf, private_folder
from mitmeter.usage.registry import find

OPENAI, AZURE, GEMINI = "api.openai.com", "res.openai.azure.com", "generativelanguage.googleapis.com"
NUMBERS = count()

type Call = tuple[str, str, str, Any]
type Tokens = list[tuple[int | None, int | None]]


def answered(status: str, given: int | None = None, output: int | None = None, ident: str = "resp_1") -> dict[str, Any]:
    usage = None if given is None else {"input_tokens": given, "output_tokens": output}
    return {"id": ident, "object": "response", "status": status, "model": "gpt-5", "usage": usage}


def exchange(call: Call) -> tuple[Exchange, Redacted]:
    method, host, path, body = call
    number = next(NUMBERS)
    opening = Opening(flow_id=f"f{number}", started=1e9 + number, zero=0.0, method=method, url=f"https://{host}{path}")
    recorder = Recorder(opening, find(method, host, path.partition("?")[0]))
    streams = isinstance(body, tuple)
    kind = (
        "application/x-jsonl" if path.endswith("/results") else "text/event-stream" if streams else "application/json"
    )
    recorder.answer(Answer(status=200, headers=(("content-type", kind),)), 0.1)
    lines = ("data: " if kind.startswith("text") else "", "\n\n" if kind.startswith("text") else "\n")
    told = "".join(f"{lines[0]}{json.dumps(one)}{lines[1]}" for one in body) if streams else json.dumps(body)
    recorder.feed(told.encode(), 0.2)
    return recorder.close(Outcome.COMPLETE, 0.3)


def tokens(folder: Path) -> Tokens:
    with Shelf(folder) as shelf:
        rows = [row.exchange for row in shelf.store.rows()]
    usages = [one.usage for one in sorted(rows, key=lambda one: one.started)]
    assert all(usage.source is not None or usage.total_tokens is None for usage in usages)
    return [(usage.input_tokens, usage.output_tokens) for usage in usages]


NONE = (None, None)
MADE = ("POST", OPENAI, "/v1/responses", answered("queued"))
POLL = ("GET", OPENAI, "/v1/responses/resp_1", answered("in_progress"))
DONE = ("GET", OPENAI, "/v1/responses/resp_1", answered("completed", 10, 5))
AT_ONCE = ("POST", OPENAI, "/v1/responses", answered("completed", 10, 5))
OTHER = ("GET", OPENAI, "/v1/responses/resp_2", answered("completed", 7, 3, "resp_2"))
REPLAY = (
    "GET",
    OPENAI,
    "/v1/responses/resp_1?stream=true&starting_after=3",
    (
        {"type": "response.output_text.delta", "output_index": 0, "delta": "hi"},
        {"type": "response.completed", "response": answered("completed", 10, 5)},
    ),
)
RUN = {"id": "run_1", "object": "thread.run", "usage": {"prompt_tokens": 4, "completion_tokens": 2}}
PREDICTION = {"id": "p1", "metrics": {"input_token_count": 14, "output_token_count": 89}}
DEFERRED = {"id": "c1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}
ASYNC = {"id": "a1", "status": "COMPLETED", "response": {"usage": {"prompt_tokens": 6, "completion_tokens": 2}}}
SETTLED = {"id": "batch_1", "status": "completed", "usage": {"input_tokens": 900, "output_tokens": 80}}
INTERACTION = {"id": "i1", "status": "completed", "usage": {"total_input_tokens": 8, "total_output_tokens": 2}}


def result(number: int, given: int, output: int) -> dict[str, Any]:
    usage = {"input_tokens": given, "cache_read_input_tokens": 100, "output_tokens": output}
    message = {"id": f"msg_{number}", "model": "claude", "content": [{"type": "text", "text": "x"}], "usage": usage}
    return {"custom_id": str(number), "result": {"type": "succeeded", "message": message}}


FAILED = {"custom_id": "9", "result": {"type": "errored", "error": {"type": "invalid_request"}}}
RESULTS = ("GET", "api.anthropic.com", "/v1/messages/batches/b1/results", (result(1, 5, 2), FAILED, result(2, 7, 3)))

STORIES: dict[str, tuple[tuple[Call, ...], Tokens]] = {
    "polls until it is there": ((MADE, POLL, POLL, DONE, DONE), [NONE, NONE, NONE, (10, 5), NONE]),
    "the request was not seen": ((POLL, DONE, DONE), [NONE, (10, 5), NONE]),
    "answered at once, read later": ((AT_ONCE, DONE, DONE), [(10, 5), NONE, NONE]),
    "two answers": ((MADE, DONE, OTHER, DONE, OTHER), [NONE, (10, 5), (7, 3), NONE, NONE]),
    "a stream taken up again": ((MADE, REPLAY, DONE), [NONE, (10, 5), NONE]),
    "two requests with one id": ((AT_ONCE, AT_ONCE), [(10, 5), (10, 5)]),
    "another server's id": (
        (AT_ONCE, ("GET", "gpu.lan", "/v1/responses/resp_1", answered("completed", 2, 1)), DONE),
        [(10, 5), (2, 1), NONE],
    ),
    "a deployment": (
        (("GET", AZURE, "/openai/responses/resp_1", answered("completed", 10, 5)),) * 2,
        [(10, 5), NONE],
    ),
    "a run": (
        (
            ("POST", OPENAI, "/v1/threads/t/runs", {**RUN, "status": "queued", "usage": None}),
            ("GET", OPENAI, "/v1/threads/t/runs/run_1", {**RUN, "status": "completed"}),
            ("GET", OPENAI, "/v1/threads/t/runs/run_1", {**RUN, "status": "completed"}),
        ),
        [NONE, (4, 2), NONE],
    ),
    "a prediction": (
        (
            ("POST", "api.replicate.com", "/v1/predictions", {"id": "p1", "status": "starting", "metrics": {}}),
            ("GET", "api.replicate.com", "/v1/predictions/p1", {**PREDICTION, "status": "processing"}),
            ("GET", "api.replicate.com", "/v1/predictions/p1", {**PREDICTION, "status": "succeeded"}),
            ("GET", "api.replicate.com", "/v1/predictions/p1", {**PREDICTION, "status": "succeeded"}),
        ),
        [NONE, NONE, (14, 89), NONE],
    ),
    "a prediction that was waited for": (
        (
            ("POST", "api.replicate.com", "/v1/predictions", {**PREDICTION, "status": "succeeded"}),
            ("GET", "api.replicate.com", "/v1/predictions/p1", {**PREDICTION, "status": "succeeded"}),
        ),
        [(14, 89), NONE],
    ),
    "a deferred completion": (
        (
            ("POST", "api.x.ai", "/v1/chat/completions", {"request_id": "d1"}),
            ("GET", "api.x.ai", "/v1/chat/deferred-completion/d1", {}),
            ("GET", "api.x.ai", "/v1/chat/deferred-completion/d1", DEFERRED),
            ("GET", "api.x.ai", "/v1/chat/deferred-completion/d1", DEFERRED),
        ),
        [NONE, NONE, (3, 1), NONE],
    ),
    "an asynchronous search": (
        (
            ("POST", "api.perplexity.ai", "/async/chat/completions", {"id": "a1", "status": "CREATED"}),
            ("GET", "api.perplexity.ai", "/async/chat/completions/a1", {"id": "a1", "status": "IN_PROGRESS"}),
            ("GET", "api.perplexity.ai", "/async/chat/completions/a1", ASYNC),
            ("GET", "api.perplexity.ai", "/async/chat/completions/a1", ASYNC),
        ),
        [NONE, NONE, (6, 2), NONE],
    ),
    "a batch": (
        (
            ("POST", OPENAI, "/v1/batches", {"id": "batch_1", "status": "validating"}),
            ("GET", OPENAI, "/v1/batches/batch_1", {**SETTLED, "status": "in_progress"}),
            ("GET", OPENAI, "/v1/batches/batch_1", SETTLED),
            ("GET", OPENAI, "/v1/batches/batch_1", SETTLED),
        ),
        [NONE, NONE, (900, 80), NONE],
    ),
    "a batch's results": ((RESULTS, RESULTS), [(212, 5), NONE]),
    "an interaction": (
        (
            ("POST", GEMINI, "/v1beta/interactions", {"id": "i1", "status": "in_progress"}),
            ("GET", GEMINI, "/v1beta/interactions/i1", INTERACTION),
            ("GET", GEMINI, "/v1beta/interactions/i1", INTERACTION),
        ),
        [NONE, (8, 2), NONE],
    ),
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("how", ["together", "one by one", "in turns"])
def test_each_answer_counts_once(tmp_path: Path, story: str, how: str) -> None:
    calls, wanted = STORIES[story]
    items = [exchange(call) for call in calls]
    private_folder(tmp_path / "meter")
    if how == "together":
        with Shelf(tmp_path / "meter") as shelf:
            shelf.write(items, 1e9, {})
    elif how == "one by one":
        for item in items:
            with Shelf(tmp_path / "meter") as shelf:
                shelf.write([item], 1e9, {})
    else:
        with Shelf(tmp_path / "meter") as one, Shelf(tmp_path / "meter") as other:
            for at, item in enumerate(items):
                (one, other)[at % 2].write([item], 1e9, {})
    assert tokens(tmp_path / "meter") == wanted


def test_a_reading_that_ends_first_is_the_one_that_counts(tmp_path: Path) -> None:
    streamed, poll = exchange(AT_ONCE), exchange(DONE)
    private_folder(tmp_path / "meter")
    with Shelf(tmp_path / "meter") as shelf:
        rows, _ = shelf.write([poll, streamed], 1e9, {})
    assert [row.exchange.usage.input_tokens for row in rows] == [10, None], "what was written is told"
    assert tokens(tmp_path / "meter") == [NONE, (10, 5)]


def test_an_id_that_is_given_again_is_another_answer(tmp_path: Path) -> None:
    items = [exchange(DONE), exchange(AT_ONCE)]
    private_folder(tmp_path / "meter")
    with Shelf(tmp_path / "meter") as shelf:
        shelf.write(items, 1e9, {})
    assert tokens(tmp_path / "meter") == [(10, 5), (10, 5)]


def test_what_is_made_again_out_of_the_captures_counts_once(tmp_path: Path) -> None:
    folder = tmp_path / "meter"
    private_folder(folder)
    for items in ([exchange(MADE), exchange(DONE)], [exchange(DONE), exchange(OTHER)], [exchange(OTHER)]):
        with Shelf(folder) as shelf:
            shelf.write(items, 1e9, {})
    for path in folder.glob("meter.db*"):
        path.unlink()
    with Shelf(folder) as shelf:
        assert shelf.recover().rows_made == 5
    assert sorted(filter(any, tokens(folder))) == [(7, 3), (10, 5)]
