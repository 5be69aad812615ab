"""Capture -> Redacted. Nothing else makes a `Redacted`, and sinks accept nothing else."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from mitmeter.exchange import Capture, Exchange, Headers, Outcome
from mitmeter.redact.frames import find_pieced, find_wrapped, is_framed, reframed
from mitmeter.redact.headers import is_kept, redact_headers
from mitmeter.redact.patch import merged, patched
from mitmeter.redact.policy import DEFAULT, Policy
from mitmeter.redact.shapes import Span, find_shapes, is_clear, marker
from mitmeter.redact.stitched import find_spelled, find_stitched
from mitmeter.redact.urls import REDACTED, redact_path, redact_url
from mitmeter.redact.values import finder, known_values
from mitmeter.scan import TooMany

_MARK = REDACTED.encode()
_WORDS = ("method", "host", "path", "model", "request_model", "content_type", "error", "error_type")
_ENDS = ("finish", "service_tier", "response_id")
_NAMES = (*_WORDS, *_ENDS)
_named = attrgetter(*_NAMES)
_HEADS = ("request_headers", "response_headers", "response_trailers")
_BODIES = ("request_body", "response_body")
_SMALL = 1 << 14
_PLACES = ("url", "path", "method", "reason")


class Redacted(Capture, frozen=True, kw_only=True):
    """A capture that may be stored."""


class Redactor:
    """Takes the secrets out of one exchange: those that its headers and URL show, and those with a known shape."""

    def __init__(self, asked: Headers, url: str, answered: Iterable[Headers] = (), policy: Policy = DEFAULT) -> None:
        self._policy = policy
        self._known = finder(known_values(asked, answered, url, policy))

    def _find(self, data: bytes, cut: bool = False) -> list[Span]:
        spans = find_shapes(data, self._policy.pii, cut)
        if self._known is not None:
            spans += [(start, end, _MARK) for start, end in self._known.find(data)]
        return spans

    def body(self, data: bytes | None, *, cut: bool = False, stream: bool = False) -> bytes | None:
        """Return a body without secrets; `cut`: it may end within one, `stream`: it may hold one in pieces."""
        if not data:
            return data
        try:
            spans = self._spans(data, cut, stream)
            if not (stream and is_framed(data)):
                return patched(data, spans)
            inside = [look(data, lambda texts: self._spans(texts, cut, True)) for look in (find_wrapped, find_pieced)]
            return reframed(data, [*chain(*inside), *spans])
        except TooMany:
            return marker("too-many")

    def _spans(self, data: bytes, cut: bool, stream: bool) -> list[Span]:
        spans = self._find(data, cut)
        if stream:
            spans += find_stitched(data, lambda joined: merged(self._find(joined, cut)))
        return spans + find_spelled(data) if spans else spans

    def text(self, text: str) -> str:
        """Return a short text without secrets."""
        data = text.encode("utf-8", "surrogatepass")
        cleaned = self.body(data, cut=True)
        return text if cleaned is None or cleaned is data else cleaned.decode("utf-8", "replace")

    def _clear(self, texts: Iterable[str], *bodies: bytes | None) -> bool:
        """Say whether nothing has to go from any of these texts and bodies; the answer may be no too often."""
        lines = "\n".join(texts).encode("utf-8", "surrogatepass")
        lines = b"\n".join((lines, *filter(None, bodies))) if bodies else lines
        try:
            return is_clear(lines, self._policy.pii) and (self._known is None or not self._known.find(lines))
        except TooMany:
            return False

    def _headers(self, headers: Headers) -> Headers:
        if self._clear(chain.from_iterable(headers)):
            return headers
        return tuple(
            (name if is_kept(name) else self.text(name), value if value == REDACTED else self.text(value))
            for name, value in headers
        )

    def capture(self, capture: Capture, *, stream: bool = True) -> Redacted:
        """Take the credentials out of a capture; `stream` says that its response may spell them out in pieces.

        One pass over all that is small tells whether there are any in it, which there mostly are not.
        """
        fields, small = self._begun(capture, stream)
        if not self._clear(_told(fields), *(fields[name] for name in small)):
            small = []
            fields |= {name: self._headers(fields[name]) for name in _HEADS if fields[name] is not None}
            fields |= {name: self._text(fields[name]) for name in _PLACES}
        return self._ended(fields, small, capture, stream)

    def exchange(self, exchange: Exchange) -> Exchange:
        """Take the credentials out of a row."""
        row = _placed(exchange)
        if self._clear(_texts(row)):
            return row
        clean = {name: self._text(getattr(row, name)) for name in _NAMES}
        client = replace(row.client, agent=self._text(row.client.agent))
        return replace(row, **clean, client=client, reported=self._plain(row.reported))

    def both(self, exchange: Exchange, capture: Capture, *, stream: bool = True) -> tuple[Exchange, Redacted]:
        """Take the credentials out of a row and its capture, in one pass where there are none."""
        row = _placed(exchange)
        fields, small = self._begun(capture, stream)
        if self._clear((*_texts(row), *_told(fields)), *(fields[name] for name in small)):
            return row, self._ended(fields, small, capture, stream)
        return self.exchange(exchange), self.capture(capture, stream=stream)

    def _begun(self, capture: Capture, stream: bool) -> tuple[dict[str, Any], list[str]]:
        """Return the fields of a capture, headers and addresses redacted by name, and which bodies are small."""
        fields: dict[str, Any] = asdict(capture)
        for name in _HEADS:
            if (headers := fields[name]) is not None:
                fields[name] = redact_headers(headers, self._policy)
        fields["url"], fields["path"] = redact_url(capture.url), redact_path(capture.path)
        small = [name for name in _BODIES if len(fields[name] or b"") <= _SMALL and not (stream and name == _BODIES[1])]
        return fields, small

    def _ended(self, fields: dict[str, Any], clear: list[str], capture: Capture, stream: bool) -> Redacted:
        """Redact the bodies that are not known to be clear."""
        if "request_body" not in clear:
            fields["request_body"] = self.body(capture.request_body, cut=capture.request_cut > 0)
        if "response_body" not in clear:
            broken = capture.response_cut > 0 or capture.outcome is not Outcome.COMPLETE
            fields["response_body"] = self.body(capture.response_body, cut=broken, stream=stream)
        return Redacted(**fields)

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self.text(text)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(name)): self._plain(item) for name, item in value.items()}
        return [self._plain(item) for item in value] if isinstance(value, list | tuple) else value


def _placed(row: Exchange) -> Exchange:
    path = redact_path(row.path)
    return row if path == row.path else replace(row, path=path)


def _told(fields: dict[str, Any]) -> list[str]:
    """Return the texts of a capture but for its bodies."""
    told = [fields[name] or "" for name in _PLACES]
    for name in _HEADS:
        told += chain.from_iterable(fields[name] or ())
    return told


def _texts(row: Exchange) -> Iterator[str]:
    """Yield the texts of a row; those of what the server reported as JSON has them, a line each."""
    yield from filter(None, _named(row))
    yield row.client.agent or ""
    if row.reported is not None:
        yield _json(row.reported).replace('"', "\n")


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, TypeError, RecursionError):
        return json.dumps(value, ensure_ascii=False, default=str)


def redact(capture: Capture, policy: Policy = DEFAULT) -> Redacted:
    """Take the credentials out of a capture, by what it shows itself."""
    answered = [headers for headers in (capture.response_headers, capture.response_trailers) if headers]
    return Redactor(capture.request_headers or (), capture.url, answered, policy).capture(capture)


def without_bodies(redacted: Redacted) -> Redacted:
    """Return the capture with its headers only."""
    return replace(redacted, request_body=None, response_body=None)
