"""The user's own prices: a TOML or JSON file of entries, of which the first that fits an exchange counts.

[[prices]]
model = "qwen3-*"             # of the response or the request; * and ? as in file names
provider = "my-engine"        # optional, as in rows
host = "gpu.example.com"      # optional
input = 0.20                  # US dollars for a million tokens
output = 0.60
cache_read = 0.02             # optional: else as input
cache_write = 0.25            # optional: else as input
"""

import json
import tomllib
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from msgspec import Struct, ValidationError, convert

from mitmeter.exchange import Exchange

MILLION = 1_000_000


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One price; the last four are US dollars for a million tokens."""

    input: float
    output: float
    model: str = "*"
    provider: str | None = None
    host: str | None = None
    cache_read: float | None = None
    cache_write: float | None = None

    def fits(self, model: str, provider: str | None, host: str) -> bool:
        """Say whether it is the price of a model."""
        at = self.provider in (None, provider) and (self.host is None or fnmatchcase(host.lower(), self.host.lower()))
        return at and fnmatchcase(model.lower(), self.model.lower())

    def of(self, exchange: Exchange) -> float | None:
        """Return what an exchange cost, None where its counts do not tell."""
        usage = exchange.usage
        if usage.input_tokens is None and usage.output_tokens is None:
            return None
        read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
        fresh = (usage.input_tokens or 0) - read - written
        if fresh < 0:
            return None
        cached = read * (self.input if self.cache_read is None else self.cache_read)
        cached += written * (self.input if self.cache_write is None else self.cache_write)
        return (fresh * self.input + cached + (usage.output_tokens or 0) * self.output) / MILLION


class Overrides:
    """The entries of a file."""

    def __init__(self, entries: tuple[Entry, ...] = ()) -> None:
        self._entries = entries
        self._entry = lru_cache(maxsize=1024)(self._find)

    def __call__(self, exchange: Exchange) -> float | None:
        """Return what an exchange cost, None where no entry fits."""
        if not self._entries:
            return None
        for model in dict.fromkeys((exchange.model, exchange.request_model)):
            entry = self._entry(model, exchange.provider, exchange.host) if model else None
            if entry is not None:
                return entry.of(exchange)
        return None

    def _find(self, model: str, provider: str | None, host: str) -> Entry | None:
        return next((entry for entry in self._entries if entry.fits(model, provider, host)), None)


def read(path: Path) -> Overrides:
    """Read a file; raises ValueError that says what is accepted."""
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        listed = found["prices"] if isinstance(found, dict) else found
        entries = convert(listed, tuple[Entry, ...])
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; accepted is a TOML or JSON file of prices") from error
    except (KeyError, ValidationError, ValueError) as error:
        wrong = "no list named prices" if isinstance(error, KeyError) else error
        raise ValueError(f"{path}: {wrong}; accepted are entries with model, input and output") from error
    for entry in entries:
        if any(price is not None and price < 0 for price in (entry.input, entry.output, entry.cache_read)):
            raise ValueError(f"{path}: {entry.model}: a price below 0")
    return Overrides(entries)
