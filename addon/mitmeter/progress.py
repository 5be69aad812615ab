"""How far a response is that still comes. Pure."""

from contextlib import suppress
from typing import Literal

from mitmeter.exchange import Message, Usage
from mitmeter.usage.documents import NotADocument, response_decoder
from mitmeter.usage.pieces import generated
from mitmeter.usage.reading import Reading

type Doing = Literal["waiting", "thinking", "generating"]
type Progress = tuple[Doing, Usage | None]


def progress(reading: Reading | None, newest: Message | None) -> Progress:
    """Return what the newest message shows the server to be doing, and the tokens that it has told so far."""
    if reading is None or newest is None:
        return "waiting", None
    flagged = list(reading.anomalies)
    usage = reading.usage({})[0] if reading.snapshots else None
    reading.anomalies[:] = flagged
    if reading.first_end is None:
        return "waiting", usage
    piece = None
    with suppress(NotADocument):
        piece = generated(response_decoder(reading.dialect)(newest.data), reading.dialect.parts)
    return "thinking" if piece is not None and piece[0] == "thinking" else "generating", usage
