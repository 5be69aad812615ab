"""`mitmeter export`: what is chosen, in a format of another tool, into a file that is there whole or not at all."""

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import mitmeter
from mitmeter.archive.frame import llama_swap_frame
from mitmeter.archive.record import Record
from mitmeter.export import chat, har, jsonl
from mitmeter.store.rows import Row

type Format = Literal["jsonl", "har", "flows", "frame", "chat"]
type Captured = tuple[Row, Record | None]

FORMATS: tuple[Format, ...] = ("jsonl", "har", "flows", "frame", "chat")


@contextlib.contextmanager
def destination(path: Path | None) -> Iterator[BinaryIO]:
    """Open a file that takes its name (0600) once it is complete, or standard output; raises OSError."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(fd)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def write(file: BinaryIO, form: Format, found: Iterator[Captured]) -> tuple[int, int]:
    """Write exchanges in a format; how many were, and how many could not be. Raises OSError.

    All but `jsonl` need captures. `frame` holds one capture: raises ValueError where there is another number.
    """
    match form:
        case "har":
            return _har(file, found)
        case "frame":
            return _frame(file, found)
    turned = {"jsonl": _jsonl, "chat": _chat, "flows": _flow}[form]
    written = left = 0
    for row, record in found:
        done = turned(file, row, record)
        written, left = written + done, left + (not done)
    return written, left


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


def _jsonl(file: BinaryIO, row: Row, record: Record | None) -> bool:
    file.write(_line(jsonl.exchange(row, record)))
    return True


def _chat(file: BinaryIO, row: Row, record: Record | None) -> bool:
    told = None if record is None else chat.conversation(row, record)
    if told is not None:
        file.write(_line(told))
    return told is not None


def _flow(file: BinaryIO, row: Row, record: Record | None) -> bool:
    from mitmeter import flows

    if record is not None:
        flows.write_flow(file, flows.rebuilt(row.exchange, record.capture))
    return record is not None


def _har(file: BinaryIO, found: Iterator[Captured]) -> tuple[int, int]:
    written = left = 0
    file.write((har.HEAD % mitmeter.__version__).encode())
    for row, record in found:
        if record is None:
            left += 1
            continue
        file.write((har.BETWEEN if written else "").encode() + _line(har.entry(row, record)).rstrip())
        written += 1
    file.write(har.TAIL.encode())
    return written, left


def _frame(file: BinaryIO, found: Iterator[Captured]) -> tuple[int, int]:
    kept: list[Record | None] = []
    for _, record in found:
        kept.append(record)
        if len(kept) > 1:
            break
    if len(kept) != 1:
        raise ValueError("a frame holds one capture: name one ID")
    if kept[0] is None:
        raise ValueError("this exchange has no capture that can be read")
    file.write(llama_swap_frame(kept[0]))
    return 1, 0
