"""A streamed response's body on its flow, put together once somebody looks at it.

mitmweb, `-w` and content views look; mitmdump by itself does not, and to join a body takes its hook as long as it is
large.
"""

from collections.abc import Callable
from typing import Any

from mitmproxy import http


class Streamed(http.ResponseData):
    """What mitmproxy knows of a response; its content may be one that is asked for when it is first looked at."""

    @property
    def content(self) -> bytes | None:
        """The body as it was received."""
        held = self.__dict__
        if (joined := held.pop("_joined", None)) is not None:
            held["content"] = joined()
        content: bytes | None = held["content"]
        return content

    @content.setter
    def content(self, content: bytes | None) -> None:
        self.__dict__.pop("_joined", None)
        self.__dict__["content"] = content

    def get_state(self) -> Any:
        """What is saved and copied; mitmproxy takes it from the attributes as they lie there."""
        self.__dict__["content"] = self.content
        return super().get_state()  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped


def fill(response: http.Response, joined: Callable[[], bytes | None]) -> None:
    """Give a response the body that `joined` returns; it is called at most once."""
    response.data.__class__ = Streamed
    response.data.__dict__["_joined"] = joined
