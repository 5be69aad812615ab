"""Who gets in, and what gets out: tokens, names, other pages, methods, paths, and what answers say to a browser."""

import base64
import html
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.rows import captured, row, written
from harness.client import Headers
from harness.served import TOKEN, Served
from mitmeter.dashboard.app import ROUTES
from mitmeter.dashboard.doors import Doors
from mitmeter.dashboard.server import token_of
from mitmeter.shelf import private_folder

BEARER = {"Authorization": f"Bearer {TOKEN}"}
PATHS = [
    pattern.replace("/?", "").replace("([^/]+)", "1").replace("([A-Za-z0-9][A-Za-z0-9._-]*)", "app.js")
    for pattern, _ in ROUTES
]
ABOUT = "/api/meter"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = written(
        tmp_path_factory.mktemp("doors") / "m", [captured(), row(model="<script>alert(1)</script>\r\nX-A: b")]
    )
    with Served(folder) as served:
        yield served


@pytest.mark.parametrize("path", [*PATHS, "/nothing", "/meter/static/", "/metrics"])
def test_nothing_without_the_token(served: Served, path: str) -> None:
    for method in ("GET", "DELETE", "OPTIONS", "PUT", "HEAD"):
        reply = served.ask(method, path, {})
        assert reply.status == 401
        assert reply.header("access-control-allow-origin") is None
        assert TOKEN.encode() not in reply.body


def basic(password: str) -> str:
    return f"Basic {base64.b64encode(f'me:{password}'.encode()).decode()}"


GOOD: dict[str, Headers] = {
    "bearer": BEARER,
    "bearer, small": {"authorization": f"bearer {TOKEN}"},
    "basic": {"Authorization": basic(TOKEN)},
    "x-api-key": {"X-Api-Key": TOKEN},
}
BAD: dict[str, Headers] = {
    "another token": {"Authorization": f"Bearer {'0' * 64}"},
    "a part": {"Authorization": f"Bearer {TOKEN[:-1]}"},
    "more": {"Authorization": f"Bearer {TOKEN}0"},
    "empty": {"Authorization": "Bearer "},
    "no scheme": {"Authorization": TOKEN},
    "basic, broken": {"Authorization": "Basic %%%"},
    "basic, as the user": {"Authorization": f"Basic {base64.b64encode(TOKEN.encode()).decode()}"},
    "not ASCII": {"Authorization": "Bearer \xff\xfe"},
    "the token as the cookie": {"Cookie": f"mitmeter-1={TOKEN}"},
    "X-Forwarded-For": {"X-Forwarded-For": "127.0.0.1"},
}


@pytest.mark.parametrize("name", GOOD)
def test_these_open(served: Served, name: str) -> None:
    assert served.ask("GET", ABOUT, GOOD[name]).status == 200


@pytest.mark.parametrize("name", BAD)
def test_these_do_not(served: Served, name: str) -> None:
    assert served.ask("GET", ABOUT, BAD[name]).status == 401


def test_a_token_in_the_address(served: Served) -> None:
    assert served.ask("GET", f"{ABOUT}?token={TOKEN}", {}).status == 200
    assert served.ask("GET", f"{ABOUT}?token={TOKEN}x", {}).status == 401
    reply = served.ask("GET", f"/meter?token={TOKEN}", {})
    assert (reply.status, reply.header("location")) == (303, "/meter")
    cookie = reply.header("set-cookie") or ""
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
    assert TOKEN not in cookie
    mine = {"Cookie": cookie.partition(";")[0]}
    assert served.ask("GET", "/meter", mine).status == 200
    assert served.ask("GET", ABOUT, mine).status == 200
    assert served.ask("GET", ABOUT, {"Cookie": mine["Cookie"] + "0"}).status == 401


def test_the_login(served: Served) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    shown = served.ask("GET", "/meter", {})
    assert b'<form method="post" action="/meter">' in shown.body
    wrong = served.ask("POST", "/meter", form, body="token=no")
    assert (wrong.status, wrong.header("set-cookie")) == (401, None)
    right = served.ask("POST", "/meter", form, body=f"token={TOKEN}")
    assert (right.status, right.header("location")) == (303, "/meter")
    mine = {"Cookie": (right.header("set-cookie") or "").partition(";")[0]}
    assert served.ask("GET", ABOUT, mine).status == 200


SHARED = {
    "?capture=1": "?capture=1",
    "?model=claude-*&capture=1": "?model=claude-%2A&capture=1",
    "?text=a%22%3E%3Cb&token=x&token=y": "?text=a%22%3E%3Cb",
    "?capture=1&token=": "?capture=1",
    "?session=%0d%0aX-A:%20b": "?session=%0D%0AX-A%3A+b",
    "?model=%ff%zz": "?model=%EF%BF%BD%25zz",
    "?token=x": "",
}


@pytest.mark.parametrize("query", SHARED)
def test_a_shared_address_is_kept_through_the_login(served: Served, query: str) -> None:
    there = f"/meter{SHARED[query]}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    shown = served.ask("GET", f"/meter{query}", {})
    assert (shown.status, f'action="{html.escape(there)}"'.encode() in shown.body) == (401, True)
    right = served.ask("POST", there, form, body=f"token={TOKEN}")
    assert (right.status, right.header("location"), right.header("x-a")) == (303, there, None)
    by_address = served.ask("GET", f"{there}{'&' if '?' in there else '?'}token={TOKEN}", {})
    assert (by_address.status, by_address.header("location")) == (303, there)


HOSTS = {"127.0.0.1": 200, "localhost": 200, "LOCALHOST": 200, "[::1]": 200, "localhost.": 403, "evil.test": 403}
HOSTS |= {"127.0.0.1.evil.test": 403, "evil.test@127.0.0.1": 400, "10.0.0.1": 403, "": 403, "[::1": 403}


@pytest.mark.parametrize("host", HOSTS)
def test_hosts(served: Served, host: str) -> None:
    given = {**BEARER, "Host": f"{host}:{served.port}" if host else ""}
    reply = served.ask("GET", ABOUT, given)
    assert reply.status == HOSTS[host]


def test_hosts_where_all_addresses_are_bound() -> None:
    doors = Doors(TOKEN, "0.0.0.0", 1)
    assert [doors.knows_host(host) for host in ("10.1.2.3:1", "[fe80::1]", "localhost", "evil.test")] == [True] * 3 + [
        False
    ]
    named = Doors(TOKEN, "box.lan", 1)
    assert [named.knows_host(host) for host in ("box.lan:1", "other.lan", "10.1.2.3")] == [True, False, False]


FOREIGN: dict[str, dict[str, str]] = {
    "an origin": {"Origin": "http://evil.test"},
    "no origin to speak of": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another port of this one": {"Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
def test_other_pages_are_refused(served: Served, name: str, path: str) -> None:
    for method in ("GET", "DELETE", "OPTIONS", "POST"):
        reply = served.ask(method, path, {**BEARER, **FOREIGN[name]})
        assert reply.status == 403
        assert reply.header("access-control-allow-origin") is None


def test_our_own_page_is_not(served: Served) -> None:
    own = {**BEARER, "Origin": f"http://127.0.0.1:{served.port}", "Sec-Fetch-Site": "same-origin"}
    assert served.ask("GET", ABOUT, own).status == 200


def test_a_link_of_another_page_leads_to_the_page(served: Served) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    with_token = served.ask("GET", f"/meter?token={TOKEN}", link)
    assert (with_token.status, b'content="0;url=/meter"' in with_token.body) == (200, True)
    assert with_token.header("set-cookie")
    without = served.ask("GET", "/meter", link)
    assert (without.status, b'content="0;url=/meter"' in without.body) == (200, True)
    assert without.header("set-cookie") is None
    shared = served.ask("GET", "/meter?model=a&capture=1", link)
    assert b'content="0;url=/meter?model=a&amp;capture=1"' in shared.body
    searching = served.ask("GET", "/meter?text=sk-a&capture=1", link)
    assert (b"refresh" in searching.body, b'href="/meter?text=sk-a&amp;capture=1"' in searching.body) == (False, True)
    for dest in ("iframe", "script", "image", "empty"):
        assert served.ask("GET", f"/meter?token={TOKEN}", {**link, "Sec-Fetch-Dest": dest}).status == 403
    assert served.ask("GET", ABOUT, {**BEARER, **link}).status == 403
    form = {**link, "Content-Type": "application/x-www-form-urlencoded"}
    assert served.ask("POST", "/meter", form, body=f"token={TOKEN}").status == 403


@pytest.mark.parametrize("path", PATHS)
def test_what_every_answer_says(served: Served, path: str) -> None:
    reply = served.ask("GET", path, BEARER, cut_after=1)
    policy = reply.header("content-security-policy") or ""
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    for name, value in {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "cross-origin-resource-policy": "same-origin",
        "x-frame-options": "DENY",
    }.items():
        assert reply.header(name) == value
    assert [reply.header(name) for name in ("server", "etag", "access-control-allow-origin")] == [None] * 3


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST", "OPTIONS", "HEAD", "TRACE", "CONNECT", "FOO"])
def test_other_methods(served: Served, method: str) -> None:
    for path in ("/api/metrics/activity", "/api/captures/1", "/api/events"):
        reply = served.ask(method, path, BEARER)
        assert reply.status in (400, 405), (method, path)
    assert served.get("/api/captures/1")["id"] == 1


@pytest.mark.parametrize(
    "name",
    [
        "../page.py",
        "..%2fpage.py",
        "%2e%2e%2fpage.py",
        "..\\page.py",
        ".hidden",
        "app.js/../../page.py",
        "app.js%00.css",
        "no.js",
    ],
)
def test_tricks_with_paths(served: Served, name: str) -> None:
    reply = served.ask("GET", f"/meter/static/{name}", BEARER)
    assert reply.status in (400, 404)
    assert b"import" not in reply.body


@pytest.mark.parametrize(
    "ident", ["1%0d%0aX-A:b", "%00", "1;", "1.0", "0x1", "99999999999999999999999", "\xb2", "+1", "1_0", "%D9%A1"]
)
def test_tricks_with_ids(served: Served, ident: str) -> None:
    reply = served.ask("GET", f"/api/captures/{ident}", BEARER)
    assert reply.status == 400
    assert reply.header("x-a") is None


def test_nothing_that_was_metered_gets_into_headers(served: Served) -> None:
    reply = served.ask("GET", "/api/metrics/activity", BEARER)
    assert (reply.header("content-type") or "").startswith("application/json")
    assert reply.header("x-a") is None
    told = served.ask("GET", "/api/metrics/activity?sort=%0d%0aX-A:%20b", BEARER)
    assert (told.status, told.header("x-a")) == (400, None)


def test_too_much_is_refused(served: Served) -> None:
    assert served.ask("GET", "/api/meter?" + "a" * 100_000, BEARER).status in (0, 400, 414, 431)
    big = served.ask("POST", "/meter", BEARER, body=b"token=" + b"a" * 100_000)
    assert big.status in (0, 400, 413)
    assert served.ask("GET", ABOUT, BEARER).status == 200


def test_the_token_of_a_folder_stays_and_is_its_owners(tmp_path: Path) -> None:
    private_folder(tmp_path / "m")
    token = token_of(tmp_path / "m")
    assert (len(token), token_of(tmp_path / "m")) == (64, token)
    assert (tmp_path / "m" / "token").stat().st_mode & 0o777 == 0o600
