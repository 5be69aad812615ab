"""Body bytes as a provider would put them on the wire: codings flushed per event, and pieces of any size."""

import zlib
from collections.abc import Callable, Iterator

import brotli  # type: ignore[import-untyped,unused-ignore]  # ships no types
import zstandard


def _deflating(window: int) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    packer = zlib.compressobj(wbits=window)
    return lambda data: packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH), packer.flush


def encoder(coding: str) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    """A pair: encode one event and flush it, and end the body."""
    match coding:
        case "":
            return lambda data: data, lambda: b""
        case "gzip":
            return _deflating(31)
        case "deflate":
            return _deflating(15)
        case "br":
            squeeze = brotli.Compressor(quality=4)
            return lambda data: squeeze.process(data) + squeeze.flush(), squeeze.finish
        case "zstd":
            frame = zstandard.ZstdCompressor().compressobj()
            return (
                lambda data: frame.compress(data) + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK),
                lambda: frame.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH),
            )
        case _:
            raise ValueError(f"x-shape: coding={coding}")


def encoded(events: list[bytes], coding: str) -> list[bytes]:
    """The events, each encoded and flushed; what ends the coding is joined to the last one."""
    encode, end = encoder(coding)
    pieces = [encode(event) for event in events]
    if tail := end():
        pieces[-1:] = [pieces[-1] + tail]
    return pieces


def split(piece: bytes, size: int) -> Iterator[bytes]:
    """The piece, or with a `size` its runs of that many bytes."""
    step = size or len(piece) or 1
    for start in range(0, len(piece), step):
        yield piece[start : start + step]
