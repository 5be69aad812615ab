"""What a test asks of the stand-in, read from the request headers."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True)
class Steer:
    """One request's wishes; the names are those of the headers in the package's docstring."""

    first: float = 0.0
    gap: float = 0.0
    fault: str = ""
    at: int = 0
    coding: str = ""
    eol: bytes = b"\n"
    split: int = 0
    done: bool = True
    length: bool = False
    words: int = 24
    cookie: bool = False
    say: str = ""


def steer(headers: Mapping[str, str]) -> Steer:
    """Reads the headers; an unknown wish is an error, so that a test's typing mistake does not pass unseen."""
    fault, _, at = headers.get("x-fault", "").strip().partition(":")
    if fault not in {"", "cut", "reset", "hang", "error-event", "status", "html", "204", "no-headers", "silent"}:
        raise ValueError(f"x-fault: {fault}")
    shape: dict[str, str] = {}
    for wish in headers.get("x-shape", "").replace(";", ",").split(","):
        if wish.strip():
            name, _, value = wish.strip().partition("=")
            if name not in {"coding", "eol", "split", "no-done", "length", "words", "cookie"}:
                raise ValueError(f"x-shape: {name}")
            shape[name] = value
    return Steer(
        first=float(headers.get("x-pace-first", 0)) / 1000,
        gap=float(headers.get("x-pace-gap", 0)) / 1000,
        fault=fault,
        at=int(at or 0),
        coding=shape.get("coding", ""),
        eol={"crlf": b"\r\n", "cr": b"\r", "": b"\n"}[shape.get("eol", "")],
        split=int(shape.get("split", 0)),
        done="no-done" not in shape,
        length="length" in shape,
        words=int(shape.get("words", 24)),
        cookie="cookie" in shape,
        say=unquote(headers.get("x-say", "")),
    )
