"""What the API answers beside llama-swap's shapes: fields, filters, searches, captures in full, events, deleting."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.rows import CHAT, NOW, captured, row, written
from harness.client import Connection
from harness.served import TOKEN, Served
from mitmeter import inflight
from mitmeter.archive.frame import from_llama_swap_frame
from mitmeter.inflight import Board, InFlight
from mitmeter.shelf import Shelf, private_folder
from mitmeter.store.filters import TEXTS
from mitmeter.store.surface import to_json

ASKED = {"model": "m", "messages": [{"role": "user", "content": "where is the needle — 東京?"}], "stream": False}
ANSWERED = {"model": "m", "choices": [{"message": {"role": "assistant", "content": "in the haystack"}}]}
PARAMETERS = (*TEXTS, "status", "start", "end", "since", "until", "min_id", "max_id", "captured", "text", "header")
KEY = (("Content-Type", "application/json"), ("Authorization", "Bearer sk-secret"), ("X-Trace", "it's"))


def asked(text: str) -> bytes:
    return json.dumps(ASKED | {"messages": [{"role": "user", "content": text}]}).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    items = [
        captured(json.dumps(ASKED, ensure_ascii=False).encode(), json.dumps(ANSWERED).encode(), headers=KEY),
        captured(asked("nothing"), b"\xff\xfe\x00", started=NOW + 60),
        row(NOW + 120, {"input_tokens": 0}, {"duration_ms": 12.5}, model="gpt-5", outcome="error", error="it <b>broke"),
        *(captured(asked(f"needle {number}"), started=NOW + 200 + number) for number in range(60)),
    ]
    with Served(written(tmp_path_factory.mktemp("api") / "m", items)) as served:
        yield served


def ids(page: Any) -> list[int]:
    return [one["id"] for one in page["data"]]


def test_an_entry_has_the_row_beside(served: Served) -> None:
    (entry,) = served.get("/api/metrics/activity?min_id=3&max_id=3")["data"]
    assert entry.keys() >= {"flow_id", "started", "usage", "timing", "sizes", "session", "cost_usd", "anomalies"}
    assert (entry["usage"]["input_tokens"], entry["usage"]["output_tokens"]) == (0, None)
    assert (entry["tokens"]["input_tokens"], entry["tokens"]["cache_tokens"]) == (0, -1)
    assert (entry["error_msg"], entry["outcome"], entry["duration_ms"]) == ("it <b>broke", "error", 12)
    assert (entry["timestamp"], entry["has_capture"]) == (entry["started"], False)


FILTERS = {
    "model=gpt-5": [3],
    "model=gpt*": [3],
    "outcome=error": [3],
    "status=2xx&max_id=2": [2, 1],
    "status=404": [],
    "captured=1&max_id=3": [2, 1],
    "provider=nobody": [],
    "start=2023-11-14T22:15:20Z&max_id=3": [3],
    "since=2023-11-14T22:14:20Z&until=2023-11-14T22:15:20Z": [2],
    "start=2023-11-14T23:15:20%2B01:00&max_id=3": [3],
    "start=2023-11-14T23:15:20+01:00&max_id=3": [3],
    "since=1h": [],
    "sort=time&order=asc&limit=2": [1, 2],
    "sort=duration&limit=1": [63],
}
WRONG = [
    "outcome=maybe",
    "status=abc",
    "status=42",
    "since=yesterday",
    "header=nocolon",
    "seconds=0&text=a",
    "seconds=x&text=a",
]
WRONG += ["text=a&page=2", "text=a&sort=duration", "limit=1e3", "page=99999999999999999999"]


@pytest.mark.parametrize("query", FILTERS)
def test_filters(served: Served, query: str) -> None:
    found = ids(served.get(f"/api/metrics/activity?{query}"))
    assert found == FILTERS[query]


@pytest.mark.parametrize("query", WRONG)
def test_what_cannot_be_used_is_told(served: Served, query: str) -> None:
    told = served.get(f"/api/metrics/activity?{query}", 400)
    assert (told["src"], told["error"]["param"], told["error"]["code"]) == ("mitmeter", None, "bad_request")
    assert told["error"]["message"]


def test_sums_take_no_text(served: Served) -> None:
    for path in ("stats?text=a", "series?by=flow", "series?buckets=0", "series?top=99"):
        assert served.get(f"/api/metrics/{path}", 400)["error"]["message"]


def test_a_search_goes_on_where_it_stopped(served: Served) -> None:
    found: list[int] = []
    query = "text=needle&limit=7&seconds=20"
    while True:
        page = served.get(f"/api/metrics/activity?{query}")
        found += ids(page)
        searched = page["searched"]
        if searched["complete"]:
            break
        query = f"text=needle&limit=7&max_id={searched['next_max_id']}"
    assert found == [*range(63, 3, -1), 1]
    assert ids(served.get("/api/metrics/activity?text=東京".encode().decode("latin-1"))) == [1]
    assert ids(served.get("/api/metrics/activity?header=content-type:+application*&max_id=2")) == [2, 1]
    assert ids(served.get("/api/metrics/activity?header=content-type:+text*")) == []


def test_stats_and_series(served: Served) -> None:
    stats = served.get("/api/metrics/stats")
    assert (stats["total_requests"], stats["errors"], stats["last_id"]) == (63, 1, 63)
    assert [one["model"] for one in stats["models"]] == ["m", "gpt-5"]
    assert stats["total_cost_usd"] is None
    series = served.get("/api/metrics/series?buckets=4&by=outcome")
    assert len(series["series"][0]["requests"]) == 4
    assert sum(sum(one["requests"]) for one in series["series"]) == 63
    timed = served.get("/api/metrics/series?buckets=2&since=2023-11-14T22:13:20Z&until=2023-11-14T22:15:20Z")
    assert (timed["step_seconds"], timed["series"][0]["requests"]) == (60.0, [1, 1])
    assert set(served.get("/api/metrics/values")["model"]) == {"m", "gpt-5"}


def test_a_capture_in_full(served: Served) -> None:
    found = served.get("/api/captures/1?view=full")
    assert found["capture"]["request_headers"][0] == ["Content-Type", "application/json"]
    assert json.loads(found["capture"]["request_body"]) == ASKED
    roles = [(one["role"], one["blocks"][0]["text"]) for one in found["conversation"]]
    assert roles == [("user", "where is the needle — 東京?"), ("assistant", "in the haystack")]
    assert "sk-secret" not in json.dumps(found)
    assert "-H 'Authorization: Bearer '\"$API_KEY\"" in found["curl"]
    bare = served.get("/api/captures/3?view=full")
    assert [bare[name] for name in ("capture", "capture_error", "conversation", "timeline", "curl")] == [None] * 5
    assert served.get("/api/captures/2?view=full")["capture"]["response_body_encoding"] == "base64"
    assert served.ask("GET", "/api/captures/1?view=other").status == 400
    assert served.ask("GET", "/api/captures/999?view=full").status == 404
    assert served.ask("GET", "/api/captures/3").status == 404


def test_downloads(served: Served) -> None:
    for view, kind in {"json": "application/json", "frame": "application/octet-stream"}.items():
        reply = served.ask("GET", f"/api/captures/1?view={view}")
        assert (reply.header("content-type") or "").startswith(kind)
        assert (reply.header("content-disposition") or "").startswith("attachment; filename=")
    assert from_llama_swap_frame(reply.body).capture.path == CHAT
    assert served.ask("GET", "/api/captures/2?view=response").body == b"\xff\xfe\x00"
    six = served.get("/api/captures/2")
    assert base64.b64decode(six["resp_body"]) == b"\xff\xfe\x00"


def test_deleting_takes_our_own_page_or_the_token_in_a_header(tmp_path: Path) -> None:
    with Served(written(tmp_path / "m", [captured(), captured(started=NOW + 1), captured(started=NOW + 2)])) as served:
        cookie = (served.ask("GET", f"/meter?token={TOKEN}", {}).header("set-cookie") or "").partition(";")[0]
        own = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin", "Origin": f"http://127.0.0.1:{served.port}"}
        assert served.ask("DELETE", "/api/captures/1", {}).status == 401
        assert served.ask("DELETE", "/api/captures/1", {"Cookie": cookie}).status == 403
        assert served.ask("DELETE", f"/api/captures/1?token={TOKEN}", {}).status == 403
        assert served.ask("DELETE", "/api/captures/1", own | {"Origin": "http://evil.test"}).status == 403
        assert served.ask("DELETE", "/api/captures/1", own).json()["captures"] == 1
        assert served.ask("DELETE", "/api/captures/2").json()["msg"] == "ok"
        assert served.ask("DELETE", "/api/captures/2").status == 404
        assert served.ask("DELETE", "/api/captures/99").status == 404
        assert [one["has_capture"] for one in served.get("/api/metrics")] == [False, False, True]


def test_a_capture_that_a_proxy_still_writes_beside_stays(tmp_path: Path) -> None:
    private_folder(tmp_path / "m")
    with Shelf(tmp_path / "m") as shelf, Served(tmp_path / "m") as served:
        shelf.write([captured()], NOW, {})
        assert served.ask("DELETE", "/api/captures/1").status == 409
        assert served.ask("GET", "/api/captures/1").status == 200


def test_damage_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "m", [captured()])
    for path in (folder / "captures").iterdir():
        path.write_bytes(path.read_bytes()[:20])
    with Served(folder) as served:
        assert served.get("/api/captures/1", 500)["error"]["code"] == "internal_server_error"
        assert served.get("/api/captures/1?view=full")["capture_error"]
    (folder / "meter.db").write_bytes(b"not a database" * 100)
    (folder / "meter.db-wal").unlink(missing_ok=True)
    with Served(folder) as served:
        assert served.get("/api/metrics/activity", 503)["error"]["message"]


def test_a_folder_in_which_nothing_is_yet(tmp_path: Path) -> None:
    with Served(tmp_path / "m") as served:
        assert served.get("/api/metrics") == []
        assert served.get("/api/metrics/stats")["total_requests"] == 0
        assert served.get("/api/metrics/series")["series"] == []
        assert served.get("/api/metrics/values")["model"] == []
        assert served.ask("GET", "/api/captures/1").status == 404
        written(tmp_path / "m", [row()])
        assert ids(served.get("/api/metrics/activity")) == [1]
        assert ids(served.get("/api/metrics/activity?sort=duration")) == [1]


NAMES = (*PARAMETERS, "page", "limit", "sort", "order", "seconds", "buckets", "by", "top", "view", "token")
WORDS = st.one_of(
    st.sampled_from(["", "1", "-1", "*", "[", "id", "m", "5xx", "1e9", "\0", "2h", "2026-01-01T00:00:00Z"]),
    st.text(max_size=12),
)
PLACES = ("/api/metrics", "/api/metrics/activity", "/api/metrics/stats", "/api/metrics/series", "/api/captures/1")


@given(st.sampled_from(PLACES), st.dictionaries(st.sampled_from(NAMES), WORDS, max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_gets_json(served: Served, path: str, given: dict[str, str]) -> None:
    if given.get("text") or given.get("header"):
        given["seconds"] = "0.05"
    reply = served.ask("GET", f"{path}?{urlencode(given, errors='surrogatepass')}")
    assert reply.status in (200, 400, 404), (reply.status, reply.body)
    if given.get("view") not in ("frame", "request", "response"):
        assert isinstance(reply.json(), dict | list)


class Listening(threading.Thread):
    """Listens to events until it is told enough."""

    def __init__(self, served: Served, last: int | None = None, until: bytes = b"\0", seconds: float = 5.0) -> None:
        super().__init__(daemon=True)
        self._served, self._until, self._seconds = served, until, seconds
        self._headers = {"Authorization": f"Bearer {TOKEN}"} | ({} if last is None else {"Last-Event-ID": str(last)})
        self.events: list[tuple[int, str, Any]] = []
        self.start()

    def run(self) -> None:
        with Connection(self._served.port, timeout=self._seconds) as connection:
            reply = connection.request("GET", "/api/events", self._headers, cut_after=self._until)
        for frame in reply.body.decode().split("\n\n"):
            lines = dict(line.partition(":")[::2] for line in frame.split("\n") if line and not line.startswith(":"))
            if lines:
                assert lines["event"] == "message"
                told = json.loads(lines["data"])
                self.events.append((int(lines["id"]), told["type"], json.loads(told["data"])))

    def heard(self) -> list[tuple[int, str, Any]]:
        """All of them."""
        self.join(20)
        return self.events


def rows_told(events: list[tuple[int, str, Any]]) -> list[int]:
    return [data["id"] for _, kind, data in events if kind == "activity"]


def test_new_rows_are_told_and_missed_ones_again(tmp_path: Path) -> None:
    private_folder(tmp_path / "m")
    with Shelf(tmp_path / "m") as shelf, Served(tmp_path / "m") as served:
        shelf.write([row(), row()], NOW, {})
        listening = Listening(served, until=b'\\"id\\":4}"}\n\n')
        time.sleep(0.4)
        shelf.write([row()], NOW, {})
        time.sleep(0.3)
        shelf.write([row()], NOW, {})
        events = listening.heard()
        assert (events[0][0], events[0][2]) == (2, {"operation": "snapshot", "requests": []})
        assert rows_told(events) == [3, 4]
        again = Listening(served, last=1, until=b'\\"id\\":4}"}\n\n').heard()
        assert rows_told(again) == [2, 3, 4]
        shelf.write([row() for _ in range(300)], NOW, {})
        assert rows_told(Listening(served, last=1, until=b'\\"id\\":304}"}\n\n').heard()) == [*range(105, 305)]


def test_what_is_under_way_is_told(tmp_path: Path) -> None:
    private_folder(tmp_path / "m")
    one = InFlight(flow_id="f1", started=time.time(), elapsed_ms=600.0, method="POST", host="h", path="/p", model="m")
    board = Board(tmp_path / "m")
    with Served(tmp_path / "m") as served:
        listening = Listening(served, until=b'\\"id\\":\\"f1\\"}"}\n\n', seconds=8)
        time.sleep(0.4)
        board.show([one], time.time())
        time.sleep(0.5)
        snapshot = Listening(served, until=b"\n\n").heard()
        board.clear()
        told = [data for _, _, data in listening.heard()]
    assert [data["operation"] for data in told] == ["snapshot", "upsert", "remove"]
    assert told[1]["request"] == snapshot[0][2]["requests"][0] | {"elapsed_ms": told[1]["request"]["elapsed_ms"]}
    assert (told[1]["request"]["model"], told[2]["id"]) == ("m", "f1")
    assert inflight.read(tmp_path / "m") == []


def test_listeners_are_bounded_and_cost_nothing_once_gone(tmp_path: Path) -> None:
    with Served(written(tmp_path / "m", [row()])) as served:
        listeners = [Listening(served, seconds=1.5) for _ in range(64)]
        time.sleep(0.7)
        assert served.ask("GET", "/api/events").status == 503
        for one in listeners:
            one.join(10)
        assert Listening(served, last=0, until=b'\\"id\\":1}"}\n\n').heard()


def test_json_of_the_command_line_is_in_it(served: Served) -> None:
    entries = {one["id"]: one for one in served.get("/api/metrics?limit=100")}
    with Shelf(served.folder) as shelf:
        for kept in shelf.store.rows():
            told = json.loads(json.dumps(to_json(kept)))
            theirs = {"id", "model", "has_capture"}
            assert {name: entries[kept.id][name] for name in told if name not in theirs} == {
                name: value for name, value in told.items() if name not in theirs
            }
