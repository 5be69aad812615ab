"""A block: the smallest thing that people read in a conversation."""

from msgspec import Struct

ENCODED = ("image", "audio", "file", "media")


class Block(Struct, frozen=True):
    """One block of a message or a reply.

    `kind` is `text`, `thinking`, `tool` (a call: `name` with its arguments as `text`), `tool_result`, `image`, `audio`,
    `file`, `media` (what is encoded and none of these), or `other` (JSON that no dialect explains). Of what is encoded
    `text` holds no more than where it lies, if that is said, `media` its type or format, `size` its bytes. `call` is
    the id by which a call and its result belong together, `cut` the characters of `text` that were left out.
    """

    kind: str
    text: str = ""
    name: str | None = None
    call: str | None = None
    media: str | None = None
    size: int | None = None
    cut: int = 0


def whole(text: str) -> str:
    """Return text that UTF-8 can hold: halves of a character that came apart are joined, lone ones replaced."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def decoded_size(encoded: int) -> int:
    """Return how many bytes so many characters of base64 hold (RFC 4648, section 4), padding aside."""
    return encoded * 3 // 4


def sized(size_bytes: int) -> str:
    """Return a size for people."""
    return f"{size_bytes / 1000:.1f} kB" if size_bytes >= 1000 else f"{size_bytes} B"


def described(block: Block) -> str:
    """Return what is encoded in a line: `[image photo.png image/png 12.3 kB https://…]`."""
    size = None if block.size is None else sized(block.size)
    return f"[{' '.join(filter(None, (block.kind, block.name, block.media, size, block.text)))}]"
