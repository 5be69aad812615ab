"""A body as far as it is kept."""


class Body:
    """The start of a decoded body, up to a limit, and how much of it was left out."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        room = self.limit - self.size
        if room > 0:
            self._chunks.append(chunk if len(chunk) <= room else chunk[:room])
        self.size += len(chunk)

    @property
    def cut(self) -> int:
        """Bytes that were left out."""
        return max(0, self.size - self.limit)

    def content(self) -> bytes:
        """Return what was kept."""
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
