"""The reply as a person reads it: deltas put together, in the order in which their blocks began."""

import json
from collections.abc import Iterable
from typing import Any

from mitmeter.exchange import Message
from mitmeter.usage.block import Block, decoded_size, whole
from mitmeter.usage.dialect import Dialect, Part
from mitmeter.usage.documents import NotADocument, opener, response_decoder
from mitmeter.usage.paths import dig, element_key, path
from mitmeter.usage.pieces import pieces

TOOL = ("tool", "arguments")
STRUCTURED = ("arguments", "result")
FAMILIES = {**dict.fromkeys(TOOL, "tool"), "result": "tool_result"}


class Reply:
    """Puts a reply together from the messages of one response. Nothing raises; at most `limit` characters are kept."""

    def __init__(self, dialect: Dialect, *, streaming: bool, limit: int = 1 << 20) -> None:
        self._decode = response_decoder(dialect)
        self._opened = opener(dialect.envelope) if dialect.envelope else None
        self._number = 0
        self._parts = dialect.parts if streaming else dialect.reply
        self._pieces: dict[tuple[Any, ...], dict[str, list[str]]] = {}
        self._several = dialect.several
        self._grows = dialect.grows
        self._room = limit
        self.cut = 0  # characters that were left out

    def feed(self, messages: Iterable[Message]) -> None:
        """Take the next messages."""
        for message in messages if self._opened is None else map(self._opened, messages):
            try:
                document = self._decode(message.data)
            except NotADocument:
                continue
            for place, one in enumerate(document if isinstance(document, list) else (document,)):
                if isinstance(one, dict):
                    self._take(one, (element_key(one, place),) if self._several else ())

    def _take(self, document: dict[str, Any], answer: tuple[int, ...]) -> None:
        self._number += 1
        said: set[tuple[Any, ...]] = set()
        for part, key, value in pieces(document, self._parts):
            # Some servers send a thought under the names of two APIs at once.
            if isinstance(value, str) and (part.kind, key, value) in said:
                continue
            if isinstance(value, str):
                said.add((part.kind, key, value))
            prefix = tuple(dig(document, path(name)) for name in part.key)
            if part.whole:
                prefix = (self._number, *prefix)
            self._add(part, (*answer, *prefix, *key), value)

    def _add(self, part: Part, key: tuple[Any, ...], value: Any) -> None:
        if not isinstance(value, str):
            if part.kind not in STRUCTURED or not isinstance(value, dict | list):
                return
            value = json.dumps(value, ensure_ascii=False)
        if not value:
            return
        family = FAMILIES.get(part.kind) or (part.medium if part.kind == "media" else part.kind)
        known = self._pieces.setdefault((family, repr(key)), {}).setdefault(part.kind, [])
        if self._grows and known and value.startswith(before := "".join(known)):
            value = value[len(before) :]
        kept = value[: self._room]
        self._room -= len(kept)
        self.cut += len(value) - len(kept)
        known.append(kept)

    def blocks(self) -> list[Block]:
        """Return what came so far."""
        return [_block(family, kinds) for (family, _), kinds in self._pieces.items()]


def _block(family: str, kinds: dict[str, list[str]]) -> Block:
    if family == "tool":
        name, arguments = ("".join(kinds.get(kind, ())) for kind in TOOL)
        return Block("tool", whole(arguments), name=whole(name) or None)
    if "media" in kinds:
        return Block(family, size=decoded_size(sum(map(len, kinds["media"]))))
    return Block(family, whole("".join(text for said in kinds.values() for text in said)))
