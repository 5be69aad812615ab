"""Payload bytes -> the members of a document that a dialect names, as plain dicts and lists.

Members at the root that no path of the dialect starts with are skipped unread, which is most of an embedding, an image
or a long request. A payload that the strict decoder refuses (NaN, half of a surrogate pair, bytes that are not UTF-8)
is tried once more by the tolerant one. A top-level array is a list of such documents.
"""

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypedDict

import msgspec

from mitmeter.exchange import Message
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.paths import path
from mitmeter.usage.settings import MEMBERS

ERROR_MEMBERS = (
    *("error", "errors", "message", "Message", "detail", "code", "object", "type", "error_type", "error_code"),
)

# Some servers call a stream of lines a document.
LINES = 10_000

type Decode = Callable[[bytes], Any]


class NotADocument(ValueError):
    """The payload is no JSON at all."""


def members(paths: Iterable[str]) -> frozenset[str]:
    """Return the root members that the paths start with."""
    return frozenset(path(text)[0] for text in paths if text)


@lru_cache(maxsize=512)
def decoder(roots: frozenset[str], unread: frozenset[str] = frozenset()) -> Decode:
    """Return a function from payload bytes to dict, list of dicts, or scalar; it raises NotADocument.

    Elements of the lists that are `unread` come as they are written.
    """
    written = list[msgspec.Raw] | str | None
    fields = dict.fromkeys(sorted(roots), Any) | dict.fromkeys(sorted(unread), written)
    document = TypedDict("document", fields, total=False)  # type: ignore[misc]
    one = msgspec.json.Decoder(document)
    many = msgspec.json.Decoder(list[Any])

    def decode(payload: bytes) -> Any:
        strict = many if payload.lstrip()[:1] == b"[" else one
        try:
            return strict.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return tolerant(payload)

    return decode


def tolerant(payload: bytes) -> Any:
    """Decode JSON with NaN, lone surrogates and broken UTF-8, or lines of it as a list; raises NotADocument."""
    text = payload.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = text.split("\n", LINES) if text[:1] == "{" else ()
        if not 1 < len(lines) <= LINES:
            raise NotADocument(str(error)) from error
    try:
        return [json.loads(line) for line in lines if line.strip()]
    except (ValueError, RecursionError) as error:
        raise NotADocument(str(error)) from error


def at_root(dialect: Dialect) -> list[str]:
    """Return the places of counts and timings that stand in the document itself."""
    places = [place for clock in dialect.clocks if not clock.at for place in clock.places()]
    return [*places, *(dialect.counts.places() if "" in dialect.usage else ())]


@lru_cache(maxsize=256)
def response_decoder(dialect: Dialect) -> Decode:
    """Return the decoder for the response messages of a dialect."""
    named = [*dialect.usage, *dialect.model, *dialect.finish, *dialect.service_tier, *dialect.response_id]
    named += [dialect.type_at, *dialect.errors, *(clock.at for clock in dialect.clocks), *at_root(dialect)]
    for part in (*dialect.parts, *dialect.reply):
        named += [part.at, *part.key]
    named += ["index"] if dialect.several else []
    return decoder(members(named) | set(ERROR_MEMBERS))


@lru_cache(maxsize=64)
def opener(envelope: str) -> Callable[[Message], Message]:
    """Return a function that takes a message out of its envelope; one that is in none stays as it is."""
    wrapped = TypedDict("wrapped", {envelope: bytes})  # type: ignore[misc]
    decode: Decode = msgspec.json.Decoder(wrapped).decode

    def opened(message: Message) -> Message:
        try:
            return Message(decode(message.data)[envelope], message.event, message.end)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return message

    return opened


@lru_cache(maxsize=256)
def request_decoder(dialect: Dialect) -> Decode:
    """Return the decoder for the request bodies of a dialect: the model, what was asked for, messages as written."""
    named = [*dialect.request_model, *dialect.system, *(named.at for named in dialect.sessions), "stream"]
    named += dialect.prompt.continues
    turns = members(at for at in dialect.turns if "." not in at)
    return decoder((members(named) | members(dialect.turns) | MEMBERS) - turns, turns)
