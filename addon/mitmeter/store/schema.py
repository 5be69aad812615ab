"""The database's tables, as steps that each lead from one `PRAGMA user_version` to the next.

A step that has been released is never edited: a change is a new step. Tables are STRICT, so a value of the wrong type
is refused where it is written.
"""

import sqlite3

from mitmeter.mishaps import Said

# Columns are named after the fields of `mitmeter.exchange`; started is epoch seconds, anomalies and reported are JSON.
_FIRST = (
    """
    CREATE TABLE exchanges (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        flow_id TEXT NOT NULL,
        started REAL NOT NULL,
        method TEXT NOT NULL,
        host TEXT NOT NULL,
        path TEXT NOT NULL,
        provider TEXT,
        api TEXT,
        operation TEXT,
        model TEXT,
        request_model TEXT,
        stream INTEGER NOT NULL,
        status INTEGER,
        content_type TEXT,
        outcome TEXT NOT NULL,
        error TEXT,
        error_type TEXT,
        finish TEXT,
        service_tier TEXT,
        response_id TEXT,
        credential TEXT,
        input_tokens INTEGER,
        output_tokens INTEGER,
        cache_read_tokens INTEGER,
        cache_write_tokens INTEGER,
        reasoning_tokens INTEGER,
        total_tokens INTEGER,
        draft_tokens INTEGER,
        draft_accepted_tokens INTEGER,
        source TEXT,
        duration_ms REAL,
        headers_ms REAL,
        first_byte_ms REAL,
        first_token_ms REAL,
        prompt_per_second REAL,
        tokens_per_second REAL,
        rate_source TEXT,
        request_bytes INTEGER NOT NULL,
        response_bytes INTEGER NOT NULL,
        decoded_bytes INTEGER NOT NULL,
        client_address TEXT,
        client_agent TEXT,
        anomalies TEXT NOT NULL,
        reported TEXT
    ) STRICT
    """,
    "CREATE INDEX exchanges_started ON exchanges (started)",
    "CREATE INDEX exchanges_model_started ON exchanges (model, started)",
    "CREATE INDEX exchanges_flow_id ON exchanges (flow_id)",
    """
    CREATE TABLE captures (
        exchange_id INTEGER PRIMARY KEY REFERENCES exchanges (id) ON DELETE CASCADE,
        segment TEXT NOT NULL,
        offset INTEGER NOT NULL,
        size INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX captures_segment ON captures (segment)",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
)

# `checksum` is the one that the record carries. `segments` are the files that recovery has looked at, with the bytes
# that they had then; those `gone` hold nothing that is wanted and are to be deleted. One index a column that rows are
# looked for by: each ends in the id, which gives the newest rows in order and counts without the table. A flow is found
# by its time, since an index of random ids makes an insert dearer the more rows there are.
_ARCHIVE = (
    "ALTER TABLE captures ADD COLUMN checksum INTEGER",
    "CREATE TABLE segments (name TEXT PRIMARY KEY, size INTEGER NOT NULL, gone INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX exchanges_provider ON exchanges (provider)",
    "CREATE INDEX exchanges_host ON exchanges (host)",
    "CREATE INDEX exchanges_path ON exchanges (path)",
    "CREATE INDEX exchanges_status ON exchanges (status)",
    "CREATE INDEX exchanges_outcome ON exchanges (outcome)",
    "CREATE INDEX exchanges_model ON exchanges (model)",
    "DROP INDEX exchanges_model_started",
    "DROP INDEX exchanges_flow_id",
)

# What the provider itself says of a call's price and time, and of its limits (JSON, headers as sent).
_TOLD = (
    "ALTER TABLE exchanges ADD COLUMN cost_usd REAL",
    "ALTER TABLE exchanges ADD COLUMN server_ms REAL",
    "ALTER TABLE exchanges ADD COLUMN retry_after_s REAL",
    "ALTER TABLE exchanges ADD COLUMN limits TEXT",
)

# What joins the turns of one conversation.
_SESSION = (
    "ALTER TABLE exchanges ADD COLUMN session TEXT",
    "CREATE INDEX exchanges_session ON exchanges (session) WHERE session IS NOT NULL",
)

# Answers that can be read again, found by their ids. An index of all ids would make each insert twice as dear.
_STORED = (
    "ALTER TABLE exchanges ADD COLUMN stored INTEGER NOT NULL DEFAULT 0",
    "UPDATE exchanges SET stored = 1 WHERE api IN ('responses', 'runs', 'predictions', 'interactions')",
    "CREATE INDEX exchanges_stored ON exchanges (response_id) WHERE stored",
)

# Who names the price: until then it was the provider.
_PRICED = (
    "ALTER TABLE exchanges ADD COLUMN cost_source TEXT",
    "UPDATE exchanges SET cost_source = 'provider' WHERE cost_usd IS NOT NULL",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _ARCHIVE, _TOLD, _SESSION, _STORED, _PRICED)


class SchemaError(Said):
    """The file is not a database that this version can work with; the message says why."""


class OlderError(SchemaError):
    """The database is to be brought up to date first."""


def migrate(connection: sqlite3.Connection, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Bring a database up to date, a transaction a step; several processes may do so at once.

    Raises SchemaError where the database is newer than `migrations`, sqlite3.Error where a step fails (the database
    is then as it was before that step).
    """
    while check(connection, migrations) < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            # Read again under the lock: another process may have been faster.
            version = check(connection, migrations)
            if version < len(migrations):
                for statement in migrations[version]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")


def check(connection: sqlite3.Connection, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> int:
    """The version of a database; raises SchemaError where it is newer than `migrations`, or not a database at all."""
    try:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise SchemaError(f"not a mitmeter database ({error})") from error
    if version > len(migrations):
        raise SchemaError(
            f"the database has version {version}, and this mitmeter knows versions up to {len(migrations)}: "
            "it was written by a newer one"
        )
    return version
