"""Traffic that was recorded before: mitmproxy's flow files and HAR logs as flows, and flows as what they came to.

A recorded WebSocket connection has its messages with their times, so it comes to the rows that it would have come to
live: one for each response on it.
https://w3c.github.io/web-performance/specs/HAR/Overview.html
https://developer.chrome.com/docs/devtools/network/reference#frames (`_webSocketMessages`, `_error`)
"""

import base64
import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from mitmproxy import exceptions, http
from mitmproxy.flow import Error
from mitmproxy.io import FlowReader
from mitmproxy.io.har import request_to_flow
from mitmproxy.websocket import WebSocketData, WebSocketMessage

from mitmeter.exchange import CLIENT_LEFT, Exchange, Outcome
from mitmeter.flows import TEXT, answer, closed_by, fields, opening
from mitmeter.recorder import Limits, Recorder
from mitmeter.redact import Redacted
from mitmeter.session import Session
from mitmeter.usage.registry import Match

BINARY = 2
SCHEMES = ("http://", "https://", "ws://", "wss://")
STEP = 1e-6
LEFT = frozenset({CLIENT_LEFT, "net::ERR_ABORTED"})  # mitmproxy's word and Chrome's for a client that left

# What mitmproxy's readers raise over flows that are not as they were written.
MISREAD = (ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError, RecursionError)

type Ended = tuple[Exchange, Redacted]


class Unreadable(ValueError):
    """The file holds neither mitmproxy flows nor a HAR log, or is damaged from some point on."""


class Misread(Unreadable):
    """Some entries of a file are not as they should be; all others have been read."""

    def __init__(self, message: str, many: int) -> None:
        super().__init__(message)
        self.many = many


def recorded(path: Path) -> Iterator[http.HTTPFlow]:
    """Yield the HTTP flows of a mitmproxy flow file or HAR log, each with an id that is the same at each reading.

    Raises Unreadable once what could be read has been yielded.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    with file:
        har = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{")
        file.seek(0)
        if har:
            yield from _entries(path, file)
            return
        read = 0
        try:
            for flow in FlowReader(file).stream():
                read += 1
                if isinstance(flow, http.HTTPFlow):
                    float(flow.request.timestamp_start)
                    yield flow
        except (exceptions.FlowReadException, *MISREAD) as error:
            what = f"damaged after {read} flows ({error})" if read else "neither a HAR log nor a mitmproxy flow file"
            raise Unreadable(f"{path}: {what}") from error


def _entries(path: Path, file: BinaryIO) -> Iterator[http.HTTPFlow]:
    """Yield the entries of a HAR log; one that cannot be read is passed over, and told at the end."""
    alike: Counter[bytes] = Counter()
    try:
        entries = list(json.loads(file.read().decode("utf-8-sig"))["log"]["entries"])
    except MISREAD as error:
        raise Unreadable(f"{path}: this is JSON, but no HAR log ({_why(error)})") from error
    misread: Counter[str] = Counter()
    for entry in entries:
        try:
            flow = _entry(entry)
            if flow is not None:
                flow.id = _own_id(entry) or _stable_id(flow, alike)
        except (exceptions.OptionsError, *MISREAD) as error:
            misread[_why(error)] += 1
            continue
        if flow is not None:
            yield flow
    if many := misread.total():
        causes = ", ".join(f"{why}: {times}" for why, times in misread.most_common(5))
        raise Misread(f"{path}: {many} of {len(entries)} entries are not as HAR has them ({causes})", many)


def _why(error: Exception) -> str:
    """Return what is wrong in words of ours; messages of readers quote what was recorded."""
    return f"no {error.args[0]!r}" if isinstance(error, KeyError) and error.args else type(error).__name__


def _entry(entry: dict[str, Any]) -> http.HTTPFlow | None:
    """Return an entry of a HAR log, None where it is of something else than HTTP, such as a browser's extension."""
    asked, answered = entry["request"], entry["response"]
    if not asked["url"].startswith(SCHEMES):
        return None
    for message in (asked, answered):
        message.setdefault("httpVersion", "")
    answered.setdefault("content", {})
    entry["time"] = entry.get("time") or 0
    if asked.get("postData"):
        asked["postData"].setdefault("text", "")
    else:
        asked.pop("postData", None)
    flow = request_to_flow(entry)
    if asked.get("postData", {}).get("encoding") == "base64":
        flow.request.raw_content = base64.b64decode(asked["postData"]["text"])
    if cause := answered.get("_error"):
        flow.error = Error(str(cause), flow.request.timestamp_start + entry["time"] / 1000)
    if flow.response is not None and flow.response.timestamp_end is not None:
        receiving = max(0.0, entry.get("timings", {}).get("receive") or 0) / 1000
        flow.response.timestamp_start = max(flow.request.timestamp_start, flow.response.timestamp_end - receiving)
    if said := entry.get("_webSocketMessages"):
        _connect(flow, said)
    return flow


def _connect(flow: http.HTTPFlow, said: list[dict[str, Any]]) -> None:
    """Make a HAR's entry the WebSocket connection that it was."""
    request = flow.request
    if request.scheme in ("ws", "wss"):
        url = request.url
        request.url = f"http{url.removeprefix('ws')}"
    request.headers.setdefault("upgrade", "websocket")
    messages = []
    for message in said:
        text = message["opcode"] == TEXT
        data = message["data"].encode("utf-8", "surrogateescape") if text else base64.b64decode(message["data"])
        messages.append(
            WebSocketMessage(TEXT if text else BINARY, message["type"] == "send", data, float(message["time"]))
        )
    flow.websocket = WebSocketData(messages=messages)


def _own_id(entry: dict[str, Any]) -> str | None:
    """Return the flow's id of an entry that mitmeter exported; the responses on one connection share theirs."""
    return None if entry["response"]["status"] == 101 else str(entry.get("_meter", {}).get("flow_id") or "") or None


def _stable_id(flow: http.HTTPFlow, alike: Counter[bytes]) -> str:
    """Return an id out of when and what was asked; requests that are alike in both are told apart by their order."""
    request = flow.request
    told = f"{request.timestamp_start} {request.method} {request.url}".encode("utf-8", "replace")
    told += b"\0" + (request.raw_content or b"")
    digest = hashlib.sha256(told).digest()
    alike[digest] += 1
    if alike[digest] > 1:
        digest = hashlib.sha256(digest + str(alike[digest]).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16]))


def metered(flow: http.HTTPFlow, reader: Match, limits: Limits, secret: bytes) -> list[Ended]:
    """Meter a flow that was recorded before: what it came to, or on a WebSocket each response, in their order.

    The flow's own timestamps are the clock. Raises Unreadable where it is not as mitmproxy writes it.
    """
    try:
        if flow.websocket is not None:
            return _conversed(flow, reader, limits, secret)
        return [_replayed(flow, reader, limits, secret)]
    except MISREAD as error:
        raise Unreadable(f"flow {flow.id} is not as it was written ({type(error).__name__})") from error


def _replayed(flow: http.HTTPFlow, reader: Match, limits: Limits, secret: bytes) -> Ended:
    """Meter one exchange; tokens within it have no times."""
    request, response = flow.request, flow.response
    recorder = Recorder(opening(flow, request.timestamp_start), reader, limits=limits, secret=secret)
    head = answer(flow)
    ended = request.timestamp_end or request.timestamp_start
    if head is not None and response is not None and head.status:
        recorder.answer(head, response.timestamp_start)
        ended = response.timestamp_end or (flow.error.timestamp if flow.error else response.timestamp_start)
        recorder.whole(response.raw_content or b"", ended)
        if response.trailers:
            recorder.trailers(fields(response.trailers))
    cause = flow.error.msg if flow.error else None
    outcome = Outcome.COMPLETE
    if cause is not None:
        outcome = Outcome.CLIENT_ABORTED if cause in LEFT else Outcome.UPSTREAM_ABORTED
    return recorder.close(outcome, ended, cause)


def _conversed(flow: http.HTTPFlow, reader: Match, limits: Limits, secret: bytes) -> list[Ended]:
    """Meter a WebSocket connection; its messages have their times."""
    head, socket = answer(flow), flow.websocket
    if head is None or socket is None:
        return []
    start = flow.request.timestamp_start
    session = Session(opening(flow, start), head, reader, limits=limits, secret=secret)
    ended: list[Ended] = []
    at = start
    for message in socket.messages:
        at = max(at + STEP, message.timestamp)  # a row is known by when it began
        ended += session.feed(message.content, at, message.from_client)
    outcome, cause = closed_by(flow)
    return ended + session.close(outcome, max(at, socket.timestamp_end or at), cause)
