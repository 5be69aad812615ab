"""What the answers share: a meter_dir, the threads that read it, and who listens."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import mitmeter
from mitmeter.dashboard.dear import Dear
from mitmeter.dashboard.doors import Answering
from mitmeter.dashboard.feed import Feed, newest
from mitmeter.dashboard.reader import Reader
from mitmeter.dashboard.source import Source, Unreadable
from mitmeter.fleet.address import Address

if TYPE_CHECKING:
    from mitmeter.telemetry.prometheus import Exposition

type Surface = Literal["mitmweb", "mitmdump", "serve"]

type Exposing = Callable[[], "Exposition | None"]

SETTING = "mitmeter"
PAUSE_SECONDS = 0.02


def _nothing() -> None:
    return None


class Desk:
    """For one meter_dir, or a fleet. Lists do not wait for sums, nor either for what reads captures."""

    def __init__(self, place: Path | Address, surface: Surface, xsrf_cookie: str | None = None) -> None:
        self.place = place
        self.lists = Reader(place, "lists")
        self.sums = Reader(place, "sums")
        self.captures = Reader(place, "captures")
        self.feed = Feed(self.lists)
        self.dear = Dear(lambda: self.lists.ask(newest))
        self.exposition: Exposing = _nothing
        self.is_complete = False
        self._completing: asyncio.Task[None] | None = None
        self.own_surface = "serve" if surface == "serve" else "mitmdump"
        self.about = {
            "version": mitmeter.__version__,
            "surface": surface,
            "xsrf_cookie": xsrf_cookie,
            "flows": "/#/flows/" if surface == "mitmweb" else None,
            "deletes": isinstance(place, Path),
            "in_flight": isinstance(place, Path),
        }

    async def ask_sums[T](self, work: Callable[[Source], T], gone: threading.Event) -> T | None:
        """Return what is read of the facts; from then on these are completed while nobody asks for anything."""
        found = await self.sums.ask(work, gone)
        self.complete()
        return found

    async def completed(self) -> None:
        """Wait until the facts have all rows, if they can be read."""
        if not self.is_complete:
            await asyncio.shield(self.complete())

    def complete(self) -> "asyncio.Task[None]":
        """Have the facts completed, a piece at a time."""
        if self._completing is None or (self._completing.done() and not self.is_complete):
            self._completing = asyncio.get_running_loop().create_task(self._complete())
        return self._completing

    async def _complete(self) -> None:
        with contextlib.suppress(Unreadable):
            while (done := await self.sums.ask(_more)) is False:
                await asyncio.sleep(PAUSE_SECONDS)
            self.is_complete = done is True

    def close(self) -> None:
        """Let go of everything, of those who listen too."""
        self.feed.close()
        for reader in (self.lists, self.sums, self.captures):
            reader.close()


def _more(source: Source) -> bool:
    return source.complete()


class Desked(Answering):
    """An answer that is made at the desk, which the application's settings hold."""

    def initialize(self) -> None:
        """Know once nobody waits any more."""
        self.gone = threading.Event()

    def prepare(self) -> Any:
        """Refuse while there is no desk."""
        answer = super().prepare()
        if not self._finished and self.settings.get(SETTING) is None:
            self.refuse(503, "the meter is not running")
        return answer

    @property
    def desk(self) -> Desk:
        """The desk."""
        desk: Desk = self.settings[SETTING]
        return desk

    @property
    def given(self) -> dict[str, list[str]]:
        """The parameters of the address."""
        return {name: self.get_query_arguments(name) for name in self.request.query_arguments}

    def on_connection_close(self) -> None:
        """Note that nobody waits."""
        self.gone.set()
