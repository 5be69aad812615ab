"""`/api/captures/ID`: what was sent and received, in llama-swap's shape, in full, to download; and its end."""

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import asdict

from mitmeter import retention
from mitmeter.archive.frame import llama_swap_frame
from mitmeter.archive.record import Record, RecordError, six_keys
from mitmeter.conversation import Conversation, Turn, of_capture
from mitmeter.dashboard.curl import curl
from mitmeter.dashboard.desk import Desked
from mitmeter.dashboard.entry import entry
from mitmeter.dashboard.source import Source, Unreadable
from mitmeter.export.jsonl import capture_json
from mitmeter.store.rows import Row
from mitmeter.store.schema import SchemaError
from mitmeter.store.sqlite import Store
from mitmeter.usage.block import ENCODED, Block, described

OCTETS = "application/octet-stream"
# Each view with the ending of a file's name where it is a download.
VIEWS = {"": "", "full": "", "json": "json", "frame": "zst", "request": "bin", "response": "bin"}
LARGEST = 2**63 - 1

type Found = tuple[Row, Record | None, str | None]
type Answer = tuple[int, bytes | str]


class Captures(Desked):
    """One capture."""

    async def get(self, ident: str) -> None:
        """Send it in the view that is asked for."""
        view = self.get_query_argument("view", "")
        if view not in VIEWS:
            self.refuse(400, f"view is one of {', '.join(filter(None, VIEWS))}")
            return
        await self._answer(ident, lambda source, number: _seen(source, number, view), view)

    async def delete(self, ident: str) -> None:
        """Forget it for good."""
        await self._answer(ident, _forgotten, "")

    async def _answer(self, ident: str, work: Callable[[Source, int], Answer], view: str) -> None:
        number = int(ident) if ident.removeprefix("-").isdecimal() and ident.isascii() and len(ident) < 20 else None
        if number is None:
            self.refuse(400, "invalid capture ID")
            return
        try:
            answer = await self.desk.captures.ask(lambda source: work(source, min(number, LARGEST)), self.gone)
        except Unreadable as error:
            self.refuse(503, str(error))
            return
        status, body = answer or (404, "capture not found")
        if isinstance(body, str):
            self.refuse(status, body)
            return
        if VIEWS[view]:
            name = f"mitmeter-{number}-{view}.{VIEWS[view]}"
            self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        if view in ("frame", "request", "response"):
            self.send(body, OCTETS)
        else:
            self.send(body)


def _found(source: Source, ident: int) -> Found | None:
    row = source.metered.row(ident)
    if row is None:
        return None
    try:
        return row, source.metered.capture(ident), None
    except (OSError, RecordError) as error:
        return row, None, str(error)


def _seen(source: Source, ident: int, view: str) -> Answer:
    found = _found(source, ident)
    if found is None:
        return 404, "capture not found"
    row, record, wrong = found
    if view in ("full", "json"):
        return 200, msgspec.json.encode(full(row, record, wrong))
    if record is None:
        return (404, "capture not found") if wrong is None else (500, f"the capture cannot be read: {wrong}")
    if view == "frame":
        return 200, llama_swap_frame(record)
    if view:
        body: bytes | None = getattr(record.capture, f"{view}_body")
        return (404, f"no {view} body is kept") if body is None else (200, body)
    return 200, msgspec.json.encode(six_keys(record))


def full(row: Row, record: Record | None, wrong: str | None) -> dict[str, Any]:
    """Return the entry with all that is known of its capture."""
    if record is None:
        more = dict.fromkeys(("conversation", "conversation_left_out", "timeline", "curl"))
        return {**entry(row), "capture": None, "capture_error": wrong, **more}
    said = of_capture(row.exchange, record.capture)
    return {
        **entry(row),
        "capture": capture_json(record),
        "capture_error": None,
        "conversation": messages(said),
        "conversation_left_out": said.left_out,
        "timeline": record.capture.timeline or None,
        "curl": curl(record.capture),
    }


def messages(said: Conversation) -> list[dict[str, Any]] | None:
    """Return the messages of a conversation, the reply last; None where there are none."""
    reply = (Turn("assistant", said.reply),) if said.reply else ()
    told = [
        {"role": turn.role, "blocks": [_block(one, turn.new) for one in turn.blocks]} for turn in said.turns + reply
    ]
    return told or None


def _block(block: Block, new: bool) -> dict[str, Any]:
    text = described(block) if block.kind in ENCODED else block.text
    return {**asdict(block), "text": text, "new": new}


def _forgotten(source: Source, ident: int) -> Answer:
    if source.folder is None:
        return 405, "what a fleet has is deleted there, see docs/fleet.md"
    row = source.metered.row(ident)
    if row is None or not row.has_capture:
        return 404, "capture not found"
    try:
        with Store(source.folder / "meter.db") as store:
            told = retention.prune(source.folder, store, [ident], rows=False)
    except (OSError, SchemaError, sqlite3.Error) as error:
        return 503, str(error)
    if told.held:
        return 409, "a proxy is still writing the file that it lies in: sealed when full, after an hour, or at its end"
    return 200, msgspec.json.encode({"msg": "ok", "captures": told.captures, "freed_bytes": told.freed_bytes})
