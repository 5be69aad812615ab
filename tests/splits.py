"""Ways to cut bytes into pieces: what arrives in one read is up to the network and must not change what is read."""

from collections.abc import Iterator
from itertools import pairwise

_EVERY_CUT_BELOW = 4096
_SAMPLES = 64
_PIECE = 7


def splits(data: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Yields (name, pieces): whole, byte by byte, in 7-byte pieces, and cut in two everywhere (sampled past 4 kB)."""
    yield "whole", [data]
    yield "per byte", pieces(data, 1)
    yield f"per {_PIECE} bytes", pieces(data, _PIECE)
    step = 1 if len(data) <= _EVERY_CUT_BELOW else len(data) // _SAMPLES
    for at in range(1, len(data), step):
        yield f"cut at {at}", [data[:at], data[at:]]


def pieces(data: bytes, size: int) -> list[bytes]:
    """The data in pieces of `size` bytes."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def cut_at(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut at the given offsets, taken modulo its length; may hold empty pieces."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]
