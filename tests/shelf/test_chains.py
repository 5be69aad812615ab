"""A request that goes on from a stored response is in that response's session."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.recovery import recover
from mitmeter.redact import Redacted
from mitmeter.shelf import Shelf, private_folder
from mitmeter.store import sqlite
from mitmeter.store.sqlite import Store
from mitmeter.usage.registry import find

OPENAI, GEMINI, STUDIO = "api.openai.com", "generativelanguage.googleapis.com", "studio.lan"
NUMBERS = count()


def turn(
    says: str, ident: str, before: str | None = None, *, host: str = OPENAI, key: str = "a", own: str | None = None
) -> tuple[Exchange, Redacted]:
    """A turn that says something, whose response has an id, and what it goes on from."""
    number = next(NUMBERS)
    path, name = "/v1/responses", "previous_response_id"
    if host == GEMINI:
        path, name = "/v1beta/interactions", "previous_interaction_id"
    if host == STUDIO:
        path = "/api/v1/chat"
    headers = (("content-type", "application/json"), ("authorization", f"Bearer {key}"))
    opening = Opening(
        flow_id=f"f{number}",
        started=1e9 + number,
        zero=0.0,
        method="POST",
        url=f"https://{host}{path}",
        headers=(*headers, *((("x-session-id", own),) if own else ())),
        body=json.dumps({"model": "m", "input": says, name: before}).encode(),
    )
    recorder = Recorder(opening, find("POST", host, path), secret=b"s" * 32)
    recorder.answer(Answer(status=200, headers=headers[:1]), 0.1)
    named = "response_id" if host == STUDIO else "id"
    recorder.feed(json.dumps({named: ident, "status": "completed", "usage": {"input_tokens": 1}}).encode(), 0.2)
    return recorder.close(Outcome.COMPLETE, 0.3)


def which(sessions: list[str | None]) -> list[int]:
    """Number the sessions in the order in which they show up."""
    assert None not in sessions
    known = list(dict.fromkeys(sessions))
    return [known.index(session) for session in sessions]


BEGUN = {"says": "hi", "ident": "r1"}
GOES_ON = {"says": "and?", "ident": "r2", "before": "r1"}
STORIES: dict[str, tuple[list[dict[str, Any]], list[int]]] = {
    "a chain": ([BEGUN, GOES_ON, {"says": "so", "ident": "r3", "before": "r2"}], [0, 0, 0]),
    "a fork": ([BEGUN, GOES_ON, {"says": "or", "ident": "r3", "before": "r1"}], [0, 0, 0]),
    "another conversation": ([BEGUN, {"says": "ho", "ident": "r9"}, GOES_ON], [0, 1, 0]),
    "a response that nobody saw": ([BEGUN, {"says": "and?", "ident": "r2", "before": "r0"}], [0, 1]),
    "another host's": ([BEGUN, {**GOES_ON, "host": "gpu.lan"}], [0, 1]),
    "another credential's": ([BEGUN, {**GOES_ON, "key": "b"}], [0, 1]),
    "the client's own id goes first": ([BEGUN, {**GOES_ON, "own": "x"}], [0, 1]),
    "after the client's own id": ([{**BEGUN, "own": "x"}, GOES_ON, {"says": "hi", "ident": "r3"}], [0, 0, 1]),
    "interactions": ([{**BEGUN, "host": GEMINI}, {**GOES_ON, "host": GEMINI}], [0, 0]),
    "LM Studio": ([{**BEGUN, "host": STUDIO}, {**GOES_ON, "host": STUDIO}], [0, 0]),
    "what is no text": ([BEGUN, {**GOES_ON, "before": ["r1"]}], [0, 1]),
    "what SQLite cannot hold": ([{**BEGUN, "ident": "r\ud800"}, {**GOES_ON, "before": "r\ud800"}], [0, 0]),
    "very long": ([{**BEGUN, "ident": "r" * 600}, {**GOES_ON, "before": "r" * 600}], [0, 1]),
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
def test_turns_share_a_session(tmp_path: Path, story: str, together: bool) -> None:
    calls, wanted = STORIES[story]
    items = [turn(**call) for call in calls]
    private_folder(tmp_path / "meter")
    with Shelf(tmp_path / "meter") as shelf:
        for some in [items] if together else [[item] for item in items]:
            told = [row.exchange for row in shelf.write(some, 1e9, {})[0]]
            assert all(exchange.follows is None for exchange in told), "no such id leaves the store"
        rows = [row.exchange for row in shelf.store.rows()]
    assert which([row.session for row in rows]) == wanted


def test_rows_made_again_out_of_captures_are_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "meter"
    private_folder(folder)
    with Shelf(folder) as shelf:
        shelf.write([turn(**BEGUN), turn(**GOES_ON)], 1e9, {})
    for path in folder.glob("meter.db*"):
        path.unlink()
    with Store(folder / "meter.db") as store:
        assert recover(folder, store).rows_made == 2
        assert which([row.exchange.session for row in store.rows()]) == [0, 0]


def test_the_response_is_found_by_its_index(tmp_path: Path) -> None:
    with Store(tmp_path / "meter.db") as store:
        plan = store.connection.execute(f"EXPLAIN QUERY PLAN {sqlite._FOLLOWED}", ("r", "h", "k")).fetchall()
    assert "exchanges_stored" in str(plan)
