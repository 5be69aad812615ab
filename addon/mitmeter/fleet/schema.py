"""The tables of a fleet, made and brought up to date.

- `exchanges` and `captures` are ReplacingMergeTrees in the order of session, time and flow: an exchange that is
  delivered twice is stored once, and the turns of a conversation lie side by side, whichever proxies they went through,
  so that what each resends is compressed away. Parts are days. `position` orders the rows as their exchanges ended,
  each in another place: microseconds, and in its last bits the number of the meter_dir.
- `minutes` holds sums by minute, model, provider, credential and host, which a view adds up as rows arrive. A batch
  that is sent again carries its token again, by which the server leaves it out of these sums too.
- `measures` has the values of a measure in their order, as far as their first bits tell, with their number by day: a
  histogram of them all reads the numbers, and the values at the edges of its bins. It tells of the days after the one
  on which it was made, of all days where the tables have it from the first.
- `by_model`, a projection of `exchanges`, has the measures in the order of outcome, provider, model, credential and
  host. It is of the rows that came since it was made.
- `sources` numbers the meter_dirs: the id of a row is that number and the row's id there.

A step that has been released is never edited: a change is a new step.

With a `cluster` each of them is a table of this name and `_shard` on every node and a Distributed one over it; a
session is on one shard.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from msgspec.structs import fields

from mitmeter.exchange import Client, Exchange, Sizes, Timing, Usage
from mitmeter.fleet.address import Address
from mitmeter.fleet.connection import NO_DATABASE, NO_RIGHT, NO_TABLE, READONLY, Connection, FleetError
from mitmeter.fleet.spread import place_of
from mitmeter.store.rows import COLUMNS
from mitmeter.store.schema import SchemaError

# No release has had version 2.
VERSION = 3
LOCAL_BITS = 33
SOURCE_BITS = 10
# A day that is over becomes one part, in which no row is twice and all turns of a session lie together.
MERGED = "min_age_to_force_merge_seconds = 7200, min_age_to_force_merge_on_partition_only = 1"
KEPT_WINDOW = "non_replicated_deduplication_window = 10000"
KEPT_REPLICATED = "replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800"

# Few values in many rows.
_FEW = frozenset(
    (
        *("method", "host", "path", "provider", "api", "operation", "model", "request_model", "content_type"),
        *("outcome", "error_type", "finish", "service_tier", "credential", "source", "rate_source"),
        *("client_address", "client_agent", "anomalies"),
    )
)
_TYPES = {"str": "String", "bool": "Bool", "int": "Int64", "float": "Float64"}


def _type(name: str, annotation: Any) -> str:
    text = str(annotation)
    named = getattr(annotation, "__name__", text)
    plain = next((ours for theirs, ours in _TYPES.items() if theirs in (named, *text.split(" | "))), "String")
    absent = "None" in text or name in ("reported", "limits", "source", "rate_source")
    told = f"Nullable({plain})" if absent else plain
    return f"LowCardinality({told})" if name in _FEW else told


def column_types() -> dict[str, str]:
    """Return the type of each column of a row."""
    annotated = {field.name: field.type for field in fields(Exchange)}
    for record, prefix in ((Usage, ""), (Timing, ""), (Sizes, ""), (Client, "client_")):
        annotated |= {f"{prefix}{field.name}": field.type for field in fields(record)}
    types = {name: _type(name, annotated[name]) for name in COLUMNS}
    # A key has no NULL; an empty text stands for it.
    return types | {"session": "String", "anomalies": "LowCardinality(String)"}


_EXCHANGES = """
    id Int64,
    position Int64,
    captured Bool,
    {columns},
    day Date MATERIALIZED toDate(toDateTime(toInt64(greatest(0., least(started, 4102444800.))), 'UTC'), 'UTC'),
    shipped DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX by_id id TYPE bloom_filter GRANULARITY 1,
    INDEX by_position position TYPE minmax GRANULARITY 1,
    INDEX by_shipped shipped TYPE minmax GRANULARITY 1
"""

_CAPTURES = """
    flow_id String,
    started Float64,
    session String,
    head String CODEC(ZSTD(3)),
    request_body Nullable(String) CODEC(ZSTD(3, 25)),
    response_body Nullable(String) CODEC(ZSTD(3, 25)),
    checksum UInt32,
    day Date MATERIALIZED toDate(toDateTime(toInt64(greatest(0., least(started, 4102444800.))), 'UTC'), 'UTC'),
    shipped DateTime64(6, 'UTC') DEFAULT now64(6)
"""

# A page of rows reads less of each column for it.
_GRANULES = "index_granularity = 1024"

# A block of this size holds some turns of a conversation, and is what reading one of them takes.
_BLOCKS = "index_granularity = 64, min_compress_block_size = 8388608, max_compress_block_size = 16777216"

# Reading the values at a bin's edge takes no more than those beside them.
_FEW_VALUES = "index_granularity = 16, min_compress_block_size = 4096"

_SUMMED = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("cost_usd", "duration_ms", "first_token_ms"),
)
_QUANTILES = "quantilesTDigest(0.5, 0.9, 0.99)"
_MINUTES = f"""
    minute DateTime('UTC'),
    provider LowCardinality(String),
    model LowCardinality(String),
    credential LowCardinality(String),
    host LowCardinality(String),
    requests SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    aborted SimpleAggregateFunction(sum, UInt64),
    {{sums}},
    request_bytes SimpleAggregateFunction(sum, Int64),
    response_bytes SimpleAggregateFunction(sum, Int64),
    durations AggregateFunction({_QUANTILES}, Nullable(Float64)),
    first_tokens AggregateFunction({_QUANTILES}, Nullable(Float64))
"""
_ADDED_UP = f"""
    SELECT toStartOfMinute(toDateTime(toInt64(greatest(0., least(started, 4102444800.))), 'UTC')) AS minute,
        {", ".join(f"ifNull({key}, '') AS {key}" for key in ("provider", "model", "credential"))}, host,
        count() AS requests,
        countIf(outcome IN ('error', 'unreachable')) AS errors,
        countIf(outcome IN ('client_aborted', 'upstream_aborted')) AS aborted,
        {", ".join(f"sum({name}) AS {name}" for name in _SUMMED)},
        sum(request_bytes) AS request_bytes, sum(response_bytes) AS response_bytes,
        quantilesTDigestState(0.5, 0.9, 0.99)({{duration}}) AS durations,
        quantilesTDigestState(0.5, 0.9, 0.99)({{first_token}}) AS first_tokens
    FROM {{table}}
    GROUP BY minute, provider, model, credential, host
"""


# Those of `mitmeter.store.figures`.
_MEASURED = ("prompt_per_second", "tokens_per_second", "first_token_ms", "duration_ms")
_MEASURES = """
    day Date,
    measure LowCardinality(String),
    place UInt16,
    number SimpleAggregateFunction(sum, UInt64),
    low SimpleAggregateFunction(min, Float64),
    high SimpleAggregateFunction(max, Float64),
    values SimpleAggregateFunction(groupArrayArray, Array(Float64)) CODEC(ZSTD(1))
"""
_LAID_OUT = f"""
    SELECT toDate(toDateTime(toInt64(greatest(0., least(started, 4102444800.))), 'UTC'), 'UTC') AS day, measure,
        {place_of("value")} AS place,
        count() AS number, min(value) AS low, max(value) AS high, groupArray(value) AS values
    FROM {{table}}
    ARRAY JOIN [{", ".join(f"'{name}'" for name in _MEASURED)}] AS measure,
        [{", ".join(f"ifNull({name}, 0.)" for name in _MEASURED)}] AS value
    WHERE value > 0
    GROUP BY day, measure, place
"""

# Rows that a merge or a deletion leaves out are left out of projections, too.
_PROJECTIONS = "deduplicate_merge_projection_mode = 'rebuild', lightweight_mutation_projection_mode = 'rebuild'"

# What a histogram of errors, of one provider or of one model reads, not the rows of all. What has few values is first.
_BY_MODEL = f"""
    SELECT outcome, provider, model, credential, host, started, day, {", ".join(_MEASURED)}
    ORDER BY outcome, provider, model, credential, host
"""


def _added_up(table: str) -> str:
    source = f"(SELECT *, duration_ms AS lasted, first_token_ms AS began FROM {table}) AS told"
    return _ADDED_UP.format(table=source, duration="lasted", first_token="began")


def statements(address: Address, found: int = 0) -> Iterator[str]:
    """Yield the statements that lead from a version of the tables to this one, for one server or for a cluster."""
    for version_of, step in ((1, _first), (3, _third)):
        if found < version_of:
            yield from step(address)


def _third(address: Address) -> Iterator[str]:
    database, on = quoted(address.database), f" ON CLUSTER {quoted(address.cluster)}" if address.cluster else ""
    suffix = "_shard" if address.cluster else ""
    rows = f"{database}.exchanges{suffix}"
    yield f"ALTER TABLE {rows}{on} MODIFY SETTING {_PROJECTIONS}"
    yield f"ALTER TABLE {rows}{on} ADD PROJECTION IF NOT EXISTS by_model ({_BY_MODEL})"
    kept = f" TTL day + toIntervalDay({address.row_days})" if address.row_days else ""
    order = f"PARTITION BY toYYYYMM(day) ORDER BY (measure, place, day){kept}"
    yield from _table(address, "measures", _MEASURES, "Aggregating", "", order, "cityHash64(place)", _FEW_VALUES)
    view = _LAID_OUT.format(table=rows)
    yield f"CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.laid_out{on} TO {database}.measures{suffix} AS {view}"


def _first(address: Address) -> Iterator[str]:
    database, on = quoted(address.database), f" ON CLUSTER {quoted(address.cluster)}" if address.cluster else ""
    yield f"CREATE DATABASE IF NOT EXISTS {database}{on}"
    types = column_types()
    columns = ",\n    ".join(f"{name} {kind}{_codec(name)}" for name, kind in types.items())
    sums = ",\n    ".join(f"{name} SimpleAggregateFunction(sum, Nullable({_summed(name)}))" for name in _SUMMED)
    order = "PARTITION BY day ORDER BY (session, started, flow_id)"
    rows_kept, bodies_kept = (f" TTL day + toIntervalDay({days})" if days else "" for days in _days(address))
    sharded = "cityHash64(if(session = '', flow_id, session))"
    yield from _table(
        address,
        "exchanges",
        _EXCHANGES.format(columns=columns),
        "Replacing",
        "shipped",
        order + rows_kept,
        sharded,
        _GRANULES,
    )
    yield from _table(address, "captures", _CAPTURES, "Replacing", "shipped", order + bodies_kept, sharded, _BLOCKS)
    by_minute = "PARTITION BY toYYYYMM(minute) ORDER BY (minute, provider, model, credential, host)"
    yield from _table(address, "minutes", _MINUTES.format(sums=sums), "Aggregating", "", by_minute, "cityHash64(model)")
    suffix = "_shard" if address.cluster else ""
    view = _added_up(f"{database}.exchanges{suffix}")
    yield f"CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.added_up{on} TO {database}.minutes{suffix} AS {view}"
    for name, inside, key in (
        (
            "sources",
            "number UInt32, source String, host String, since DateTime64(6, 'UTC') DEFAULT now64(6)",
            "number, source",
        ),
        (
            "counters",
            "number UInt32, name String, value Int64, at DateTime64(6, 'UTC') DEFAULT now64(6)",
            "number, name",
        ),
        ("versions", "version UInt32, since DateTime64(6, 'UTC') DEFAULT now64(6)", "version"),
    ):
        version = "at" if name == "counters" else ""
        engine = _engine(address, "Replacing", version, everywhere=True)
        yield f"CREATE TABLE IF NOT EXISTS {database}.{name}{on} ({inside}) ENGINE = {engine} ORDER BY ({key})"


def _days(address: Address) -> tuple[int, int]:
    return address.row_days, address.body_days


def _summed(name: str) -> str:
    return "Int64" if name.endswith("_tokens") else "Float64"


def _codec(name: str) -> str:
    return " CODEC(ZSTD(3))" if name in ("reported", "limits", "error") else ""


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _engine(address: Address, kind: str, version: str, *, everywhere: bool = False) -> str:
    if not address.replicated:
        return f"{kind}MergeTree({version})"
    shard = "all" if everywhere else "{shard}"
    placed = f"'/clickhouse/tables/{shard}/{{database}}/{{table}}', '{{replica}}'"
    return f"Replicated{kind}MergeTree({', '.join(filter(None, (placed, version)))})"


def _table(
    address: Address, name: str, inside: str, kind: str, version: str, order: str, sharded: str, settings: str = ""
) -> Iterator[str]:
    database, cluster = quoted(address.database), address.cluster
    on = f" ON CLUSTER {quoted(cluster)}" if cluster else ""
    shard = f"{name}_shard" if cluster else name
    window = KEPT_REPLICATED if address.replicated else KEPT_WINDOW
    kept = ", ".join(filter(None, (settings, MERGED, window)))
    engine = _engine(address, kind, version)
    yield f"CREATE TABLE IF NOT EXISTS {database}.{shard}{on} ({inside}) ENGINE = {engine} {order} SETTINGS {kept}"
    if cluster:
        spread = f"Distributed({quoted(cluster)}, {database}, {shard}, {sharded})"
        yield f"CREATE TABLE IF NOT EXISTS {database}.{name}{on} AS {database}.{shard} ENGINE = {spread}"


def versioned(address: Address) -> str:
    """Return the statement that says which version the tables have."""
    return f"INSERT INTO {quoted(address.database)}.versions (version) VALUES ({VERSION})"


def summed_anew(address: Address) -> Iterator[str]:
    """Yield the statements that make `minutes`, `measures` and `by_model` again of all rows, each exchange once."""
    database, on = quoted(address.database), f" ON CLUSTER {quoted(address.cluster)}" if address.cluster else ""
    suffix = "_shard" if address.cluster else ""
    yield f"TRUNCATE TABLE {database}.minutes{suffix}{on}"
    yield f"INSERT INTO {database}.minutes {_added_up(f'{database}.exchanges FINAL')}"
    yield f"TRUNCATE TABLE {database}.measures{suffix}{on}"
    yield f"INSERT INTO {database}.measures {_LAID_OUT.format(table=f'{database}.exchanges FINAL')}"
    # They tell of all days from now on.
    yield f"INSERT INTO {database}.versions (version, since) VALUES ({VERSION}, toDateTime64(0, 6, 'UTC'))"
    yield f"ALTER TABLE {database}.exchanges{suffix}{on} MATERIALIZE PROJECTION by_model"


def prepare(connection: Connection) -> None:
    """Make what is not there; raises SchemaError where the tables are newer than this version, FleetError.

    Whoever may not make tables goes on with older ones: what is added to them makes answers quicker, and no more.
    """
    found = version(connection)
    check(found)
    if found < VERSION:
        try:
            for statement in statements(connection.address, found):
                connection.command(statement)
        except FleetError as error:
            if not found or error.code not in (NO_RIGHT, READONLY):
                raise
        else:
            connection.insert("versions", ("version",), [[VERSION]], f"version-{VERSION}")
    for statement in _lacking(connection):
        connection.command(statement)


def measured_since(connection: Connection) -> date | None:
    """Return the first day of which `measures` tells everything, None where there is no such table."""
    told = f"min(version), minIf(since, version >= 3), max(version) FROM {quoted(connection.address.database)}.versions"
    [[first, since, last]] = connection.query(f"SELECT {told}")
    if last < 3:
        return None
    return date(1970, 1, 1) if first >= 3 else since.date() + timedelta(days=1)


def version(connection: Connection) -> int:
    """Return the version of the tables that are there, 0 where there are none."""
    try:
        [[found]] = connection.query(f"SELECT max(version) FROM {quoted(connection.address.database)}.versions")
    except OSError as error:
        if getattr(error, "code", None) in (NO_TABLE, NO_DATABASE):
            return 0
        raise
    return int(found)


def check(found: int) -> None:
    """Raise SchemaError where this version cannot work with the tables."""
    if found > VERSION:
        raise SchemaError(
            f"the tables in ClickHouse have version {found}, and this mitmeter knows versions up to {VERSION}: "
            "they were made by a newer one"
        )


def _lacking(connection: Connection) -> Iterator[str]:
    """Yield what adds the columns that rows have got since the tables were made."""
    address = connection.address
    database, on = quoted(address.database), f" ON CLUSTER {quoted(address.cluster)}" if address.cluster else ""
    asked = "SELECT name FROM system.columns WHERE database = {database:String} AND table = 'exchanges'"
    there = {name for (name,) in connection.query(asked, {"database": address.database})}
    for name, kind in column_types().items():
        if name not in there:
            for table in ("exchanges_shard", "exchanges") if address.cluster else ("exchanges",):
                yield f"ALTER TABLE {database}.{table}{on} ADD COLUMN IF NOT EXISTS {name} {kind}"
