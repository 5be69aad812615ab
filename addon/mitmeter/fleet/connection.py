"""A connection to ClickHouse, and what it says when it refuses.

Certificates are checked unless the address says otherwise. The environment's proxy is not used: it may be the very
proxy that is metered.
"""

import logging
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from mitmeter.fleet.address import Address

CONNECT_SECONDS = 5
ANSWER_SECONDS = 60
SKEW_SECONDS = 60.0
MISSING = "clickhouse-connect is not installed: pip install 'mitmeter[clickhouse]'"

# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
NO_TABLE, NO_DATABASE, NO_SPACE, NO_RIGHT, TOO_MANY_PARTS, WRONG_PASSWORD, READONLY = 60, 81, 243, 497, 252, 516, 164
_MEANT: dict[int | None, str] = {
    WRONG_PASSWORD: "it does not accept this user and password",
    193: "it does not accept this password",
    192: "it does not know this user",
    NO_RIGHT: "this user has not the right",
    READONLY: "this user may only read",
    NO_SPACE: "its disk is full",
    TOO_MANY_PARTS: "it has too many parts to merge, so it takes no more for now",
    241: "it is out of memory",
    159: "it took too long",
    NO_DATABASE: "it has no such database",
}

# Of what is sent, not of the server: sending the same again would not help.
_ABOUT_DATA = frozenset((6, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 190, 349, 350, 376, 386, 407, 436, 467, 469))


def installed() -> bool:
    """Say whether the extra is, without importing it."""
    return find_spec("clickhouse_connect") is not None


class FleetError(OSError):
    """ClickHouse cannot be used as asked; `code` is its own number of what went wrong, None where it has none.

    `about_data` says that it refuses what was sent, and would do so again.
    """

    def __init__(self, message: str, code: int | None = None, *, about_data: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.about_data = about_data or code in _ABOUT_DATA


class Connection:
    """One client, in one thread at a time. Raises FleetError."""

    def __init__(self, address: Address) -> None:
        """Connect; raises FleetError where the extra is not installed, or the server not to be used."""
        try:
            import clickhouse_connect
            from clickhouse_connect.driver import exceptions, httputil
        except ImportError as error:
            raise FleetError(MISSING) from error
        self.address = address
        # What the client itself cannot put into the columns.
        self._unfit: Any = (exceptions.DataError, ValueError, TypeError, ArithmeticError, struct.error)
        self._errors: Any = (exceptions.ClickHouseError, OSError, *self._unfit)
        self._client: Any = self._try(lambda: _client(clickhouse_connect, httputil, address))
        self._contexts: dict[tuple[str, tuple[str, ...]], Any] = {}

    def _try(self, work: Any) -> Any:
        try:
            return work()
        except FleetError:
            raise
        except self._errors as error:
            code = getattr(error, "code", None)
            said = _MEANT.get(code) or _unreachable(error) or " ".join(str(error).split())[:300]
            unfit = code is None and isinstance(error, self._unfit)
            raise FleetError(f"ClickHouse at {self.address}: {said}", code, about_data=unfit) from error

    def query(self, sql: str, given: Mapping[str, Any] | None = None, *, text: bool = True) -> list[Sequence[Any]]:
        """Return the rows of a query; `given` are its parameters, strings come as bytes where they are no `text`."""
        formats = None if text else {"String": "bytes"}
        found = self._try(lambda: self._client.query(sql, parameters=dict(given or {}), query_formats=formats))
        rows: list[Sequence[Any]] = found.result_rows
        return rows

    def command(self, sql: str) -> None:
        """Run a statement that returns nothing."""
        self._try(lambda: self._client.command(sql))

    def insert(self, table: str, columns: Iterable[str], rows: Sequence[Sequence[Any]], token: str) -> None:
        """Insert rows as one block, once: a block of the same token that is there already is left out."""
        named = tuple(columns)
        settings = {
            "insert_deduplication_token": token,
            "deduplicate_blocks_in_dependent_materialized_views": 1,
            "async_insert": 0,
            # A batch of a proxy that is hardly used, or of what was imported, is of more days than the server's 100.
            "max_partitions_per_insert_block": 0,
            "distributed_foreground_insert": 1,
        }

        def send() -> None:
            context = self._contexts.get((table, named))
            if context is None:
                context = self._client.create_insert_context(
                    table, column_names=list(named), database=self.address.database, settings=settings
                )
                self._contexts[table, named] = context
            context.settings = settings
            context.data = rows
            self._client.insert(context=context)

        self._try(send)

    def skew(self) -> float:
        """Return by how many seconds this machine's clock is ahead of the server's."""
        before = time.time()
        [[theirs]] = self.query("SELECT toFloat64(now64(6))")
        return (before + time.time()) / 2 - float(theirs)

    def close(self) -> None:
        """Close it; never raises."""
        try:
            self._client.close()
        except self._errors:
            return


def _unreachable(error: BaseException) -> str | None:
    """Return what the operating system said where nothing was answered."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return f"cannot be reached ({seen.strerror})"
        seen = seen.__cause__ or seen.__context__
    return None


def _client(package: Any, httputil: Any, address: Address) -> Any:
    package.common.set_setting("autogenerate_session_id", False)
    for noisy in ("clickhouse_connect", "urllib3.connectionpool"):
        # What they warn of is raised too, and told once.
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    settings = {"do_not_merge_across_partitions_select_final": 1, "precise_float_parsing": 1}
    if address.path is not None:
        return package.get_client(dsn=f"chdb://{address.path}", settings=settings)
    pool = httputil.get_pool_manager(
        ca_cert=address.ca_cert,
        verify=address.verify,
        client_cert=address.client_cert,
        client_cert_key=address.client_cert_key,
    )
    return package.get_client(
        host=address.host,
        port=address.port,
        username=address.user,
        password=address.password(),
        secure=address.secure,
        verify=address.verify,
        pool_mgr=pool,
        settings=settings,
        compress="zstd",
        connect_timeout=CONNECT_SECONDS,
        send_receive_timeout=ANSWER_SECONDS,
        query_retries=0,
    )
