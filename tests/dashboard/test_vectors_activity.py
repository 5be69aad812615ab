"""llama-swap's vectors of its activity log, captures, events and requests under way; `OURS` says what differs."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from dashboard.rows import JSON, captured, row, written
from harness.served import Served
from mitmeter.dashboard.entry import entry, request
from mitmeter.dashboard.feed import message
from mitmeter.exchange import Client
from mitmeter.inflight import InFlight
from mitmeter.store.histogram import Listed, histogram
from mitmeter.store.rows import Row
from mitmeter.store.sorting import SORTS
from vectors import ABSENT, groups

pytestmark = pytest.mark.skipif(not groups(), reason=ABSENT)

# What is other than recorded, and why.
OURS: dict[str, tuple[Any, str]] = {
    "metric_ids: first id": (1, "ids are SQLite's, as in its newest version: never 0, never used again"),
    "metric_ids: after 5, most 3": ([1, 2, 3, 4, 5], "rows are never pruned by number"),
    "capture: a mask of nothing": (None, "a capture that would hold nothing is not made"),
    "capture: masks": (("all", "headers", "none"), "meter_capture has three values, not a mask for each path"),
    "inflight: id": ("the flow's", "ids are the flows', so that a row can take the place of its request"),
    "inflight: req_headers": ({}, "headers of what is under way are not published: its capture has them"),
    "inflight: X-Forwarded-For": (None, "what a client says of its address is not believed; `remote_ip` is the peer's"),
    "inflight: cancel": (404, "nothing can be changed here; a flow is killed in mitmweb"),
    "events: types": ({"activity", "inflight"}, "models are not loaded here, logs are mitmproxy's own"),
    "events: overflow": ("closed", "whoever falls behind begins anew by Last-Event-ID, so that nothing is lost"),
    "sort: bogus": (400, "refused, as over HTTP there, not taken for `id`"),
    "entry: timestamp": ("begin", "when the request began, not when it ended"),
}


def activity(served: Served, **asked: Any) -> Any:
    return served.get(f"/api/metrics/activity?{urlencode(asked, doseq=True)}")


def ids(page: Any) -> list[int]:
    return [one["id"] for one in page["data"]]


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def seeded(folder: Path, rows: list[dict[str, Any]]) -> Path:
    return written(folder, [row(float(one["ts"]), model=one["model"]) for one in rows])


def test_activity_list(tmp_path: Path) -> None:
    group = groups()["activity_list"]
    with Served(seeded(tmp_path / "m", group["seed_rows"])) as served:
        for vector in group["vectors"]:
            asked = {name: at(value) if name in ("start", "end") else value for name, value in vector["filter"].items()}
            page = activity(served, **asked)
            assert (ids(page), page["total"]) == (vector["ids"], vector["total"]), vector
            assert page["total_pages"] == vector.get("total_pages", page["total_pages"])


def test_activity_list_http(tmp_path: Path) -> None:
    group = groups()["activity_list_http"]
    with Served(seeded(tmp_path / "m", group["rows"])) as served:
        for vector in group["vectors"]:
            assert ids(served.get(f"/api/metrics/activity{vector['query']}")) == vector["ids"], vector
        for vector in group["invalid_400"]:
            told = served.get(f"/api/metrics/activity{vector['query']}", 400)
            assert told["error"]["message"] == vector["message"], vector
        page = activity(served)
        assert {name: page[name] for name in ("limit", "page")} == {"limit": 25, "page": 1}
        assert ids(page) == sorted(ids(page), reverse=True)
    with Served(tmp_path / "nothing") as served:
        assert served.get("/api/metrics/activity") == group["empty"]


def test_activity_sort(tmp_path: Path) -> None:
    group = groups()["activity_sort"]
    rows = [row(usage={"output_tokens": number}) for number in group["rows_output_tokens_by_id"]]
    with Served(written(tmp_path / "m", rows)) as served:
        for vector in group["vectors"][:2]:
            page = activity(served, sort=vector["sort"], order=vector["order"])
            assert [one["tokens"]["output_tokens"] for one in page["data"]] == vector["output_tokens"]
        assert served.ask("GET", "/api/metrics/activity?sort=bogus").status == OURS["sort: bogus"][0]
    assert group["columns"].keys() <= SORTS.keys()
    assert group["tie_break"] == "id in the same direction"


def speeds(one: dict[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ("prompt_per_second", "tokens_per_second")}


def test_activity_stats(tmp_path: Path) -> None:
    for number, vector in enumerate(groups()["activity_stats"]):
        rows = []
        for one in vector["rows"]:
            usage = {"cache_read_tokens": None if one["cache_tokens"] < 0 else one["cache_tokens"]}
            usage |= {name: one[name] for name in ("input_tokens", "output_tokens")}
            rows.append(row(usage=usage, timing=speeds(one), model=one["model"]))
        with Served(written(tmp_path / str(number), rows)) as served:
            stats = served.get(f"/api/metrics/stats?{urlencode(vector['query'])}")
        assert stats | vector["out"] == stats
        wanted = [one["prompt_per_second"] for one in vector["rows"] if one["model"] == vector["query"]["model"]]
        assert stats["prompt_histogram"] == histogram(Listed(sorted(wanted)))


def test_histogram() -> None:
    for vector in groups()["histogram"]["vectors"]:
        values = vector["values"]
        if isinstance(values, str):
            first, _, last = values.partition("..")
            values = list(range(int(first), int(last) + 1))
        found = histogram(Listed(sorted(map(float, values))))
        if found is None:
            assert vector["out"] is None
            continue
        assert found.pop("bins") == vector["out"]["bins"], vector["name"]
        assert found == pytest.approx({name: value for name, value in vector["out"].items() if name != "bins"})


def test_metric_ids(tmp_path: Path) -> None:
    with Served(written(tmp_path / "m", [row(float(at)) for at in range(5)])) as served:
        older = [one["id"] for one in served.get("/api/metrics")]
        assert older == OURS["metric_ids: after 5, most 3"][0] == sorted(older)
        assert older[0] == OURS["metric_ids: first id"][0] == groups()["metric_ids"]["newest"]["first_id"]
        assert ids(activity(served)) == older[::-1]
    assert "oldest first" in groups()["metric_ids"]["seed"]["order"]


def test_capture_api(tmp_path: Path) -> None:
    with Served(written(tmp_path / "m", [captured() for _ in range(42)])) as served:
        for vector in groups()["capture_api"]:
            method, path = vector["request"].split()
            reply = served.ask(method, path)
            assert reply.status == vector["status"]
            if "message" in vector:
                assert reply.json()["error"]["message"] == vector["message"]
            else:
                assert list(reply.json()) == ["id", "req_path", "req_headers", "req_body", "resp_headers", "resp_body"]


KEPT: dict[tuple[str, ...], Callable[..., Any]] = {
    (): lambda: None,
    ("req_headers", "resp_headers"): lambda: "headers",
    ("req_headers", "req_body", "resp_headers", "resp_body"): lambda: "all",
}


@pytest.mark.parametrize("fields", KEPT, ids=lambda fields: "+".join(fields) or "nothing")
def test_partial_captures(fields: tuple[str, ...], tmp_path: Path) -> None:
    kept = KEPT[fields]() or "none"
    assert kept in OURS["capture: masks"][0]
    with Served(written(tmp_path / "m", [captured(b'{"model":"m"}', b"{}")], kept)) as served:
        if not fields:
            assert served.ask("GET", "/api/captures/1").status == 404
            return
        found = served.get("/api/captures/1")
        assert found["req_path"] == "/v1/chat/completions"
        for vector in groups()["partial_captures"]:
            assert vector["absent_fields_are"] == "null"
            for name in {"req_headers", "req_body", "resp_headers", "resp_body"} - set(fields):
                assert found[name] is None
        if "req_body" in fields:
            assert base64.b64decode(found["req_body"]) == b'{"model":"m"}'
            assert found["req_headers"] == dict(JSON)


UNDER_WAY = InFlight(
    flow_id="9c",
    started=1.0,
    elapsed_ms=1000.0,
    method="POST",
    host="h",
    path="/v1/chat/completions",
    model="m1",
    client=Client(address="203.0.113.9"),
)


def test_inflight() -> None:
    (theirs,) = (one["request"] for one in groups()["inflight"]["events"] if one["operation"] == "upsert")
    ours = request(UNDER_WAY)
    assert ours.keys() >= theirs.keys()
    same = ("model", "req_path", "method", "remote_ip", "resp_headers", "resp_bytes", "elapsed_ms")
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert (ours["id"], ours["req_headers"]) == ("9c", OURS["inflight: req_headers"][0])
    assert {name: type(value) for name, value in ours.items() if name in theirs} == {
        name: type(value) for name, value in theirs.items()
    }


def test_inflight_cannot_be_cancelled(tmp_path: Path) -> None:
    assert "404" in groups()["inflight"]["rules"]
    with Served(tmp_path / "m") as served:
        assert served.ask("POST", "/api/inflight/1/cancel").status == OURS["inflight: cancel"][0]


def test_event_stream(tmp_path: Path) -> None:
    group = groups()["event_stream"]
    with Served(written(tmp_path / "m", [row() for _ in range(7)])) as served:
        text = served.ask("GET", "/api/events?last_id=6", cut_after=b'7}"}\n\n', timeout=5).body.decode()
    *_, last = text.removesuffix("\n\n").split("\n\n")
    ident, _, frame = last.partition("\n")
    assert ident == "id:7"
    told = group["newest_activity_data"]
    assert frame + "\n\n" == group["frame"].replace("<type>", "activity").replace(
        '"<JSON encoded as a string>"', json.dumps(told)
    )
    assert OURS["events: types"][0] <= set(group["newest_types"])
    assert message("inflight", {}).startswith('{"type":"inflight","data":"')


def test_unknown_is_as_there() -> None:
    ours = entry(Row(1, row()[0], False))
    tokens = ours["tokens"]
    assert [tokens[name] for name in ("cache_tokens", "draft_tokens", "draft_acc_tokens")] == [-1, -1, -1]
    assert [tokens[name] for name in ("prompt_per_second", "tokens_per_second")] == [-1, -1]
    assert [tokens[name] for name in ("input_tokens", "output_tokens")] == [0, 0]
    assert (ours["usage"]["input_tokens"], ours["timing"]["tokens_per_second"]) == (None, None)
    assert "error_msg" not in ours
