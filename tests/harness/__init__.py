"""End-to-end runs: `Mitm` starts a real mitmdump or mitmweb, `fetch` is a client that sees every byte and its time."""

from harness.client import Connection, End, Reply, fetch
from harness.mitm import Mitm
from harness.rows import capture, kept_body, rows, rows_of, wait_rows

__all__ = ["Connection", "End", "Mitm", "Reply", "capture", "fetch", "kept_body", "rows", "rows_of", "wait_rows"]
