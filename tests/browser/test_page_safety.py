"""What the page shows is what strangers wrote: none of it runs; and pages of other origins get nothing from it."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest

from browser.conftest import STATIC
from browser.test_page import ROWS, address
from browser.traffic import chat
from harness import Mitm, fetch, rows, wait_rows
from provider import Provider

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=\"window.hit='img'\"><script>window.hit='script'</script>"
LINK = "javascript:window.hit='link'"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Mitm]:
    """mitmweb with one exchange in which everything that can be is markup."""
    directory = tmp_path_factory.mktemp("safety")
    with Provider() as upstream, Mitm(upstream.url, directory, tool="mitmweb", meter_dir=directory / "meter") as proxy:
        asked = chat(EVIL, EVIL + LINK, tools=[{"type": "function", "function": {"name": EVIL, "parameters": {}}}])
        headers = {"user-agent": EVIL, "x-say": quote(EVIL), "x-session-id": EVIL}
        path = f"/{quote(EVIL, safe='<>=')}/v1/chat/completions"
        fetch(proxy.port, "/v1/chat/completions", asked, headers)
        fetch(proxy.port, path, asked, headers)
        fetch(proxy.port, "/v1/chat/completions", chat("good"), {})
        wait_rows(proxy.meter_dir, 3)
        yield proxy


@pytest.fixture
def page(context: Any, web: Mitm) -> Iterator[Any]:
    page = context.new_page()
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
    page.goto(web.url)
    page.goto(address(web))
    page.wait_for_selector(ROWS)
    yield page
    assert page.evaluate("window.hit") is None


def test_no_script_of_strangers_runs(page: Any, web: Mitm) -> None:
    page.keyboard.press("c")
    for box in page.locator("#column-list input").all():
        box.check()
    page.keyboard.press("Escape")
    assert EVIL in page.locator("#done").inner_text(), "shown as text"
    for row in rows(web.meter_dir):
        for tab in ("conversation", "request", "response", "headers", "timeline"):
            page.goto(address(web, f"?capture={row['id']}&tab={tab}"))
            page.wait_for_selector("#capture-body > *")
            for _ in range(4):
                page.evaluate("document.querySelectorAll('#capture-body details').forEach((one) => (one.open = true))")
                page.wait_for_timeout(30)
            assert page.evaluate("window.hit") is None, (row["path"], tab)
    assert page.locator("main img, main script, main iframe, aside img, aside script, aside iframe").count() == 0
    assert page.locator("a[href^='javascript:']").count() == 0


def test_filters_in_an_address_are_text(page: Any, web: Mitm) -> None:
    page.goto(address(web, f"?model={quote(EVIL)}&text={quote(EVIL)}&outcome={quote(EVIL)}&sort={quote(EVIL)}"))
    page.wait_for_selector("#chips .chip")
    assert EVIL.split(",")[0] in page.locator("#chips").inner_text()
    page.goto(address(web, f"?status={quote(EVIL)}"))
    page.wait_for_selector("#trouble:not([hidden])")
    assert "filter" in page.locator("#trouble").inner_text()


def test_the_policy_forbids_what_is_inline(page: Any, web: Mitm) -> None:
    said = page.goto(address(web))
    policy = said.header_value("content-security-policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.evaluate(
        """() => new Promise((done) => {
            addEventListener("securitypolicyviolation", () => done(true));
            const script = document.createElement("script");
            script.textContent = "window.hit = 'inline'";
            document.body.append(script);
            setTimeout(() => done(false), 2000);
        })"""
    )


def test_nothing_goes_in_as_markup() -> None:
    ways = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|\beval\(|new Function|https?://(?!www\.w3)"
    )
    written = {path.name: path.read_text(encoding="utf-8") for path in STATIC.iterdir() if path.suffix != ".svg"}
    examples = {"app.js": 2}  # addresses for people to copy, where nothing was metered yet
    assert {name: len(found) for name, text in written.items() if (found := ways.findall(text))} == examples
    assert not re.search(r"<script>|style=|\son\w+=", written["index.html"])


class Elsewhere(BaseHTTPRequestHandler):
    """A page on another port of the same machine: cookies of a host are sent to each of its ports."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><p>elsewhere</p>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere(context: Any, page: Any) -> Iterator[Any]:
    """A page of that origin, in the browser that is logged in."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    other = context.new_page()
    other.goto(f"http://127.0.0.1:{server.server_port}/")
    yield other
    server.shutdown()
    server.server_close()


READING = """async (origin) => {
    const got = [];
    const paths = ["/api/metrics", "/api/metrics/activity", "/api/captures/1", "/api/captures/1?view=full", "/meter"];
    for (const path of paths)
        for (const mode of ["cors", "no-cors"])
            try {
                const reply = await fetch(origin + path, { mode, credentials: "include" });
                if ((await reply.text()).length) got.push(path);
            } catch {}
    await new Promise((done) => {
        const events = new EventSource(origin + "/api/events", { withCredentials: true });
        events.onmessage = () => { got.push("events"); events.close(); done(); };
        events.onerror = () => { events.close(); done(); };
    });
    for (const path of ["/api/metrics", "/meter/static/app.js"])
        await new Promise((done) => {
            const script = document.createElement("script");
            script.onload = () => { got.push("script " + path); done(); };
            script.onerror = done;
            script.src = origin + path;
            document.body.append(script);
        });
    return got;
}"""
WRITING = """async (origin) => {
    for (const method of ["DELETE", "POST", "PUT"])
        for (const mode of ["cors", "no-cors"])
            for (const headers of [{}, { "X-XSRFToken": "guess" }])
                try {
                    await fetch(origin + "/api/captures/1", { method, mode, headers, credentials: "include" });
                } catch {}
}"""
FRAMED = """async (origin) => {
    const frame = document.createElement("iframe");
    frame.src = origin + "/meter";
    document.body.append(frame);
    await new Promise((done) => { frame.onload = done; setTimeout(done, 3000); });
    return frame.contentDocument === null;
}"""


def test_a_page_of_another_origin_reads_nothing(elsewhere: Any, web: Mitm) -> None:
    assert elsewhere.evaluate(READING, address(web).removesuffix("/meter")) == []


def test_a_page_of_another_origin_cannot_frame_it(elsewhere: Any, web: Mitm) -> None:
    assert elsewhere.evaluate(FRAMED, address(web).removesuffix("/meter"))
    assert all(frame.locator("#done tr").count() == 0 for frame in elsewhere.frames)


def test_a_page_of_another_origin_changes_nothing(page: Any, elsewhere: Any, web: Mitm) -> None:
    elsewhere.evaluate(WRITING, address(web).removesuffix("/meter"))
    page.goto(address(web, "?capture=1&tab=request"))
    page.wait_for_selector("#capture-body .json")
    assert all(row["has_capture"] for row in rows(web.meter_dir))
