"""Room on the disk for rows: captures stop well before it is full, and what was put by is given up when it is."""

import contextlib
import os
from pathlib import Path

from mitmeter import private

KEPT_BYTES, KEPT_SHARE = 64 << 20, 4
PUT_BY_BYTES, PUT_BY_SHARE = 4 << 20, 8
NAME = "reserve"


class NoRoom(OSError):
    """Captures are not kept: what is left of the disk is for rows."""


class Reserve:
    """The room on the disk of one folder. On a small disk it is a share of it that is kept.

    A few MB are put by in a file, since others fill disks, too: given up, they hold thousands of rows.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME
        self._left = 0

    def take(self, size: int) -> None:
        """Take room for a capture of at most this many bytes; raises NoRoom where that is wanted for rows."""
        if size > self._left:
            free, total = self._free()
            self._left = free - min(KEPT_BYTES, total // KEPT_SHARE)
            if size > self._left:
                raise NoRoom(f"the disk is nearly full, {free >> 20} MiB are left: captures wait, rows do not")
        self._left -= size

    def put_by(self) -> bool:
        """Fill the file where that leaves room enough, and say whether it is filled. Raises OSError."""
        if self._path.exists() and self._path.stat().st_size:
            return True
        free, total = self._free()
        size = min(PUT_BY_BYTES, total // PUT_BY_SHARE)
        if free < 2 * min(KEPT_BYTES, total // KEPT_SHARE):
            return False
        with contextlib.suppress(FileExistsError):
            os.close(private.create(self._path))
        handle = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(size))  # some filesystems do not store zeros
        return True

    def give_up(self) -> None:
        """Empty the file. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            os.truncate(self._path, 0)

    def _free(self) -> tuple[int, int]:
        told = os.statvfs(self._folder)
        return told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize
