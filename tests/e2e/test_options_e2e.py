"""Options: what cannot be used is refused in one line, what can be does what it says."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import Mitm, capture, kept_body, rows
from harness.asking import ASKED, DOCUMENT, MESSAGES, SAID, STREAM, ask, counted, one
from harness.mitm import ADDON
from provider import Provider


@pytest.fixture(scope="module")
def upstream() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


REFUSED = {
    "capture": ({"meter_capture": "foo"}, ("meter_capture", "all", "headers", "none")),
    "body-limit": ({"meter_body_limit": "abc"}, ("meter_body_limit", "'abc'", "bytes")),
    "body-limit-0": ({"meter_body_limit": "0"}, ("meter_body_limit", "'0'")),
    "archive-limit": ({"meter_archive_limit": "-1"}, ("meter_archive_limit", "'-1'")),
    "filter": ({"meter_filter": "~~"}, ("meter_filter", "~~")),
    "sync": ({"meter_sync": "always"}, ("meter_sync", "never", "seal", "write")),
    "archive-days": ({"meter_archive_days": "-1"}, ("meter_archive_days", "number of days")),
    "archive-days-text": ({"meter_archive_days": "soon"}, ("meter_archive_days", "soon")),
    "dir-is-a-file": ({"meter_dir": str(ADDON)}, ("meter_dir", str(ADDON), "exists")),
    "dir-below-a-file": ({"meter_dir": f"{ADDON}/meter"}, ("meter_dir", str(ADDON), "directory")),
    "unknown": ({"meter_typo": "1"}, ("meter_typo", "meter_dir", "meter_capture")),
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Exit codes and output of proxies that were started with bad options."""
    directory = tmp_path_factory.mktemp("refused")

    def start(name: str) -> tuple[int, str]:
        proxy = Mitm("http://127.0.0.1:9", directory / name, options=REFUSED[name][0])
        return proxy.finish(), proxy.output

    with ThreadPoolExecutor(3) as pool:
        return dict(zip(REFUSED, pool.map(start, REFUSED), strict=True))


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_option_is_refused_in_one_clear_line(refusals: dict[str, tuple[int, str]], name: str) -> None:
    code, output = refusals[name]
    words = REFUSED[name][1]
    assert code == 1, output
    assert "Traceback" not in output
    told = [line for line in output.splitlines() if "meter_" in line and "Loading script" not in line]
    assert len(told) == 1, output
    assert [word for word in words if word not in told[0]] == []


def test_a_filter_of_the_users_own(upstream: Provider, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path, options={"meter_filter": "~u /special"}) as proxy:
        ask(proxy.port, "known", MESSAGES)
        ask(proxy.port, "special", "/special/thing", accept_encoding="dcb, gzip")
        row = one(proxy, "special")
        assert (row["outcome"], row["status"], row["path"]) == ("error", 404, "/special/thing")
        assert [found["client"]["agent"] for found in rows(proxy.meter_dir)] == ["special"]
        assert upstream.requests[-1].find("accept-encoding") == "gzip"


@pytest.mark.parametrize("kept", ["headers", "none"])
def test_captures_can_be_left_out(upstream: Provider, tmp_path: Path, kept: str) -> None:
    with Mitm(upstream.url, tmp_path, options={"meter_capture": kept}) as proxy:
        ask(proxy.port, "me", MESSAGES)
        row = one(proxy, "me")
        assert (row["outcome"], counted(row), row["has_capture"]) == ("complete", (ASKED, SAID), kept == "headers")
        if kept == "headers":
            found = capture(proxy.meter_dir, row)
            assert ["user-agent", "me"] in found["request_headers"]
            assert (found["request_body"], found["response_body"]) == (None, None)
        proxy.stop()
        files = b"".join(path.read_bytes() for path in proxy.meter_dir.rglob("*") if path.is_file())
        assert b"stay with me" not in files


def test_a_body_limit_cuts_the_capture_and_not_the_counts(upstream: Provider, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path, options={"meter_body_limit": "1k"}) as proxy:
        body = {**STREAM, "messages": [{"role": "user", "content": "word " * 1000}]}
        reply = ask(proxy.port, "stream", body=body)
        assert reply.body == ask(upstream.port, "stream", body=body).body
        row = one(proxy, "stream")
        assert (row["outcome"], counted(row)) == ("complete", (1001, SAID))
        found = capture(proxy.meter_dir, row)
        assert kept_body(found, "response") == reply.body[:1024]
        assert (found["response_cut"], row["sizes"]["response_bytes"]) == (len(reply.body) - 1024, len(reply.body))
        assert len(kept_body(found, "request") or b"") == 1024
        assert found["request_cut"] == row["sizes"]["request_bytes"] - 1024 > 4000
        document = ask(proxy.port, "document", MESSAGES, {**DOCUMENT, "max_tokens": 900}, x_shape="words=900")
        row = one(proxy, "document")
        assert counted(row) == (ASKED, 900)
        found = capture(proxy.meter_dir, row)
        assert (kept_body(found, "response"), found["response_cut"]) == (
            document.body[:1024],
            len(document.body) - 1024,
        )
