"""Secrets in pieces are found however a stream writes its members, whichever blocks it has and however they mix."""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mitmeter.redact import Redactor
from mitmeter.redact.stitched import _pieces

SECRET = "sk-proj-aB3dE5gH7jK9mN1pQ3sT5vW7yZ9"
DUMPS: dict[str, Callable[[Any], str]] = {
    "compact": lambda value: json.dumps(value, separators=(",", ":")),
    "spaced": json.dumps,
    "odd": lambda value: json.dumps(value, separators=(" , ", " : ")),
    "broken over lines": lambda value: json.dumps(value, separators=(",", ":\t")),
}


def chat(text: str, index: int, member: str = "content") -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {member: text}, "finish_reason": None}]}


def block(text: str, index: int) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def typed(text: str, index: int) -> dict[str, Any]:
    place = {"item_id": f"i{index}", "output_index": index, "content_index": 0}
    return {"type": "response.output_text.delta", **place, "delta": text}


SHAPES = {"chat": chat, "messages": block, "responses": typed}
MEMBERS = ("content", "reasoning_content", "reasoning", "refusal", "text")


def pieces(text: str, cuts: Sequence[int]) -> list[str]:
    ends = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    return [text[start:end] for start, end in pairwise(ends)]


def stream(events: list[dict[str, Any]], dumps: Callable[[Any], str]) -> bytes:
    return "".join(f"data: {dumps(event)}\n\n" for event in events).encode()


def spelled(cleaned: bytes) -> str:
    """The strings that are told, put together."""
    told: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, str):
            told.append(value)
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(item)

    for line in cleaned.decode().split("\n\n"):
        if line:
            walk(json.loads(line.removeprefix("data: ")))
    return "".join(told)


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(tuple(SHAPES)),
    st.sampled_from(tuple(DUMPS)),
    st.lists(st.integers(1, len(SECRET) - 1), min_size=1, max_size=12),
    st.integers(0, 11),
    st.integers(0, 60),
)
def test_a_block_of_its_own(shape: str, how: str, cuts: list[int], index: int, before: int) -> None:
    event = SHAPES[shape]
    events = [event(f" w{at}", 0) for at in range(before)]
    events += [event(piece, index) for piece in pieces(f" {SECRET} ", cuts)]
    cleaned = Redactor((), "").body(stream(events, DUMPS[how]), stream=True) or b""
    assert SECRET not in spelled(cleaned) and SECRET[8:20] not in spelled(cleaned)


@settings(deadline=None, max_examples=150)
@example("chat", "compact", [4, 9, 20], [1, 10])
@given(
    st.sampled_from(tuple(SHAPES)),
    st.sampled_from(tuple(DUMPS)),
    st.lists(st.integers(1, len(SECRET) - 1), min_size=3, max_size=12),
    st.lists(st.integers(0, 11), min_size=2, max_size=3, unique=True),
)
def test_blocks_that_interleave(shape: str, how: str, cuts: list[int], indexes: list[int]) -> None:
    event, parts = SHAPES[shape], pieces(f" {SECRET} ", cuts)
    events = [event(piece, index) for piece in parts for index in indexes]
    cleaned = (Redactor((), "").body(stream(events, DUMPS[how]), stream=True) or b"").decode()
    for index in indexes:
        own = [json.loads(line[6:]) for line in cleaned.split("\n\n") if line]
        told = spelled(stream([one for one in own if _place(one) == index], json.dumps))
        assert SECRET[8:20] not in told


def _place(event: dict[str, Any]) -> Any:
    return event.get("output_index", event.get("index", event.get("choices", [{}])[0].get("index")))


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("how", DUMPS)
def test_a_member_that_begins_late(member: str, how: str) -> None:
    """What the first events do not have, and what they write in another way, is found too."""
    late = [chat(piece, 0, member) for piece in pieces(SECRET, (5, 9, 20))]
    early = stream([chat(f" word {at}", 0, "thinking") for at in range(100)], DUMPS["compact"])
    cleaned = Redactor((), "").body(early + stream(late, DUMPS[how]), stream=True) or b""
    assert SECRET[8:20] not in spelled(cleaned)
    assert cleaned.startswith(early)


def test_a_member_written_in_two_ways_at_once() -> None:
    first, second, third = pieces(SECRET, (9, 20))
    body = stream([chat(first, 0)], DUMPS["compact"]) + stream([chat(second, 0)], DUMPS["spaced"])
    body += stream([chat(third, 0)], DUMPS["compact"])
    assert SECRET[9:20] not in (Redactor((), "").body(body, stream=True) or b"").decode()


FOLLOWS = st.sampled_from(['"}}', '"}, ', '"', "", '"},"x":1}'])


@given(
    st.lists(st.sampled_from(["", "a", ":", "\\n", '\\"', "\\\\"]), max_size=12), FOLLOWS, FOLLOWS, st.integers(0, 12)
)
def test_values_between_which_the_same_stands(values: list[str], follows: str, odd: str, place: int) -> None:
    opening = b'"content":"'
    texts = [value + (odd if at == place else follows) for at, value in enumerate(values)]
    data = b"data: {" + b"".join(opening + text.encode() for text in texts)
    assert _pieces("content", data, opening) == _pieces("content", data, None)
