"""Which dialect reads an exchange: by host and path, from the provider files found in `providers`.

- A host that a provider claims is read by that provider's dialects, then by those that are recognised anywhere.
- On any other host the path alone decides, among the dialects that are recognised `anywhere`. There the reader is the
  union of what all known speakers of that API do: their places for usage, their names for counts, their clocks. Which
  engine it was shows in the response.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from pkgutil import iter_modules
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from mitmeter.exchange import Headers
from mitmeter.usage import providers
from mitmeter.usage.dialect import Clock, Counts, Dialect, Figure, Named, Provider, Sign, union

PLACES = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "total_tokens",
)


class Match(Struct, frozen=True, eq=False):
    """Who reads an exchange. `clocks` and `signs` name the engine that a response may turn out to come from."""

    provider: str
    dialect: Dialect
    clocks: tuple[tuple[Clock, str], ...] = ()
    signs: tuple[tuple[Sign, str], ...] = ()

    def engine(self, headers: Headers, timed_by: Callable[[Clock], bool] | None) -> str | None:
        """Return the engine that a response's headers or timings show, else whoever claims the host or the path."""
        lower = [(name.lower(), value) for name, value in headers] if self.signs else []
        for sign, engine in self.signs:
            if any(name == sign.header and sign.contains in value.lower() for name, value in lower):
                return engine
        timed = (engine for clock, engine in self.clocks if timed_by is not None and timed_by(clock))
        return next(timed, None) or self.provider or None

    def takes(self, content_type: str) -> bool:
        """Say whether a request of this Content-Type (empty if there is none) is for this dialect."""
        asked_as = self.dialect.asked_as
        return not asked_as or not content_type or content_type.partition(";")[0].strip().lower() in asked_as

    def path_model(self, path: str) -> str | None:
        """Return the model that the request path names, which some clients quote twice."""
        found = re.search(self.dialect.path_model, path) if self.dialect.path_model else None
        return unquote(unquote(found.group("model"))) if found else None

    def path_id(self, path: str) -> str | None:
        """Return the id of the stored answer that the request path names."""
        for pattern in self.dialect.paths:
            if "?P<id>" in pattern and (found := re.search(f"(?:{pattern})/?$", path)):
                return unquote(found.group("id"))
        return None


@cache
def discover() -> tuple[Provider, ...]:
    """Import every provider file, in the order of their names."""
    found = sorted(module.name for module in iter_modules(providers.__path__, f"{providers.__name__}."))
    return tuple(import_module(name).PROVIDER for name in found)


def widened(dialect: Dialect, known: tuple[Provider, ...]) -> Dialect:
    """Return the dialect with the places and clocks of every provider that speaks the same API."""
    counts: Counts = dialect.counts
    usage = dialect.usage
    for provider in known:
        for other in provider.dialects:
            if other.api == dialect.api:
                usage = union(tuple(place for place in other.usage if place not in dialect.usage), usage)
                counts = counts.also(**{name: getattr(other.counts, name) for name in PLACES})
    clocks = dict.fromkeys((*dialect.clocks, *(clock for provider in known for clock in provider.clocks)))
    costs = dict.fromkeys((*dialect.costs, *(figure for provider in known for figure in provider.costs)))
    took = dict.fromkeys((*dialect.took, *_headers()))
    named: dict[Named, None] = dict.fromkeys((*dialect.sessions, *(one for who in known for one in who.sessions)))
    return replace(
        dialect,
        usage=usage,
        counts=counts,
        clocks=tuple(clocks),
        costs=tuple(costs),
        took=tuple(took),
        sessions=tuple(named),
    )


@cache
def _headers() -> tuple[Figure, ...]:
    """Return the headers in which anybody says how long it took: gateways pass them on, and each has its own name."""
    return tuple(dict.fromkeys(figure for provider in discover() for figure in provider.took))


def _own(dialect: Dialect, provider: Provider) -> Dialect:
    """Return a provider's dialect with what holds for all of them."""
    return replace(
        dialect,
        clocks=tuple(dict.fromkeys((*dialect.clocks, *provider.clocks))),
        costs=(*dialect.costs, *provider.costs),
        took=tuple(dict.fromkeys((*dialect.took, *provider.took, *_headers()))),
        sessions=tuple(dict.fromkeys((*provider.sessions, *dialect.sessions))),
    )


def _claims(dialect: Dialect, method: str, path: str, upgrades: bool) -> bool:
    if (dialect.socket is not None) != upgrades:
        return False
    return method in dialect.methods and any(re.search(f"(?:{pattern})/?$", path) for pattern in dialect.paths)


@cache
def _anywhere() -> tuple[Match, ...]:
    known = discover()
    engines = [provider for provider in known if not provider.hosts]
    clocks = tuple((clock, engine.name) for engine in engines for clock in engine.clocks)
    signs = tuple((sign, engine.name) for engine in engines for sign in engine.signs)
    return tuple(
        Match(provider.name, widened(dialect, known), clocks, signs)
        for provider in known
        for dialect in provider.dialects
        if dialect.anywhere
    )


@cache
def _at(provider: Provider) -> tuple[Match, ...]:
    own = tuple(Match(provider.name, _own(dialect, provider)) for dialect in provider.dialects)
    return own + tuple(replace(match, provider=provider.name, clocks=(), signs=()) for match in _anywhere())


@lru_cache(maxsize=4096)
def find(method: str, host: str, path: str, upgrades: bool = False) -> Match | None:
    """Return who reads a request, None where nobody does.

    `path` has no query, `upgrades` says that the request opens a WebSocket. The first dialect whose path fits wins, so
    a provider lists the longer path first where one ends like another.
    """
    provider = owner(host)
    if provider is not None:
        return next((match for match in _at(provider) if _claims(match.dialect, method, path, upgrades)), None)
    return next((match for match in _anywhere() if _claims(match.dialect, method, path, upgrades)), None)


@cache
def named(name: str) -> Provider:
    """Return the provider of this name; one that nobody knows is nothing but its name."""
    return next((provider for provider in discover() if provider.name == name), Provider(name=name))


@cache
def _hosts() -> tuple[re.Pattern[str], tuple[Provider, ...]]:
    """Return one pattern of all hosts, in which the name of a group ends with the number of its provider."""
    owners = tuple(provider for provider in discover() if provider.hosts)
    groups = (f"(?P<p{number}>{'|'.join(provider.hosts)})" for number, provider in enumerate(owners))
    return re.compile("|".join(groups), re.IGNORECASE), owners


@lru_cache(maxsize=4096)
def owner(host: str) -> Provider | None:
    """Return the provider whose host this is, None where nobody claims it."""
    pattern, owners = _hosts()
    found = pattern.fullmatch(host)
    return owners[int((found.lastgroup or "")[1:])] if found else None
