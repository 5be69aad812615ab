"""mitmeter meters LLM traffic on the wire.

An exchange goes through these rooms:

- `hooks` is the mitmproxy addon; `tee` notes a stream's chunks without delaying them, `flows` puts mitmproxy's flows
  in our words, `options` are the user's.
- `worker` is the one thread that does the work; each exchange is a `live` one with a `recorder`, or a `session` of them
  on a WebSocket.
- `recorder` takes chunks and returns a row and a capture. It asks `wire` for messages (codings, then framings), `usage`
  for what they say (a dialect for each API, a file for each provider), `redact` for what may be kept.
- `shelf` is a meter_dir: `archive` holds captures (CBOR in zstd segments), `store` holds rows (SQLite); both make their
  folders and files through `private`, for their owner alone.
- `metered` is what readers ask, of a meter_dir (`local`) or of many (`fleet`: `shipper` sends, `remote` reads).
- `dashboard` is the page and its API, in mitmweb and on a port of its own.
- `conversation` is what was asked and answered as people read it, `transcript` the lines of it.
- `cli` with `tables`, `importing` (of `recordings`) and `surface` is the command line.
- `view`, `column` and `summary` are what mitmproxy shows, `commands` with `reports` what can be asked in it.

`exchange` has the words that all of them speak. `exchange`, `body`, `wire`, `usage`, `redact`, `recorder`,
`conversation` and `archive.record` do no I/O.
"""

__version__ = "0.1.0"
