"""A single capture in the form that llama-swap stores and opens: one zstd frame around one CBOR map of six keys."""

import zstandard

from mitmeter.archive.record import Record, RecordError, decode, encode_six

LIMIT_BYTES = 256 * 2**20

# One zstd block of 4 bytes can stand for 128 KiB, so a step of this many bytes yields at most 16 MiB.
_STEP_BYTES = 512


def llama_swap_frame(record: bytes | Record) -> bytes:
    """A record, encoded or decoded, as a zstd frame (checksum on) of llama-swap's six keys and nothing else.

    Raises RecordError where the bytes are not a record.
    """
    if not isinstance(record, Record):
        record = decode(record)
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(encode_six(record))


def from_llama_swap_frame(frame: bytes, limit_bytes: int = LIMIT_BYTES) -> Record:
    """Read one such frame; keys past the six are read as `decode` does.

    Raises RecordError where it is not one whole zstd frame, where its checksum is wrong, where it holds more than
    `limit_bytes`, and where its content is not a record.
    """
    return decode(_inflate(frame, limit_bytes))


def _inflate(frame: bytes, limit_bytes: int) -> bytes:
    # A bounded step at a time: the content size that a frame declares is not to be trusted with an allocation.
    inflater = zstandard.ZstdDecompressor().decompressobj()
    out = bytearray()
    for start in range(0, len(frame), _STEP_BYTES):
        try:
            out += inflater.decompress(frame[start : start + _STEP_BYTES])
        except zstandard.ZstdError as error:
            raise RecordError(f"not a zstd frame: {error}") from error
        if len(out) > limit_bytes:
            raise RecordError(f"the frame holds more than {limit_bytes} bytes")
        if inflater.eof:
            unused = len(inflater.unused_data) + max(0, len(frame) - start - _STEP_BYTES)
            if unused:
                raise RecordError(f"{unused} bytes follow the zstd frame")
            return bytes(out)
    raise RecordError("the zstd frame ends too early")
