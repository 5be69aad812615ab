"""Where mitmproxy's tools show a flow's numbers: comment, marker, metadata and the log."""

import asyncio
import logging
import time
from itertools import islice

from mitmproxy import ctx, hooks, http
from mitmproxy.log import LegacyLogEvents

from mitmeter.exchange import Exchange
from mitmeter.flows import notes
from mitmeter.inflight import words
from mitmeter.roster import Roster, how_far
from mitmeter.summary import line, marker, remark
from mitmeter.view import NOTES

LIVE = "mitmeter_live"
TICK_SECONDS = 0.5
SHOWN = 50
LATE_MS = 1000.0

log = logging.getLogger("mitmeter")


class Column:
    """Shows rows. Without a list of flows, as in mitmdump, there is nobody to show more than a line of log."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tick: asyncio.TimerHandle | None = None
        self.listed = "view" in ctx.master.addons.lookup

    def show(self, flow: http.HTTPFlow, exchange: Exchange, ident: int) -> None:
        """Show a row; on any thread. A line that no handler takes, as with `-q`, is not made."""
        if any(map(_hears, logging.getLogger().handlers)):
            log.info("%s", line(exchange, ident))
        if self.listed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(annotate, flow, exchange, ident)

    def follow(self, watched: Roster) -> None:
        """Show from now on what is under way, twice a second."""
        if self.listed:
            for flow, known in islice(watched.entries(), SHOWN):
                told = how_far(known, time.perf_counter())
                heard = known.live is not None and known.live.progress is not None
                if heard or (flow.websocket is None and told[1] >= LATE_MS):
                    remark_on(flow, words(*told))
            self._tick = self._loop.call_later(TICK_SECONDS, self.follow, watched)

    def close(self) -> None:
        """Follow no more."""
        if self._tick is not None:
            self._tick.cancel()


def _hears(handler: logging.Handler) -> bool:
    """Say whether a handler takes what is said of a row.

    That of mitmproxy's old `add_log` hook does not count: it is always there, takes everything, and has each line go
    through every addon on the event loop.
    """
    return handler.level <= logging.INFO and not isinstance(handler, LegacyLogEvents)


def _own(flow: http.HTTPFlow) -> bool:
    """Say whether the comment is ours, or nobody's."""
    return flow.comment in ("", flow.metadata.get(LIVE), flow.metadata.get(NOTES, {}).get("remark"))


def remark_on(flow: http.HTTPFlow, text: str) -> None:
    """Put words about an exchange under way into a comment that is ours."""
    if _own(flow) and flow.comment != text:
        flow.comment = flow.metadata[LIVE] = text
        ctx.master.addons.trigger(hooks.UpdateHook([flow]))


def annotate(flow: http.HTTPFlow, exchange: Exchange, ident: int) -> None:
    """Put the numbers where mitmweb and the console show them; a user's own comment and marker stay."""
    text = remark(exchange) if _own(flow) else None
    if text is not None:
        flow.comment = text
    if not flow.marked:
        flow.marked = marker(exchange)
    flow.metadata.pop(LIVE, None)
    flow.metadata[NOTES] = {**notes(exchange, ident), "remark": text}
    ctx.master.addons.trigger(hooks.UpdateHook([flow]))
