"""What was dropped or failed: counted by name, and each name told once."""

import logging
import sqlite3
from collections import Counter

log = logging.getLogger("mitmeter")


class Said(Exception):
    """A failure in words of our own, which quote nothing of anybody's."""


class Mishaps:
    """`fresh` are those that are not in the database yet, `totals` all since the start."""

    def __init__(self) -> None:
        self.fresh: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self._told: set[str] = set()

    def count(self, name: str, number: int = 1) -> None:
        """Count what was dropped."""
        self.fresh[name] += number
        self.totals[name] += number

    def failed(self, name: str, error: Exception) -> None:
        """Count a failure, and report its first occurrence: what we, a system or a database say of it, else the type.

        Other errors may quote what they were about, which may be a body or a header.
        """
        speaks = isinstance(error, OSError | sqlite3.Error | Said)
        self.complain(name, f"{type(error).__name__}: {error}" if speaks else type(error).__name__)

    def complain(self, name: str, what: str, number: int = 1) -> None:
        """Count a failure, and report its first occurrence."""
        self.count(name, number)
        if name not in self._told:
            self._told.add(name)
            log.warning("mitmeter: %s (%s); counted from now on, see `mitmeter stats`", name, what)
