"""The answers to several prompts of one request: each is read for itself, and their counts are summed."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import ENGINE, dialect, messages, read

from mitmeter.exchange import Answer, Exchange, Message, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.usage import reading as limits
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.reading import Reading
from mitmeter.usage.registry import find
from mitmeter.usage.reply import Reply

NATIVE = dialect("/generate")
WORDS = st.sampled_from(("a", "b c", 'q"', "é😀", "\\", "}"))
# The turns in which answers go on, each with a word.
TURNS = st.lists(st.tuples(st.integers(0, 3), WORDS), min_size=1, max_size=60)


def engine(index: int, text: str, output: int) -> dict[str, Any]:
    return {"index": index, "content": text, "stop": False, "tokens_predicted": output, "tokens_evaluated": 10 + index}


def native(index: int, text: str, output: int) -> dict[str, Any]:
    meta = {"id": f"g{index}", "prompt_tokens": 10 + index, "completion_tokens": output, "finish_reason": None}
    return {"text": text, "meta_info": meta, "index": index}


def streamed(path: str, body: bytes, sizes: list[int]) -> Exchange:
    asked = json.dumps({"stream": True}).encode()
    opening = Opening(flow_id="f", started=1e9, zero=0.0, method="POST", url=f"http://host.invalid{path}", body=asked)
    recorder = Recorder(opening, find("POST", "host.invalid", path))
    recorder.answer(Answer(status=200, headers=(("content-type", "text/event-stream"),)), 0.1)
    at = 0
    for size in [*sizes, len(body)]:
        recorder.feed(body[at : at + size], 0.2)
        at += size
    return recorder.close(Outcome.COMPLETE, 0.3)[0]


APIS = st.sampled_from((("/completion", engine), ("/generate", native)))


@settings(deadline=None)
@given(TURNS, st.lists(st.integers(1, 2000), max_size=20), APIS)
def test_whatever_the_order_counts_are_summed(turns: list[tuple[int, str]], sizes: list[int], spoken: Any) -> None:
    path, event = spoken
    output: dict[int, int] = {}
    body = b""
    for index, word in turns:
        output[index] = output.get(index, 0) + 1
        body += b"data: %s\n\n" % json.dumps(event(index, word, output[index])).encode()
    usage = streamed(path, body, sizes).usage
    assert (usage.input_tokens, usage.output_tokens) == (sum(10 + index for index in output), len(turns))


@pytest.mark.parametrize(
    ("documents", "told"),
    [
        pytest.param([[engine(0, "a", 3)]], {"tokens_predicted": 3, "tokens_evaluated": 10}, id="one"),
        pytest.param(
            [[engine(0, "a", 3), engine(1, "b", 4)]],
            [{"tokens_predicted": 3, "tokens_evaluated": 10}, {"tokens_predicted": 4, "tokens_evaluated": 11}],
            id="two",
        ),
        pytest.param(
            [[{"content": "a", "tokens_predicted": 1}, {"content": "b", "tokens_predicted": 2}]],
            [{"tokens_predicted": 1}, {"tokens_predicted": 2}],
            id="by their place",
        ),
        pytest.param([[{"content": "a"}, {"content": "b"}]], None, id="without counts"),
    ],
)
def test_what_each_says_is_kept(documents: list[Any], told: Any) -> None:
    reading = Reading(ENGINE, streaming=False)
    reading.feed(Message(json.dumps(document).encode()) for document in documents)
    assert (reading.reported() or {}).get("usage") == told


def test_so_many_are_read_and_the_rest_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ANSWERS", 3)
    reading = read(ENGINE, [json.dumps(engine(index, "a", 1)) for index in range(5)])
    assert (reading.usage({})[0].output_tokens, reading.anomalies) == (3, ["too_many_answers"])


@pytest.mark.parametrize(
    ("reader", "payloads", "streaming", "texts"),
    [
        pytest.param(
            ENGINE, [engine(0, "a", 1), engine(1, "x", 1), engine(0, "b", 2)], True, ["ab", "x"], id="engine, streamed"
        ),
        pytest.param(
            NATIVE, [native(0, "a", 1), native(1, "x", 1), native(0, "ab", 2)], True, ["ab", "x"], id="native"
        ),
        pytest.param(NATIVE, [[{"text": "a"}, {"text": "x"}]], False, ["a", "x"], id="native, an array"),
    ],
)
def test_each_answer_is_a_block(reader: Dialect, payloads: list[Any], streaming: bool, texts: list[str]) -> None:
    reply = Reply(reader, streaming=streaming)
    reply.feed(messages(json.dumps(payload) for payload in payloads))
    assert [block.text for block in reply.blocks()] == texts
