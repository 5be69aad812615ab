"""The activity page in mitmweb as a person uses it, while traffic goes through the proxy."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from browser.traffic import CHAT, KEY, MESSAGES, PACED, STREAMS, ask, begin, chat
from harness import Mitm, fetch, wait_rows
from provider import Provider

pytestmark = pytest.mark.browser

ROWS = "#done tr"
SAID = ("assistant", "The file has one function.")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def web(upstream: Provider, tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Mitm]:
    """mitmweb with one exchange of each API, one that failed and one of another model."""
    directory = tmp_path_factory.mktemp("page")
    with Mitm(upstream.url, directory / "mitm", tool="mitmweb", meter_dir=directory / "meter") as proxy:
        for name in STREAMS:
            assert ask(proxy.port, name).status == 200
        fetch(proxy.port, "/v1/chat/completions", chat("gpt-4o"), {"x-fault": "status:429"})
        fetch(proxy.port, "/v1/chat/completions", chat("gpt-4o", "Say more"), {"x-shape": "words=120"})
        wait_rows(proxy.meter_dir, len(STREAMS) + 2)
        yield proxy


@pytest.fixture
def page(context: Any, web: Mitm) -> Iterator[Any]:
    """The page, logged in by the address that mitmweb prints; what goes wrong inside it fails the test."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
    page.goto(web.url)
    page.goto(address(web))
    page.wait_for_selector(ROWS)
    yield page
    assert wrong == []


def address(web: Mitm, query: str = "") -> str:
    """Where the page is, without the token."""
    return f"{web.url.partition('?')[0].rstrip('/')}/meter{query}"


def column(page: Any, key: str) -> list[str]:
    """The cells of a column, from the top."""
    return [text.strip() for text in page.locator(f"{ROWS} td.of-{key}").all_inner_texts()]


def opened(page: Any, web: Mitm, path: str) -> None:
    """Opens the capture of the oldest exchange at a path."""
    page.goto(address(web, f"?path={path}&order=asc"))
    page.locator(ROWS).first.click()
    page.wait_for_selector("#capture-body .message")


def test_a_row_goes_from_waiting_to_generating_to_done(page: Any, web: Mitm) -> None:
    before = page.locator(ROWS).count()
    asked = MESSAGES | {"model": "claude-slow", "tools": []}
    sending = begin(web.port, "/v1/messages", asked, PACED)
    live = page.locator("#live tr", has_text="anthropic")
    seen: list[str] = []
    for state in ("waiting", "thinking", "generating"):
        live.locator(f".doing.{state}").wait_for()
        seen.append(live.locator("td.of-duration").inner_text())
    assert seen == sorted(seen, key=lambda text: float(text.removesuffix("s"))), "the clock goes on"
    assert "B" in live.locator("td.of-outcome").inner_text(), "the bytes so far"
    page.wait_for_function("before => document.querySelectorAll('#done tr').length > before", arg=before)
    sending.join()
    page.wait_for_function("() => !document.querySelector('#live tr')")
    assert column(page, "model")[0] == "claude-slow-20260101"
    assert column(page, "outcome")[0] == "complete"


def test_a_filter_is_kept_in_the_address_and_totals_follow(page: Any, web: Mitm) -> None:
    page.fill("input[name=model]", "gpt-4o*")
    page.wait_for_url(re.compile("model=gpt-4o"))
    page.wait_for_function(
        "() => [...document.querySelectorAll('#done .of-model')].every(c => c.textContent.includes('gpt-4o'))"
    )
    count = page.locator(ROWS).count()
    requests = page.locator("#totals > div").first
    page.wait_for_function("n => document.querySelector('#totals dd')?.textContent.startsWith(n)", arg=str(count))
    page.reload()
    page.wait_for_selector(ROWS)
    assert page.locator(ROWS).count() == count
    assert page.input_value("input[name=model]") == "gpt-4o*"
    page.wait_for_function("n => document.querySelector('#totals dd')?.textContent.startsWith(n)", arg=str(count))
    assert "Requests" in requests.inner_text()
    page.select_option("select[name=outcome]", "error")
    page.wait_for_function("() => document.querySelectorAll('#done tr').length === 1")
    assert column(page, "status") == ["429"]
    page.get_by_role("button", name="Clear all").click()
    page.wait_for_function("() => document.querySelectorAll('#done tr').length > 1")
    page.go_back()
    page.wait_for_function("() => document.querySelectorAll('#done tr').length === 1")


def test_nothing_matches(page: Any) -> None:
    page.fill("input[name=model]", "no-such-model")
    page.get_by_text("No exchange matches.").wait_for()
    page.get_by_role("button", name="clear all of them").click()
    page.wait_for_selector(ROWS)


def test_sorting_is_the_servers(page: Any) -> None:
    def numbers() -> list[int]:
        return [int(text.replace(",", "")) for text in column(page, "output") if text != "-"]

    page.get_by_role("button", name="Output tok").click()
    page.wait_for_url(re.compile("sort=generated"))
    page.wait_for_function("() => document.querySelector('th.of-output').ariaSort === 'descending'")
    page.wait_for_timeout(300)
    assert numbers() == sorted(numbers(), reverse=True)
    page.get_by_role("button", name="Output tok").click()
    page.wait_for_function("() => document.querySelector('th.of-output').ariaSort === 'ascending'")
    page.wait_for_timeout(300)
    assert numbers() == sorted(numbers())


def test_text_in_requests_is_found(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("rename_file")
    page.wait_for_function("() => document.querySelectorAll('#done tr').length === 1")
    assert column(page, "path") == ["/v1/responses"]
    assert "found in" in page.locator("#place").inner_text()
    page.locator(ROWS).first.click()
    page.wait_for_selector("#capture-body .message")
    assert page.evaluate("CSS.highlights.get('found').size") >= 1


CONVERSATIONS = {
    "chat": ("/v1/chat/completions", "run_tests", "Run the tests"),
    "messages": ("/v1/messages", "read_file", "Please read geometry.py"),
    "responses": ("/v1/responses", "rename_file", "Please name geometry.py"),
    "gemini": ("/v1beta/*", "draw_file", "Please draw geometry.py"),
}


@pytest.mark.parametrize(("path", "tool", "question"), CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_streams_conversation_is_read(page: Any, web: Mitm, path: str, tool: str, question: str) -> None:
    page.goto(address(web, f"?path={path}&model=g*,claude-sonnet*"))
    page.wait_for_selector(ROWS)
    page.locator(ROWS).last.click()
    page.wait_for_selector("#capture-body .message")
    text = page.locator("#capture-body").inner_text()
    assert question in page.locator(".message.user").last.inner_text()
    reply = page.locator(".message.assistant").last
    assert "I weigh it" in reply.locator(".thinking").inner_text()
    assert SAID[1] in reply.inner_text()
    assert f"Tool call · {tool}" in reply.inner_text()
    assert "path:" in reply.locator(".block.tool .json").inner_text()
    if path == "/v1/chat/completions":
        assert "3 messages sent again" in text
        assert "New in this turn" in text
        page.get_by_text("3 messages sent again").click()
        assert "You are careful." in page.locator(".resent .message.system").inner_text()
    if path == "/v1/messages":
        assert "[image image/png 8 B]" in text


def test_every_part_of_a_capture(page: Any, web: Mitm) -> None:
    opened(page, web, "/v1/messages")
    page.get_by_role("tab", name="request").click()
    assert '"claude-s' in page.locator("#capture-body .json").inner_text()
    page.get_by_role("button", name="Raw").click()
    assert '"stream":' in page.locator("#capture-body pre").inner_text()
    page.get_by_role("tab", name="response").click()
    assert page.locator("#capture-body .events li").count() > 5
    page.get_by_role("tab", name="headers").click()
    assert "[REDACTED]" in page.locator("#capture-body table").first.inner_text()
    page.get_by_role("tab", name="timeline").click()
    assert "to first token" in page.locator("#capture-body").inner_text()
    assert page.locator("#capture-body svg.stream path").count() == 1
    page.reload()
    page.wait_for_selector("#capture-body .phase-list")
    assert "tab=timeline" in page.url
    assert KEY not in page.content()


def test_curl_has_a_variable_for_the_key(context: Any, page: Any, web: Mitm) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened(page, web, "/v1/messages")
    page.keyboard.press("y")
    page.get_by_role("button", name="Copied").wait_for()
    command = page.evaluate("navigator.clipboard.readText()")
    assert command.startswith("curl ")
    assert "$API_KEY" in command
    assert KEY not in command


def test_the_way_to_its_flow_in_mitmweb(page: Any, web: Mitm) -> None:
    opened(page, web, "/v1/responses")
    page.get_by_role("link", name="In mitmweb").click()
    page.wait_for_url(re.compile(r"/#/flows/[0-9a-f-]+/response"))
    page.get_by_text("/v1/responses").first.wait_for()


def test_light_and_dark(page: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.keyboard.press("t")
    dark = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert page.evaluate(ground) == dark, "the choice is kept"
    page.get_by_role("button", name="Theme").click()
    assert page.evaluate(ground) == light


def test_the_system_decides_between_light_and_dark(chromium: Any, web: Mitm) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        context = chromium.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(web.url)
        page.goto(address(web))
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert len(grounds) == 2


def test_the_keyboard_alone_does(page: Any) -> None:
    page.keyboard.press("?")
    page.get_by_role("dialog").get_by_text("next page").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_selector("#capture-facts dt")
    first = page.locator("#capture-name").inner_text()
    page.keyboard.press("2")
    page.wait_for_selector("#capture-body .json")
    page.keyboard.press("j")
    page.wait_for_function("was => document.querySelector('#capture-name').innerText !== was", arg=first)
    page.keyboard.press("Escape")
    page.wait_for_selector("#capture", state="hidden")
    assert page.evaluate("document.activeElement.closest('#done tr') !== null"), "the focus is back in the table"
    page.keyboard.press("/")
    page.keyboard.type("x")
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    page.wait_for_function("() => !location.search.includes('text')")
    page.keyboard.press("h")
    assert page.locator("#charts").is_hidden()


def test_columns_are_chosen_moved_and_kept(page: Any) -> None:
    page.keyboard.press("c")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Host", exact=True).check()
    dialog.get_by_label("Provider", exact=True).uncheck()
    page.get_by_role("button", name="Move Host to the left").click()
    page.get_by_role("button", name="Done").click()
    names = [text.split("\n")[0] for text in page.locator("#rows th").all_inner_texts()]
    assert "Host" in names
    assert "Provider" not in names
    page.reload()
    page.wait_for_selector(ROWS)
    assert [text.split("\n")[0] for text in page.locator("#rows th").all_inner_texts()] == names
    assert set(column(page, "host")) == {"127.0.0.1"}


def test_a_small_page_turns(page: Any, web: Mitm) -> None:
    for number in range(22):
        fetch(web.port, "/v1/chat/completions", CHAT | {"model": f"many-{number}", "tools": []})
    wait_rows(web.meter_dir, 28)
    page.goto(address(web, "?limit=25"))
    page.wait_for_selector(ROWS)
    assert page.locator(ROWS).count() == 25
    top = column(page, "time")[0]
    page.keyboard.press("n")
    page.wait_for_url(re.compile("page=2"))
    page.wait_for_function("() => document.querySelectorAll('#done tr').length < 25")
    assert column(page, "time")[0] <= top
    page.get_by_role("button", name="Previous").click()
    page.wait_for_function("() => document.querySelectorAll('#done tr').length === 25")


def test_what_exchanges_have_in_common_becomes_a_filter(page: Any, web: Mitm) -> None:
    opened(page, web, "/v1/messages")
    page.get_by_role("button", name="claude-sonnet-4-5-20260101").click()
    page.wait_for_url(re.compile("model=claude-sonnet-4-5-20260101"))
    page.wait_for_selector("#chips .chip >> text=claude-sonnet-4-5")
    page.wait_for_timeout(300)
    assert set(column(page, "model")) == {"claude-sonnet-4-5-20260101"}
    assert page.locator("#capture-body .message").count() > 0, "the capture stays open"


def test_a_part_of_the_time_is_chosen_in_the_chart(page: Any) -> None:
    page.wait_for_selector("#over-time svg")
    box = page.locator("#over-time svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 40)
    assert "tokens" in page.locator("#over-time .readout").inner_text()
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 40, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile("start=.*end="))
    assert page.locator("#chips .chip").count() >= 2


def test_a_capture_that_is_still_written_to_says_why_it_stays(page: Any, web: Mitm) -> None:
    opened(page, web, "/v1/responses")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("alert").get_by_text("still writing").wait_for()
    page.get_by_role("button", name="Keep it").click()
    assert page.locator("#capture-body .message").count() > 0


CONTRAST = """async (theme) => {
    document.documentElement.dataset.theme = theme;
    const probe = document.body.appendChild(document.createElement("i"));
    const light = (name) => {
        probe.style.color = `var(--${name})`;
        const parts = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255);
        const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const grounds = ["page", "surface", "raised", "accent-soft"];
    const pairs = ["ink", "dim", "accent"].flatMap((text) => grounds.map((ground) => [text, ground]));
    pairs.push(["bad", "bad-soft"], ["odd", "odd-soft"], ["bad", "surface"], ["odd", "surface"], ["string", "surface"]);
    return pairs.map(([text, ground]) => {
        const [high, low] = [light(text), light(ground)].sort((a, b) => b - a);
        return [text, ground, (high + 0.05) / (low + 0.05)];
    });
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out(page: Any, theme: str) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    assert [pair for pair in page.evaluate(CONTRAST, theme) if pair[2] < 4.5] == []


def test_charts_and_tables_say_what_they_show(page: Any) -> None:
    page.wait_for_selector("#over-time svg")
    assert "All tokens" in page.locator("#over-time svg").get_attribute("aria-label")
    assert "p50" in page.locator("#gen-speed svg").get_attribute("aria-label")
    assert page.locator("#rows caption").count() == 1
    assert page.locator("#rows th[scope=col]").count() == page.locator("#rows th").count()
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, select, a')]"
        ".filter(e => !(e.innerText || e.ariaLabel || e.title || e.labels?.length)).map(e => e.outerHTML)"
    )
    assert unnamed == []


def test_refused_without_the_token(chromium: Any, web: Mitm) -> None:
    context = chromium.new_context()
    page = context.new_page()
    said = page.goto(address(web))
    assert said.status in (401, 403)
    assert page.locator("#rows").count() == 0
    for route in ("/api/metrics/activity", "/api/metrics", "/api/captures/1", "/api/events", "/meter/static/app.js"):
        found = context.request.get(address(web).removesuffix("/meter") + route)
        assert found.status in (401, 403), route
    context.close()


def test_reload_behind_the_token(context: Any, page: Any, web: Mitm) -> None:
    assert "token" not in page.url
    page.reload()
    page.wait_for_selector(ROWS)
    other = context.new_page()
    other.goto(address(web))
    other.wait_for_selector(ROWS)
