"""Ends that mitmproxy makes by itself: one row each, with what had come until then."""

import socket
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from faulty import saying, until

from harness import End, Mitm, capture, fetch, kept_body, rows, wait_rows
from harness.asking import CHAT, STREAM, ask, counted, one
from provider import Provider


def test_a_timeout_of_the_proxy(upstream: Provider, tmp_path: Path) -> None:
    """mitmproxy closes both sides when nothing comes, and says that the client did it."""
    with Mitm(upstream.url, tmp_path, options={"tcp_timeout": "1"}) as proxy:
        reply = ask(proxy.port, "patient", x_fault="hang:5")
        assert reply.end in (End.CLOSED, End.RESET)
        row = one(proxy, "patient")
        assert (row["outcome"], row["status"]) == ("client_aborted", 200)
        assert kept_body(capture(proxy.meter_dir, row), "response") == reply.body


def test_a_half_closed_client(upstream: Provider, tmp_path: Path) -> None:
    """mitmproxy takes a client that says no more for one that has left, and never forwards its request."""
    with Mitm(upstream.url, tmp_path) as proxy:
        before = len(upstream.requests)
        with socket.create_connection(("127.0.0.1", proxy.port), 5) as client:
            head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nuser-agent: half\r\ncontent-length: 2\r\n\r\n"
            client.sendall(head.encode() + b"{}")
            client.shutdown(socket.SHUT_WR)
            client.recv(1 << 16)
        row = one(proxy, "half")
        assert (row["outcome"], row["status"]) in (("client_aborted", None), ("client_aborted", 200), ("complete", 200))
        assert len(rows(proxy.meter_dir)) == 1
        assert len(upstream.requests) - before <= 1


def test_an_intercepted_stream(upstream: Provider, tmp_path: Path) -> None:
    """All of it is with the client but the end, for which mitmproxy waits until a user resumes the flow."""
    with Mitm(upstream.url, tmp_path, tool="mitmweb", options={"intercept": "~s"}) as proxy:
        reply = fetch(proxy.port, CHAT, STREAM, {"user-agent": "held"}, timeout=1)
        assert reply.end is End.TIMEOUT
        assert reply.body == ask(upstream.port, "held").body
        row = one(proxy, "held")
        assert (row["outcome"], row["error"]) == ("complete", None)
        assert len(rows(proxy.meter_dir)) == 1


KILLING = """
def {hook}(flow):
    flow.kill()
"""
KILLS = {
    "before-it-is-sent": ("requestheaders", None, "unreachable"),
    "before-the-answer": ("request", None, "unreachable"),
    "at-the-head": ("responseheaders", 200, "upstream_aborted"),
}


@pytest.mark.parametrize("when", KILLS)
def test_a_flow_that_a_user_kills(upstream: Provider, tmp_path: Path, when: str) -> None:
    hook, status, outcome = KILLS[when]
    (tmp_path / "killing.py").write_text(KILLING.format(hook=hook))
    with Mitm(upstream.url, tmp_path, arguments=["-s", str(tmp_path / "killing.py")]) as proxy:
        assert ask(proxy.port, "killed", x_pace_first="50").end is not End.COMPLETE
        row = one(proxy, "killed")
        assert (row["outcome"], row["status"]) == (outcome, status)
        assert "killed" in row["error"].lower()
        assert len(rows(proxy.meter_dir)) == 1


def test_flows_that_a_user_opens_are_not_metered(upstream: Provider, tmp_path: Path) -> None:
    """What mitmweb's "Open" loads goes through the same hooks as traffic."""
    saved = tmp_path / "flows"
    with Mitm(upstream.url, tmp_path / "a", script=None, arguments=["-w", str(saved)]) as proxy:
        ask(proxy.port, "recorded")
    with Mitm(upstream.url, tmp_path / "b", tool="mitmweb") as proxy:
        address = urlsplit(proxy.url)
        token = parse_qs(address.query)["token"][0]
        headers = {"authorization": f"Bearer {token}", "cookie": "_mitmproxy_xsrf=x", "x-xsrftoken": "x"}
        headers["content-type"] = "application/octet-stream"
        assert fetch(address.port or 0, "/flows/dump", saved.read_bytes(), headers).status == 200
        listed = fetch(address.port or 0, "/flows", None, headers, method="GET").body
        assert b"recorded" in listed
        ask(proxy.port, "live")
        assert [row["client"]["agent"] for row in wait_rows(proxy.meter_dir, 1)] == ["live"]


EVENT = b'data: {"object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def test_trailers_of_http_1(tmp_path: Path) -> None:
    """mitmproxy cannot relay them: its client waits for an end that never comes, with the addon and without."""
    chunk = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
    with saying(HEAD + chunk + b"0\r\nx-checksum: 1\r\n\r\n") as url, Mitm(url, tmp_path) as proxy:
        reply = fetch(proxy.port, CHAT, STREAM, {"user-agent": "trailers"}, timeout=1)
        assert reply.body == EVENT
        row = one(proxy, "trailers")
        assert row["status"] == 200
        assert counted(row) == (3, 4)
        assert kept_body(capture(proxy.meter_dir, row), "response") == EVENT
        assert until(lambda: len(rows(proxy.meter_dir)) == 1)


def test_an_upstream_that_talks_nonsense(tmp_path: Path) -> None:
    nonsense = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nnonsense\r\n"
    with saying(nonsense) as url, Mitm(url, tmp_path) as proxy:
        fetch(proxy.port, CHAT, STREAM, {"user-agent": "nonsense"}, timeout=3)
        row = one(proxy, "nonsense")
        assert row["outcome"] in ("upstream_aborted", "unreachable", "error")
        assert len(rows(proxy.meter_dir)) == 1
