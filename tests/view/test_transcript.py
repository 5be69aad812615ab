"""A conversation as lines of text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mitmeter import transcript
from mitmeter.conversation import Conversation, Turn
from mitmeter.usage.block import Block

LONG = "word " * 35


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("plain, with Umlaut ä and 東京 and 🤔", "plain, with Umlaut ä and 東京 and 🤔", id="plain"),
        pytest.param("a\x1b[31mred", "a\\x1b[31mred", id="escape"),
        pytest.param("a\rb\r\nc\bd\x7f\x9b", "a\\x0db\nc\\x08d\\x7f\\x9b", id="controls"),
        pytest.param("a\u202egnp.exe", "a\\u202egnp.exe", id="direction"),
        pytest.param("a\u200bb\ufeff\u2028", "a\\u200bb\\ufeff\\u2028", id="no width"),
        pytest.param("hi\U000e0068\U000e0069", "hi\\U000e0068\\U000e0069", id="hidden text"),
        pytest.param("\ud83d", "\\ud83d", id="half a character"),
        pytest.param("👩\u200d💻 نمی\u200cخواهم", "👩\u200d💻 نمی\u200cخواهم", id="joiners"),
        pytest.param("a\n\tb", "a\n\tb", id="line ends and tabs"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text: str, shown: str) -> None:
    assert transcript.visible(text) == shown


def test_lines_are_broken_at_spaces() -> None:
    lines = list(transcript.wrapped(LONG))
    assert len(lines) == 3 and all(line.startswith("word") and line.endswith("word") for line in lines[:2])
    assert list(transcript.wrapped("x" * 200)) == ["x" * 78, "x" * 78, "x" * 44]
    assert list(transcript.wrapped("a\n\n\tb")) == ["a", "", "    b"]


@given(st.text(max_size=400))
def test_no_line_is_too_long_and_nothing_is_lost(text: str) -> None:
    lines = list(transcript.wrapped(text))
    assert all(len(line) <= transcript.WIDTH for line in lines)
    kept = "".join(transcript.visible(text).expandtabs(1).split())
    assert "".join("".join(lines).split()) == kept


@pytest.mark.parametrize("text", ["東京" * 100, "ひらがな カタカナ " * 30])
def test_wide_characters_count_twice(text: str) -> None:
    assert all(cell_len(line) <= transcript.WIDTH for line in transcript.wrapped(text))


@pytest.mark.parametrize(
    ("given_arguments", "lines"),
    [
        pytest.param('{"path": "a.py", "n": 3, "all": true}', ["path: a.py", "n: 3", "all: true"], id="flat"),
        pytest.param('{"code": "a\\nb"}', ["code:", "  a", "  b"], id="a text of several lines"),
        pytest.param('{"a": {"b": [1, "x"]}}', ["a:", "  b:", "    - 1", "    - x"], id="nested"),
        pytest.param('{"a": "3", "b": "null", "c": ""}', ['a: "3"', 'b: "null"', 'c: ""'], id="texts that are texts"),
        pytest.param('{"a": {}, "b": []}', ["a: {}", "b: []"], id="empty"),
        pytest.param("{}", [], id="none"),
        pytest.param('{"a": ', ['{"a": '], id="cut off"),
        pytest.param("print(1)", ["print(1)"], id="no JSON"),
        pytest.param("[" * 100_000, ["[" * 100_000], id="too deep"),
    ],
)
def test_arguments_are_spelled_out(given_arguments: str, lines: list[str]) -> None:
    assert list(transcript.arguments(given_arguments)) == lines


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=30))
def test_any_arguments_are_spelled_out(value: Any) -> None:
    list(transcript.arguments(json.dumps({"a": value})))


def turn(role: str, *blocks: Block, new: bool = True) -> Turn:
    return Turn(role, blocks, new=new)


def test_what_was_resent_is_a_line_a_turn_and_what_is_new_is_there_in_full() -> None:
    told = Conversation(
        turns=(
            turn("system", Block("text", LONG, cut=1000), new=False),
            turn("user", Block("text", "Hi"), Block("image", media="image/png", size=2000), new=False),
            turn("assistant", Block("thinking", "hm"), Block("tool", "{}", name="ls"), new=False),
            turn("tool", Block("tool_result", LONG)),
            turn("user", Block("file", "https://example.com/a.pdf", name="a.pdf"), Block("text", "x", cut=7)),
        ),
        left_out=("3 earlier turns",),
    )
    lines = transcript.asked(told)
    assert [line for line in lines if line and line[0] not in "═━─"] == [
        f"system    {LONG.strip()[:49]} … 1,175 characters",
        "user      Hi · [image image/png 2.0 kB]",
        "assistant ls({}) · [thinking] hm",
        *transcript.wrapped(LONG),
        "https://example.com/a.pdf",
        "x",
        "[… 7 more characters]",
        "[left out: 3 earlier turns]",
    ]
    assert [line.split()[1] for line in lines if line and line[0] in "═━─"] == [
        *("resent:", "new:", "tool", "user", "file", "text")
    ]
    assert "── file a.pdf ─" in "\n".join(lines)
    assert all(len(line) <= transcript.WIDTH for line in lines)


def test_a_reply() -> None:
    told = Conversation(reply=(Block("text", "a"), Block("tool", '{"b": 1}', name="f\x1b"), Block("audio", size=9)))
    shown = [line for line in transcript.answered(told) if line]
    assert [line if line[0] != "─" else line.strip("─ ") for line in shown] == [
        *("text", "a", "tool f", "b: 1", "audio", "[audio 9 B]")
    ]
