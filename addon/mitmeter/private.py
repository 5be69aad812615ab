"""Folders and files that only their owner can enter and read, whatever the umask."""

import os
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder, and the parents it lacks, 0700; one that exists is left as it is. Raises OSError."""
    if folder.is_dir():
        return
    if not folder.parent.exists():
        make_folder(folder.parent)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if folder.is_dir():
            return
        raise
    folder.chmod(0o700)


def create(path: Path, flags: int = os.O_WRONLY) -> int:
    """Make a file that is not there yet, 0600, and return its descriptor; raises FileExistsError and other OSErrors.

    A symbolic link in its place is something that is there.
    """
    fd = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(fd, 0o600)
    return fd
