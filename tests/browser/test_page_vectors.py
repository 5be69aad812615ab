"""llama-swap's vectors of its page, run in a browser against the modules of ours; `OURS` says what differs, and why.

Its -1 for unknown is None here, in and out; its `tokens` are our `usage` and `timing`.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from browser.conftest import STATIC
from mitmeter.usage.registry import find
from mitmeter.usage.reply import Reply
from mitmeter.wire import MessageDecoder
from vectors import ABSENT, cases, groups

ORIGIN = "http://page.test"
ABSENT_IS_NOT_ZERO = "what nobody said is `-`, and 0 is what somebody said (law 3)"

OURS: dict[str, tuple[Any, str]] = {
    "summary: no rows/cache_tokens": (None, ABSENT_IS_NOT_ZERO),
    "summary: no rows/input_tokens": (None, ABSENT_IS_NOT_ZERO),
    "summary: no rows/output_tokens": (None, ABSENT_IS_NOT_ZERO),
    "summary: no rows/draft_tokens": (None, ABSENT_IS_NOT_ZERO),
    "summary: no rows/draft_acc_tokens": (None, ABSENT_IS_NOT_ZERO),
    "summary: no rows/started_at": (None, ABSENT_IS_NOT_ZERO),
    "summary: no rows/ended_at": (None, ABSENT_IS_NOT_ZERO),
    "summary: -1 sentinels are summed/cache_tokens": (None, "unknown is left out of sums: its own defect note asks so"),
    "summary: -1 sentinels are summed/draft_tokens": (None, "unknown is left out of sums"),
    "summary: -1 sentinels are summed/draft_acc_tokens": (None, "unknown is left out of sums"),
    "chat: no space after colon is ignored": ({"reasoning": "", "content": "x"}, "the space is optional in SSE"),
    "chat: both reasoning keys duplicated": (
        {"reasoning": "x", "content": ""},
        "a thought under two names is one",
    ),
    "chat: second choice ignored": ({"reasoning": "", "content": "ab"}, "every choice is shown, each as its own block"),
    "chat: tool call deltas not shown": ({"reasoning": "", "content": "", "tool": 1}, "tool calls are shown"),
    "chat: anthropic deltas not shown": ({"reasoning": "", "content": "Hi"}, "each API's own path is read"),
    "chat: responses deltas not shown": ({"reasoning": "", "content": "Hello"}, "each API's own path is read"),
    "chat: legacy completions text not shown": ({"reasoning": "", "content": "Hello"}, "each API's own path is read"),
    "markdown: empty_summary": (
        "| Summary | |\n| --- | --- |\n| Range | - |\n| Duration | 0.00s |\n| Cached | - |\n| Prompt | - (unknown) |\n"
        "| Generated | - (unknown) |\n| Drafted | - |",
        ABSENT_IS_NOT_ZERO,
    ),
    "normalize: maxID is a number": (
        {"min_id": "3", "max_id": "5"},
        "filters live in the address, where everything is text: 5 is an id there",
    ),
}
PATHS = {"anthropic": "/v1/messages", "responses": "/v1/responses", "legacy completions": "/v1/completions"}

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not groups(), reason=ABSENT)]


@pytest.fixture
def page(context: Any) -> Iterator[Any]:
    """A blank page of an origin whose files are the modules."""

    def answer(route: Any) -> None:
        name = route.request.url.rpartition("/")[2]
        kind = "text/javascript" if name.endswith(".js") else "text/html"
        route.fulfill(body=(STATIC / name).read_text(encoding="utf-8") if name else "<p>", content_type=kind)

    page = context.new_page()
    page.route(f"{ORIGIN}/**", answer)
    page.goto(f"{ORIGIN}/")
    yield page


def call(page: Any, module: str, function: str, *arguments: Any) -> Any:
    """What an exported function returns."""
    script = f"async (given) => (await import('{ORIGIN}/{module}')).{function}(...given)"
    return page.evaluate(script, list(arguments))


def ours(name: str, theirs: Any) -> Any:
    return OURS[name][0] if name in OURS else theirs


def row_of(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of llama-swap as the server hands it to the page: unknown is null."""
    tokens = {key: None if value == -1 else value for key, value in entry.get("tokens", {}).items()}
    usage = {
        "input_tokens": tokens.get("input_tokens"),
        "output_tokens": tokens.get("output_tokens"),
        "cache_read_tokens": tokens.get("cache_tokens"),
        "draft_tokens": tokens.get("draft_tokens"),
        "draft_accepted_tokens": tokens.get("draft_acc_tokens"),
    }
    rates = {key: tokens.get(key) for key in ("prompt_per_second", "tokens_per_second")}
    timing = {"duration_ms": entry.get("duration_ms"), **rates}
    status = {"status": entry.get("resp_status_code"), "content_type": entry.get("resp_content_type")}
    return {**entry, **status, "path": entry.get("req_path"), "usage": usage, "timing": timing}


def test_values_are_written_as_there(page: Any) -> None:
    formats = groups()["ui_format"]
    for name, function in (("speed", "speed"), ("duration_ms", "duration"), ("bytes", "bytes")):
        for value, shown in formats[name]:
            assert call(page, "format.js", function, value) == shown, (name, value)
    for drawn, accepted, shown in formats["drafted"]:
        assert call(page, "format.js", "drafted", drawn, accepted) == shown


AGO = {0: "now", 4: "now", 5: "5s ago", 59: "59s ago", 60: "1m ago", 3599: "59m ago", 3600: "1h ago"}
AGO |= {86_399: "23h ago", 86_400: "2026-08-15 12:00:00"}


@pytest.mark.parametrize(("seconds", "shown"), AGO.items())
def test_times_are_told_by_its_newest_rule(page: Any, seconds: int, shown: str) -> None:
    script = f"""async (ago) => {{
        const now = new Date("2026-08-16T12:00:00Z");
        return (await import("{ORIGIN}/format.js")).ago(new Date(now - ago * 1000), now);
    }}"""
    assert page.evaluate(script, seconds) == shown


@pytest.mark.parametrize("vector", cases("ui_summary", "name"))
def test_sums_of_a_page(page: Any, vector: dict[str, Any]) -> None:
    said = call(page, "summary.js", "summarize", [row_of(row) for row in vector["rows"]])
    renamed = {"cache_read_tokens": "cache_tokens", "draft_accepted_tokens": "draft_acc_tokens"}
    said = {renamed.get(key, key): value for key, value in said.items()}
    said |= {"started_at": said.pop("first"), "ended_at": said.pop("last")}
    for key, value in vector["out"].items():
        expected = ours(f"summary: {vector['name']}/{key}", None if value == -1 else value)
        assert said[key] == pytest.approx(expected), key


def test_a_page_as_markdown(page: Any) -> None:
    group = groups()["ui_markdown"]
    assert call(page, "summary.js", "sums", []) == ours("markdown: empty_summary", group["empty_summary"])
    script = f"""async ([titles, rows]) => {{
        const {{ COLUMNS }} = await import("{ORIGIN}/columns.js");
        const {{ table }} = await import("{ORIGIN}/summary.js");
        const meta = (row) => Object.entries(row.metadata).map((pair) => pair.join("=")).join("; ");
        const own = {{ Meta: {{ title: "Meta", cell: meta }} }};
        return table(titles.map((title) => own[title] ?? COLUMNS.find((column) => column.title === title)), rows);
    }}"""
    for vector in group["table"]:
        rows = [] if not vector.get("row") else [row_of(vector["row"])]
        said = page.evaluate(script, [vector["columns"], rows])
        assert said == vector["out"] if "out" in vector else said.splitlines()[2] == vector["out_line3"]


def test_the_cells_of_a_row(page: Any) -> None:
    cells = groups()["ui_markdown"]["cells"]
    row = row_of(cells["row"])
    row |= {"outcome": "error", "sizes": {}, "client": {}}
    keys = {"req_path": "path", "resp_status_code": "status", "resp_content_type": "type", "prompt": "input"}
    keys |= {"generated": "output"}
    shown = {"prompt_speed": "123.46", "gen_speed": "-"}  # under a heading that has the unit
    own = {"meta", "capture", "nope"}  # no such column; a capture is a word here, and never exported
    script = f"""async ([key, row]) => {{
        const {{ COLUMNS }} = await import("{ORIGIN}/columns.js");
        const cell = document.createElement("td");
        cell.append(...[COLUMNS.find((column) => column.key === key).cell(row)].flat());
        return cell.textContent;
    }}"""
    for name, text in cells["out"].items():
        if name not in own:
            assert page.evaluate(script, [keys.get(name, name), row]) == shown.get(name, text), name
    empty = row_of({}) | {"sizes": {}, "client": {}}
    for name, text in groups()["ui_markdown"]["empty_cells"].items():
        if name not in own:
            assert page.evaluate(script, [keys.get(name, name), empty]) == text, name


def test_ids_that_are_none_are_not_asked_for(page: Any) -> None:
    script = f"async (filters) => String((await import('{ORIGIN}/address.js')).asked(filters))"
    for vector in groups()["ui_filters"]["to_query"]:
        assert page.evaluate(script, {key: vector[key] for key in ("min_id", "max_id")}) == vector["query"]


def test_filters_that_make_no_sense_are_dropped(page: Any) -> None:
    for vector in groups()["ui_filters"]["normalize"]:
        given = vector["in"]
        kept = given if isinstance(given, dict) else {"minID": str(given)}
        query = "&".join(f"{key.replace('ID', '_id')}={kept[key]}" for key in ("minID", "maxID") if key in kept)
        wanted = {key.replace("ID", "_id"): value for key, value in vector["out"].items() if value}
        if given == 42:
            wanted = {"min_id": "42"}  # where there is only text, 42 is an id
        elif isinstance(given, dict) and isinstance(given.get("maxID"), int):
            wanted = ours("normalize: maxID is a number", wanted)
        assert call(page, "address.js", "read", query)["filters"] == wanted, given


def test_time_goes_on_between_events(page: Any) -> None:
    for vector in groups()["inflight"]["live_elapsed_ms"]:
        request = {"elapsed_ms": vector["server"], "received_at": vector["received_at"]}
        assert call(page, "inflight.js", "elapsed", request, vector["now"]) == vector["out"]


def test_a_frame_is_read(page: Any) -> None:
    frame = json.dumps({"type": "activity", "data": groups()["event_stream"]["newest_activity_data"]})
    assert call(page, "events.js", "parse", frame) == {"type": "activity", "data": {"id": 7}}
    assert call(page, "events.js", "parse", "{oops") is None


@pytest.mark.parametrize("vector", cases("ui_sse_chat", "name"))
def test_a_stream_as_it_is_read(vector: dict[str, Any]) -> None:
    name = vector["name"]
    path = next((path for start, path in PATHS.items() if name.startswith(start)), "/v1/chat/completions")
    match = find("POST", "engine.invalid", path)
    assert match is not None
    messages = MessageDecoder("text/event-stream", limit=1 << 20, stream=match.dialect.streams)
    reply = Reply(match.dialect, streaming=True, limit=1 << 20)
    reply.feed(messages.feed(vector["body"].encode()) + messages.close())
    kinds = {"reasoning": "thinking", "content": "text"}
    blocks = reply.blocks()
    said: dict[str, Any] = {
        key: "".join(block.text for block in blocks if block.kind == kind) for key, kind in kinds.items()
    }
    if tools := sum(block.kind == "tool" for block in blocks):
        said["tool"] = tools
    assert said == ours(f"chat: {name}", vector["expect"])


def test_what_a_chart_draws_has_colours_of_its_own(page: Any) -> None:
    """Of many models those in the table came first, and there are eight colours."""
    script = f"""async ([listed, drawn]) => {{
        const {{ claim, swatch, series }} = await import("{ORIGIN}/series.js");
        document.body.replaceChildren(...listed.map(swatch));
        claim(drawn);
        return [drawn.map(series), [...document.querySelectorAll(".swatch")].map((node) => node.className)];
    }}"""
    listed = [f"model-{number}" for number in range(12)]
    drawn = [*listed[:2], *(f"other-{number}" for number in range(5)), None]
    colours, swatches = page.evaluate(script, [listed, drawn])
    assert sorted(colours) == list(range(1, 9))
    assert swatches == [f"swatch series-{colours[0]}", f"swatch series-{colours[1]}", *["swatch series-0"] * 10]


@pytest.mark.parametrize(
    ("usd", "shown"), [(0.00001, "<$0.0001"), (0.0123, "$0.0123"), (99.5, "$99.5000"), (58341.94, "$58,341.94")]
)
def test_a_cost_is_written(page: Any, usd: float, shown: str) -> None:
    assert call(page, "format.js", "cost", usd) == shown


@pytest.mark.parametrize(
    ("models", "shown"),
    [
        pytest.param([{"reasoning_tokens": None}, {"reasoning_tokens": 0}], "0", id="somebody said 0"),
        pytest.param([{"reasoning_tokens": None}], "-", id="nobody said anything"),
        pytest.param([], "0", id="no rows"),
    ],
)
def test_a_total_of_nothing_said_is_none(page: Any, models: list[dict[str, Any]], shown: str) -> None:
    script = f"""async (told) => {{
        const node = document.createElement("dl");
        (await import("{ORIGIN}/totals.js")).showTotals(node, told);
        return [...node.children].map((one) => [one.children[0].textContent, one.children[1].firstChild.textContent]);
    }}"""
    names = ("requests", "input_tokens", "output_tokens", "cache_tokens", "reasoning_tokens")
    told = {f"total_{name}": 0 for name in names} | {"errors": 0, "aborted": 0, "models": models}
    assert dict(page.evaluate(script, told))["Reasoning"] == shown
