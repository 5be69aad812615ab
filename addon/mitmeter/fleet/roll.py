"""The roll of a fleet: each database of rows has a number, by which its rows' ids differ from those of all others."""

import socket
import time

from mitmeter.fleet import schema
from mitmeter.fleet.connection import Connection, FleetError

SETTLE_SECONDS = 0.5
ATTEMPTS = 20
MOST = 1 << 20


def enlist(connection: Connection, source: str) -> tuple[int, bool]:
    """Return the number of a source, and whether it had one; raises FleetError.

    Two that take the same number at once see each other once both have settled: the later one takes another.
    """
    sources = f"{schema.quoted(connection.address.database)}.sources"
    owned = f"""
        SELECT number FROM (SELECT number, argMin(source, (since, source)) AS owner FROM {sources} GROUP BY number)
        WHERE owner = {{source:String}} ORDER BY number LIMIT 1
    """
    for attempt in range(ATTEMPTS):
        found = connection.query(owned, {"source": source})
        if found:
            return int(found[0][0]), attempt == 0
        [[taken, highest]] = connection.query(f"SELECT count(), max(number) FROM {sources}")
        number = int(highest) + 1 if taken else 0
        if number >= MOST:
            break
        columns = ("number", "source", "host")
        connection.insert("sources", columns, [[number, source, socket.gethostname()]], f"{source}-{number}")
        time.sleep(SETTLE_SECONDS)
    raise FleetError(f"{connection.address} has no number for this meter_dir")
