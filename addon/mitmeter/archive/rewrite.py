"""A sealed segment written anew without some of its records: what is deleted for good is not merely forgotten."""

import os
import secrets
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import zstandard

from mitmeter import private
from mitmeter.archive.content import sync
from mitmeter.archive.segments import PARAMETERS, SUFFIX, SegmentError, SegmentReader
from mitmeter.exchange import Place

UNFINISHED = ".new"


def rewrite(folder: Path, segment: str, kept: Iterable[Place]) -> tuple[Path, dict[int, Place]]:
    """Write the records at these places, and no others, to a file of its own, and have that on the disk.

    Returns the file, which is not yet under its name (without `UNFINISHED`), and by its old offset the new place of
    each record; one that cannot be read has none. Raises OSError where it cannot be written; nothing is then left.
    """
    old = folder / segment
    name = f"{segment.removesuffix(SUFFIX).rpartition('-')[0]}-{secrets.token_hex(2)}{SUFFIX}"
    path = folder / (name + UNFINISHED)
    fd = private.create(path)
    with ExitStack() as undo:
        undo.callback(path.unlink, missing_ok=True)
        with os.fdopen(fd, "wb") as file:
            compressor = zstandard.ZstdCompressor(compression_params=PARAMETERS).compressobj()
            moved: dict[int, Place] = {}
            offset = 0
            for place, record in SegmentReader(folder).passages(segment, kept):
                if isinstance(record, SegmentError):
                    continue
                file.write(compressor.compress(record))
                file.write(compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
                moved[place.offset] = Place(name, offset, place.size, place.checksum)
                offset += place.size
            file.write(compressor.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH))
        times = old.stat()
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        sync(path)
        undo.pop_all()
    return path, moved
