"""A body that is one document.

- The document is the whole body. White space around it (some servers send newlines while the model thinks) and a byte
  order mark are not part of it; a body of nothing else holds no document.
- A document over the limit is not kept, not even its beginning: half a document cannot be read.
"""

from typing import ClassVar

from mitmeter.exchange import Message

_BOM = b"\xef\xbb\xbf"


class DocumentDecoder:
    """Decodes a whole body. One of more than `limit` bytes is dropped as `document_too_long`. Raises nothing."""

    framing: ClassVar[str] = "document"
    streaming: ClassVar[bool] = False

    def __init__(self, limit: int) -> None:
        self.anomalies: list[str] = []
        self._limit = limit
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Message]:
        """Takes bytes and returns nothing yet."""
        self._size += len(data)
        if self._size <= self._limit:
            self._chunks.append(data)
        elif not self.anomalies:
            self.anomalies.append("document_too_long")
            self._chunks.clear()
        return []

    def close(self) -> list[Message]:
        """The end of the body: returns the document, if there is one; `end` is the body's length."""
        document = b"".join(self._chunks).removeprefix(_BOM).strip()
        return [Message(document, b"", self._size)] if document and not self.anomalies else []
