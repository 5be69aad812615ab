"""A paced stand-in for a provider: real sockets, real framing, every byte of the answer under the test's control.

    with Provider() as upstream:            # in a test: a thread with its own event loop
        upstream.port, upstream.requests
    python -m provider --port 0             # as a process: prints its port

It answers `/v1/chat/completions`, `/v1/completions`, `/v1/responses`, `/v1/embeddings`, `/v1/messages`,
`/v1/messages/count_tokens`, `/v1beta/models/…:streamGenerateContent` (and `GET /v1/models`, `GET /requests`: what it
was sent) in the shape of the real APIs.
An upgrade to a WebSocket, at any path, is a session of the Realtime API (`provider.websocket`).
The same request always gets the same bytes, so a direct run and one through a proxy can be compared.

Tokens: one per whitespace-separated word, see `provider.tokens`.

Request headers steer it (`provider.steer`):

- `x-pace-first: 150` ms before the first body byte, `x-pace-gap: 20` ms between events
- `x-fault: cut:N` closes after N events · `reset:N` the same with RST · `hang:N` says no more after N events ·
  `error-event:N` an error inside the 200 after N events · `status:429` an error body (any status) ·
  `html:502` an HTML page (any status) · `204` no content · `no-headers` closes before any header ·
  `silent` says nothing at all until the client leaves
- `x-shape: coding=gzip|deflate|br|zstd`, `eol=crlf|cr`, `split=7` (pieces of 7 bytes), `no-done`, `length`
  (Content-Length instead of chunked), `words=300` (length of the reply), `cookie` (sets `COOKIE`);
  several with commas
- `x-say: Hello%20there` what the reply says, percent-encoded
"""

from provider.server import COOKIE, Provider, Seen
from provider.tokens import count

__all__ = ["COOKIE", "Provider", "Seen", "count"]
