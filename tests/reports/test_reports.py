"""What the commands answer, read from a meter_dir."""

import json
from pathlib import Path
from typing import Any

import pytest

from mitmeter import choosing, reports
from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.shelf import Shelf, private_folder
from mitmeter.usage.registry import find

NOW = 1_795_341_600.25
PATH = "/v1/chat/completions"


def exchanged(number: int, said: str, tokens: int | None, seconds: float) -> tuple[Exchange, Redacted]:
    opening = Opening(
        flow_id=f"flow-{number}",
        started=NOW + number,
        zero=0.0,
        method="POST",
        url=f"https://api.openai.com{PATH}",
        headers=(("Content-Type", "application/json"), ("X-Session-Id", f"s{number % 2}")),
        body=json.dumps({"model": "asked", "messages": [{"role": "user", "content": f"say {said}"}]}).encode(),
    )
    recorder = Recorder(opening, find("POST", "api.openai.com", PATH), secret=b"x" * 32)
    recorder.answer(Answer(status=200, headers=(("Content-Type", "application/json"),)), 0.1)
    answer: dict[str, Any] = {"model": f"m{number % 2}", "choices": [{"message": {"content": said}}]}
    if tokens is not None:
        answer["usage"] = {"prompt_tokens": tokens, "completion_tokens": 1}
    recorder.feed(json.dumps(answer).encode(), seconds)
    return recorder.close(Outcome.COMPLETE, seconds)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "meter"
    private_folder(folder)
    made = [exchanged(1, "alpha", 10, 1.0), exchanged(2, "beta\x1b[2J", 1000, 2.0), exchanged(3, "alphabet", None, 9.0)]
    with Shelf(folder) as shelf:
        shelf.write(made, NOW, {})
    return folder


def cells(text: str) -> list[list[str]]:
    return [line.split("  ") for line in text.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        pytest.param(("tokens", "exchange"), ["#2 m0", "#1 m1"], id="tokens"),
        pytest.param(("duration", "exchange"), ["#3 m1", "#2 m0", "#1 m1"], id="time"),
        pytest.param(("duration", "model"), ["m1", "m0"], id="by model"),
        pytest.param(("input", "host"), ["api.openai.com"], id="by host"),
        pytest.param(("input", "credential"), ["?"], id="by what is not known"),
    ],
)
def test_the_most(folder: Path, arguments: tuple[Any, Any], first: list[str]) -> None:
    told = reports.top(folder, *arguments, 10, choosing.parse((), folder)).splitlines()
    assert len(told) == len(first) + 1
    assert all(line.startswith(name) for line, name in zip(told[1:], first, strict=True)), told


def test_a_session_is_a_group(folder: Path) -> None:
    told = reports.top(folder, "duration", "session", 10, choosing.parse((), folder)).splitlines()
    assert len(told) == 3 and told[1].split()[1:3] == ["10.0", "2"]


def test_filters_are_those_of_the_command_line(folder: Path) -> None:
    told = reports.top(folder, "duration", "exchange", 10, choosing.parse(("--grep", "alpha", "--model", "m1"), folder))
    assert [line[:2] for line in told.splitlines()[1:]] == ["#3", "#1"]
    with pytest.raises(ValueError, match="No such option"):
        choosing.parse(("--colour", "red"), folder)
    with pytest.raises(ValueError, match="neither a time"):
        choosing.parse(("--since", "soon"), folder)


def test_text_is_found_where_people_read_it(folder: Path) -> None:
    found, whole = reports.find(folder, choosing.parse(("--grep", "alpha"), folder), 10, print)
    assert whole and [(one.row.id, one.passage) for one in found] == [(3, "say alphabet"), (1, "say alpha")]
    found, whole = reports.find(folder, choosing.parse(("--grep", "alpha"), folder), 10, print, limit=1)
    assert not whole and [one.row.id for one in found] == [3]


def test_a_passage_holds_no_control_character(folder: Path) -> None:
    found, _ = reports.find(folder, choosing.parse(("--grep", "beta"), folder), 10, print)
    assert [one.passage for one in found] == ["say beta [2J"]
