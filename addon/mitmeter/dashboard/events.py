"""`/api/events`: server-sent events."""

import asyncio

from tornado.iostream import StreamClosedError

from mitmeter.dashboard.desk import Desked
from mitmeter.dashboard.feed import Event, Full

HEARTBEAT_SECONDS = 15.0


class Events(Desked):
    """A stream of what happens, with a comment now and then so that nobody takes it for dead."""

    news: "asyncio.Queue[Event | None] | None" = None

    async def get(self) -> None:
        """Tell until nobody listens."""
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        try:
            with self.desk.feed.listening() as news:
                self.news = news
                for event in await self.desk.feed.since(self._last()):
                    await self._tell(event)
                while not self.gone.is_set():
                    await self._pass_on(news)
        except Full:
            self.clear_header("X-Accel-Buffering")
            self.refuse(503, "too many are listening")
        except StreamClosedError:
            return

    def on_connection_close(self) -> None:
        """Wait for no more news."""
        super().on_connection_close()
        if self.news is not None and not self.news.full():
            self.news.put_nowait(None)

    async def _pass_on(self, news: "asyncio.Queue[Event | None]") -> None:
        try:
            event = await asyncio.wait_for(news.get(), HEARTBEAT_SECONDS)
        except TimeoutError:
            self.write(": still here\n\n")
            await self.flush()
            return
        if event is None:
            self.gone.set()
        else:
            await self._tell(event)

    async def _tell(self, event: Event) -> None:
        ident, data = event
        self.write(f"id:{ident}\nevent:message\ndata:{data}\n\n")
        await self.flush()

    def _last(self) -> int | None:
        given = self.request.headers.get("Last-Event-ID") or self.get_query_argument("last_id", "")
        return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
