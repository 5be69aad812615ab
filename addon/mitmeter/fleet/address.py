"""Where a fleet's ClickHouse is: `clickhouse://user@host:8443/database?secure=1`, and its password from elsewhere.

A URL shows in process lists and option screens, so a password in it is refused: it is read from the environment or
from a file. `http`, `https` and `chdb` (the engine inside this process) are known schemes too.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

SCHEMES = ("clickhouse", "clickhouses", "http", "https", "chdb")
PASSWORD, PASSWORD_FILE = "MITMETER_CLICKHOUSE_PASSWORD", "MITMETER_CLICKHOUSE_PASSWORD_FILE"
DATABASE = "mitmeter"
FLAGS = ("secure", "verify", "replicated")
DAYS = ("row_days", "body_days")
TEXTS = ("ca_cert", "client_cert", "client_cert_key", "cluster", "password_file")


class Address(Struct, frozen=True, kw_only=True):
    """A ClickHouse and the database in it. `path` is the folder of an engine inside this process.

    `cluster`, `replicated` and the days that rows and bodies are kept say how tables are made; `password_file` is read
    whenever a connection is made.
    """

    host: str = ""
    port: int = 0
    user: str = "default"
    database: str = DATABASE
    path: str | None = None
    secure: bool = False
    verify: bool = True
    ca_cert: str | None = None
    client_cert: str | None = None
    client_cert_key: str | None = None
    cluster: str | None = None
    replicated: bool = False
    row_days: int = 0
    body_days: int = 0
    password_file: str | None = None

    def __str__(self) -> str:
        """Return what may be told: it holds no secret."""
        if self.path is not None:
            return f"chdb://{self.path}?database={self.database}"
        return f"clickhouse://{self.user}@{self.host}:{self.port}/{self.database}"

    def password(self, environment: Mapping[str, str] = os.environ) -> str:
        """Read the password, empty where none is given; raises OSError where its file cannot be read."""
        named = self.password_file or environment.get(PASSWORD_FILE)
        if named:
            return Path(named).expanduser().read_text(encoding="utf-8").strip()
        return environment.get(PASSWORD, "")


def is_address(text: str) -> bool:
    """Say whether a text is meant as a URL, not as a folder."""
    return "://" in text


def address(text: str) -> Address:
    """Read a URL; raises ValueError that says what is accepted, and never shows a password."""
    parts = urlsplit(text)
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        raise ValueError(f"{scheme}:// is not known; accepted are {', '.join(f'{name}://' for name in SCHEMES)}")
    if parts.password is not None:
        raise ValueError(
            f"a password does not belong in a URL; accepted are ${PASSWORD}, ${PASSWORD_FILE}, ?password_file="
        )
    given = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    known = ("database", *FLAGS, *DAYS, *TEXTS)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"?{unknown[0]}= is not known; accepted are {', '.join(known)}")
    flags: dict[str, Any] = {name: _flag(name, given[name]) for name in FLAGS if name in given}
    flags |= {name: _days(name, given[name]) for name in DAYS if name in given}
    texts: dict[str, Any] = {name: given[name] for name in TEXTS if given.get(name)}
    if scheme == "chdb":
        return Address(path=unquote(parts.path), database=given.get("database") or DATABASE, **flags, **texts)
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"the port of {parts.hostname}: {error}") from error
    secure = flags.pop("secure", scheme in ("https", "clickhouses") or port in (443, 8443))
    return Address(
        host=parts.hostname or "localhost",
        port=port or (8443 if secure else 8123),
        user=unquote(parts.username or "default"),
        database=given.get("database") or unquote(parts.path.strip("/")) or DATABASE,
        secure=secure,
        **flags,
        **texts,
    )


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("0", "1", "true", "false", "yes", "no"):
        raise ValueError(f"?{name}={text}: accepted are 1 and 0")
    return text.lower() in ("1", "true", "yes")


def _days(name: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 5:
        raise ValueError(f"?{name}={text}: accepted is a number of days, or 0 for ever")
    return int(text)
