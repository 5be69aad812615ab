"""What joins the turns of one conversation: the id that the client sends for it, else how the conversation began.

Clients that name their session do so in a header or a member of the body. Header names follow a convention, by which
most are recognised (https://docs.litellm.ai/docs/proxy/request_headers): `x-session-id`, `x-<client>-session-id`,
`session_id`, `conversation-id`, `x-session-affinity`, `x-<client>-session`. Whoever names none resends the whole
conversation: its system prompt and the first message of its user are the same in every turn; or only what is new, with
the id of the response before, where the server keeps that.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from mitmeter.exchange import Headers
from mitmeter.usage.dialect import Dialect, Named
from mitmeter.usage.paths import dig, path

LONGEST_ID = 512
LONGEST_TEXT = 1 << 16
LEADING = 16

_NAMED = re.compile(r"(?:[a-z0-9]+[-_])*(?:session|conversation)[-_]id|x-session-affinity|x-[a-z0-9]+-session")
# Of a connection, a login, or the conversation that this one is a part of.
_ANOTHER = re.compile(r"(?:^|[-_])(?:parent|mcp|auth|login|sso|browser|device|user)(?:$|[-_])")


class Thread(Struct, frozen=True):
    """`ident` is the client's own id of the conversation, `beginning` the texts that it begins with.

    `follows` is the id of the response that it goes on from, which holds the rest of it.
    """

    ident: str | None = None
    beginning: tuple[str, ...] = ()
    follows: str | None = None


def read_thread(dialect: Dialect, headers: Headers, document: Any, preferred: Iterable[str] = ()) -> Thread:
    """Return what a request tells of its conversation; `preferred` are the user's own names of headers, lower case."""
    ident = _in_headers(headers, preferred)
    if not isinstance(document, dict):
        return Thread(ident)
    ident = ident or next(filter(None, (_stands(document, named) for named in dialect.sessions)), None)
    return Thread(ident) if ident else Thread(None, _beginning(dialect, document), _follows(dialect, document))


@lru_cache(maxsize=1024)
def names_session(name: str) -> bool:
    """Say whether a header of this lower-case name holds the id of a conversation."""
    return _NAMED.fullmatch(name) is not None and _ANOTHER.search(name) is None


@lru_cache(maxsize=1024)
def may_name_session(name: str) -> bool:
    """Say the same of a name in any case."""
    return names_session(name.lower())


def _in_headers(headers: Headers, preferred: Iterable[str]) -> str | None:
    if not preferred and not any(may_name_session(name) for name, _ in headers):
        return None
    fields = {name.lower(): value.strip() for name, value in reversed(headers)}
    named = sorted(filter(names_session, fields), key=lambda name: ("affinity" in name, name))
    return next((fields[name][:LONGEST_ID] for name in (*preferred, *named) if fields.get(name)), None)


def _stands(document: dict[str, Any], named: Named) -> str | None:
    value = dig(document, path(named.at))
    if not isinstance(value, str):
        return None
    found = re.search(named.pattern, value[:LONGEST_ID])
    return None if found is None else next(filter(None, found.groups()), found[0]).strip() or None


def _follows(dialect: Dialect, document: dict[str, Any]) -> str | None:
    for at in dialect.prompt.continues:
        ident = dig(document, path(at))
        if isinstance(ident, str) and 0 < len(ident) <= LONGEST_ID:
            return ident
    return None


def _beginning(dialect: Dialect, document: dict[str, Any]) -> tuple[str, ...]:
    """Return the system prompt and the user's first message; nothing where that is not there."""
    turns = next((turns for at in dialect.turns if (turns := dig(document, path(at)))), None)
    system = [next(filter(None, (_text(dig(document, path(at))) for at in dialect.system)), "")]
    if isinstance(turns, str):
        return (*system, turns[:LONGEST_TEXT])
    for turn in turns[:LEADING] if isinstance(turns, list) else ():
        role, text = _turn(turn)
        if role == "user" and text:
            return (*system, text)
        if role in ("system", "developer"):
            system.append(text)
    return ()


class _Piece(Struct):
    text: str = ""


class _Turn(Struct):
    role: str = "user"
    content: str | list[_Piece] | None = None
    parts: list[_Piece] | None = None


_DECODE = msgspec.json.Decoder(_Turn).decode


def _turn(turn: Any) -> tuple[Any, str]:
    """Return the role of a message and what it says, without what is no text, such as images, which stay unread."""
    if isinstance(turn, msgspec.Raw):
        try:
            decoded = _DECODE(turn)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            try:
                turn = msgspec.json.decode(turn)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return "", ""
        else:
            return decoded.role, _said(decoded)
    if isinstance(turn, dict):
        return turn.get("role", "user"), _text(turn)
    return ("user", _text(turn)) if isinstance(turn, str) else ("", "")


def _said(turn: _Turn) -> str:
    content = turn.content
    text = content if isinstance(content, str) else _joined(content)
    return (text or _joined(turn.parts))[:LONGEST_TEXT]


def _joined(pieces: list[_Piece] | None) -> str:
    return "\n".join([piece.text[:LONGEST_TEXT] for piece in pieces or () if piece.text])


def _text(value: Any) -> str:
    """Return what a prompt says: a text, blocks of text, or an object that holds either."""
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, list):
        return "\n".join(filter(None, map(_text, value)))[:LONGEST_TEXT]
    if isinstance(value, dict):
        return next(filter(None, (_text(value.get(name)) for name in ("text", "content", "parts"))), "")
    return ""
