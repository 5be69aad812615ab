"""Captures on disk: `record` (capture <-> CBOR, pure), `segments` (append-only files), `frame` (llama-swap's form)."""
