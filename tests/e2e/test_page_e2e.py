"""The page's server where it really runs: mitmdump with `meter_port`, mitmweb, `mitmeter serve`; over a reload, too."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harness import Mitm, fetch, wait_rows
from harness.asking import MESSAGES, ask
from harness.mitm import ADDON, ROOT
from harness.ports import free_port
from harness.rows import MITMETER
from provider import Provider

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
SHOWN = re.compile(r"the page is at (http\S+)")


def until[T](look: Callable[[], T], seconds: float = 10.0) -> T:
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


class Place:
    """Where the page is."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.port, self.token = address.port or 0, parse_qs(address.query)["token"][0]

    def get(self, path: str, **headers: str) -> Any:
        return fetch(self.port, path, None, {"Authorization": f"Bearer {self.token}", **headers}, method="GET")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


def shown(proxy: Mitm) -> Place:
    found = until(lambda: SHOWN.search(proxy.output))
    assert found, proxy.output
    return Place(found[1])


def check(place: Place, surface: str) -> None:
    assert fetch(place.port, "/api/metrics", None, {}, method="GET").status == 401
    assert fetch(place.port, "/meter", None, {}, method="GET").status == 401
    (entry,) = place.get("/api/metrics").json()
    assert entry["provider"] == "anthropic"
    assert place.get("/api/meter").json()["surface"] == surface
    assert b"<!doctype html>" in place.get("/meter").body
    assert place.get("/meter/static/app.js").status == 200
    full = place.get("/api/captures/1?view=full").json()
    assert [one["role"] for one in full["conversation"]] == ["user", "assistant"]
    assert place.get("/api/metrics", Origin="http://evil.test").status == 403
    assert place.get("/api/metrics", **{"Sec-Fetch-Site": "same-site"}).status == 403


def test_mitmdump(upstream: Provider, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path, options={"meter_port": str(free_port())}) as proxy:
        place = shown(proxy)
        ask(proxy.port, "a", MESSAGES, ASKED)
        wait_rows(proxy.meter_dir, 1)
        check(place, "mitmdump")
        assert (proxy.meter_dir / "token").stat().st_mode & 0o777 == 0o600
        assert fetch(place.port, "/meter", None, {"Host": "evil.test"}, method="GET").status == 403
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.output
        assert not re.search(r"(GET|401|403) /", proxy.output), "requests of the page are not logged"


def test_mitmweb_behind_its_login(upstream: Provider, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path, tool="mitmweb") as proxy:
        place = Place(proxy.url)
        ask(proxy.port, "a", MESSAGES, ASKED)
        wait_rows(proxy.meter_dir, 1)
        check(place, "mitmweb")
        login = fetch(place.port, f"/meter?token={place.token}", None, {}, method="GET")
        assert (login.status, login.header("location")) == (303, "/meter")
        cookies = [value.partition(";")[0] for name, value in login.headers if name.lower() == "set-cookie"]
        page = fetch(place.port, "/meter", None, {"Cookie": "; ".join(cookies)}, method="GET")
        assert page.status == 200
        about = place.get("/api/meter").json()
        xsrf = [value for name, value in page.headers if name.lower() == "set-cookie" and about["xsrf_cookie"] in value]
        cookie, value = xsrf[0].partition(";")[0], xsrf[0].partition(";")[0].partition("=")[2]
        mine = {"Cookie": "; ".join([*cookies, cookie])}
        assert fetch(place.port, "/api/captures/1", None, mine, method="DELETE").status == 403
        kept = fetch(place.port, "/api/captures/1", None, {**mine, "X-XSRFToken": value}, method="DELETE")
        assert kept.status == 409, "this proxy is still writing it"
        assert place.get("/flows").status == 200, "mitmweb itself is as it was"
        assert place.get("/nothing").status == 404
        policies = [value for name, value in place.get("/meter").headers if name.lower() == "content-security-policy"]
        assert len(policies) == 1
        assert "unsafe" not in policies[0]
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.output


def test_mitmweb_takes_the_token_in_a_form(upstream: Provider, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path, tool="mitmweb") as proxy:
        place = Place(proxy.url)
        form = fetch(place.port, "/meter", None, {}, method="GET")
        assert form.status == 401
        (field,) = re.findall(rb'name="_xsrf" value="([^"]+)"', form.body)
        cookies = [value.partition(";")[0] for name, value in form.headers if name.lower() == "set-cookie"]
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": "; ".join(cookies)}
        body = f"token={place.token}&_xsrf={field.decode().replace('|', '%7C')}"
        opened = fetch(place.port, "/meter", body, headers)
        assert (opened.status, opened.header("location")) == (303, "/meter")
        assert fetch(place.port, "/meter", f"token=no&{body.partition('&')[2]}", headers).status == 401


def test_another_folder_and_port_while_it_runs(upstream: Provider, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path, tool="mitmweb") as proxy:
        place, port = Place(proxy.url), free_port()
        ask(proxy.port, "a", MESSAGES, ASKED)
        wait_rows(proxy.meter_dir, 1)
        headers = {"Authorization": f"Bearer {place.token}", "Cookie": "_mitmproxy_xsrf=x", "X-XSRFToken": "x"}
        change = {"meter_dir": str(tmp_path / "other"), "meter_port": port}
        assert fetch(place.port, "/options", change, headers, method="PUT").status == 200
        assert place.get("/api/metrics").json() == []
        own = shown(proxy)
        assert own.port == port
        assert own.get("/api/meter").json()["flows"] is None
        assert fetch(place.port, "/options", {"meter_port": -1}, headers, method="PUT").status == 400
        assert fetch(place.port, "/options", {"meter_port": 0}, headers, method="PUT").status == 200
        with pytest.raises(ConnectionRefusedError):
            own.get("/api/meter")


def test_a_reload_leaves_the_port_as_it_is(upstream: Provider, tmp_path: Path) -> None:
    script = tmp_path / "meter.py"
    script.write_text(ADDON.read_text())
    env = {"PYTHONPATH": str(ROOT / "addon")}
    with Mitm(upstream.url, tmp_path, script=script, options={"meter_port": str(free_port())}, env=env) as proxy:
        place = shown(proxy)
        for turn in range(3):
            script.write_text(ADDON.read_text() + f"\n# {turn}\n")
            os.utime(script, (time.time() + turn, time.time() + turn))
            loads = 2 + turn
            assert until(lambda loads=loads: proxy.output.count("oading script") >= loads), proxy.output
            ask(proxy.port, "a", MESSAGES, ASKED)
            assert len(wait_rows(proxy.meter_dir, turn + 1)) == turn + 1
            assert len(place.get("/api/metrics").json()) == turn + 1
        assert proxy.output.count("the page is at") == 1
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.output
        with pytest.raises(ConnectionRefusedError):
            place.get("/api/meter")


def test_a_port_that_is_taken_is_told_and_traffic_goes_on(upstream: Provider, tmp_path: Path) -> None:
    port = urlsplit(upstream.url).port
    with Mitm(upstream.url, tmp_path, options={"meter_port": str(port)}) as proxy:
        ask(proxy.port, "a", MESSAGES, ASKED)
        assert len(wait_rows(proxy.meter_dir, 1)) == 1
        assert f"meter_port {port}: Address already in use" in proxy.output


def test_serve(upstream: Provider, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path) as proxy:
        ask(proxy.port, "a", MESSAGES, ASKED)
        wait_rows(proxy.meter_dir, 1)
    command = [sys.executable, "-c", MITMETER, "--dir", str(proxy.meter_dir), "serve", "--port", "0"]
    env = os.environ | {"PYTHONPATH": str(ROOT / "addon"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        place = Place(process.stdout.readline().strip())
        check(place, "serve")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout.read() == ""


def test_serve_without_a_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MITMETER, "--dir", str(tmp_path / "none"), "serve", "--port", "0"]
    env = os.environ | {"PYTHONPATH": str(ROOT / "addon")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "nothing has been metered" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_events_while_a_stream_comes(upstream: Provider, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path, options={"meter_port": str(free_port())}) as proxy:
        place = shown(proxy)
        heard: list[bytes] = []

        def listen() -> None:
            headers = {"Authorization": f"Bearer {place.token}"}
            mark = b'\\"operation\\":\\"remove\\"'
            reply = fetch(place.port, "/api/events", None, headers, method="GET", timeout=4)
            assert mark in reply.body
            heard.append(reply.body)

        listener = threading.Thread(target=listen)
        listener.start()
        time.sleep(0.3)
        ask(proxy.port, "watched", MESSAGES, ASKED, x_pace_first="900", x_pace_gap="60")
        listener.join(10)
    events = [json.loads(line[5:]) for line in heard[0].decode().splitlines() if line.startswith("data:")]
    told = [json.loads(event["data"]) for event in events]
    states = [one["request"]["state"] for one in told if one.get("operation") == "upsert"]
    assert states[0] == "waiting"
    assert "generating" in states
    assert [event["type"] for event in events if event["type"] == "activity"] == ["activity"]
