"""mitmeter meters LLM traffic on the wire.

An exchange goes through these rooms:

- In the proxy: `hooks` is the mitmproxy addon and `options` are the user's; `roster` knows the flows that are
  metered, `tee` notes a stream's chunks without delaying them, and a `streamed` body is put together when somebody
  looks; `flows` puts mitmproxy's flows in our words. `reload` outlives the addon.
- On a thread: `worker` does the work that comes into its `inbox`; each exchange is a `live` one with a `recorder`, or a
  `session` of them on a WebSocket, `bare` where it could not be read. `mishaps` counts what was dropped, `rehearsal`
  warms up.
- `recorder` takes chunks and returns a row and a capture. It asks `wire` for messages (codings, then framings),
  `usage` for what they say (a dialect for each API, a file for each provider), `redact` for what may be kept; `body`,
  `moments`, `progress`, `tracing`, `mould` and `scan` are its tools.
- `shelf` is a meter_dir: `archive` holds captures (CBOR in zstd segments), `store` holds rows (SQLite); both make
  their folders and files through `private`, for their owner alone. `recovery` finds again what lies there,
  `retention` lets go of it, `renewal` begins a new database, `reserve` keeps room for rows.
- `outlets` is what else happens to a row: what it cost (`prices`), the lines of a day (`budget`), whom it is told to
  (`telemetry`: Prometheus, OpenTelemetry).

What was metered is looked at through these:

- `metered` is what readers ask, of a meter_dir (`local`) or of many (`fleet`: `shipper` sends, `remote` reads);
  `inflight` is what is under way, in every proxy that uses a meter_dir.
- `conversation` is what was asked and answered as people read it, `transcript` the lines of it, `summary` a few
  words.
- `dashboard` is the page and its API, in mitmweb and on a port of its own.
- `view` and `column` are what mitmproxy shows, `commands` with `reports` what can be asked in it.
- `cli` is the command line: `choosing` are the options that choose, `tables` and `terminal` what is printed; `follow`
  is `tail`, `upkeep` keeps the archive, `shipping` sends it; `importing` takes `recordings` in, `exporting` (formats
  in `export`) hands captures out; `selfcheck` looks for what `plants` has hidden.

`exchange` has the words that all of them speak. `exchange`, `body`, `wire`, `usage`, `redact`, `recorder`,
`conversation` and `archive.record` do no I/O.
"""

__version__ = "0.1.0"
