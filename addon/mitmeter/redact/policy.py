"""What a user adds to the rules: names of headers, and whether personal data goes too."""

from msgspec import Struct


class Policy(Struct, frozen=True, cache_hash=True):
    """`keep` and `redact` are lower-case names of headers, of which `redact` has the last word; `pii` is opt-in."""

    keep: frozenset[str] = frozenset()
    redact: frozenset[str] = frozenset()
    pii: bool = False


DEFAULT = Policy()
