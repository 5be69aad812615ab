"""Where mitmproxy's tools show a flow's numbers: comment, marker, metadata and the log."""

import asyncio
import logging

from mitmproxy import ctx, hooks, http

from mitmeter.exchange import Exchange
from mitmeter.flows import notes
from mitmeter.summary import line, marker, remark
from mitmeter.view import NOTES

log = logging.getLogger("mitmeter")


class Column:
    """Shows rows. Without a list of flows, as in mitmdump, there is nobody to show more than a line of log."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._listed = "view" in ctx.master.addons.lookup

    def show(self, flow: http.HTTPFlow, exchange: Exchange, ident: int) -> None:
        """Show a row; on any thread."""
        log.info("%s", line(exchange, ident))
        if self._listed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(annotate, flow, exchange, ident)


def annotate(flow: http.HTTPFlow, exchange: Exchange, ident: int) -> None:
    """Put the numbers where mitmweb and the console show them; a user's own comment and marker stay."""
    known = flow.metadata.get(NOTES, {})
    if flow.comment == known.get("remark", ""):
        flow.comment = remark(exchange)
    if not flow.marked:
        flow.marked = marker(exchange)
    flow.metadata[NOTES] = {**notes(exchange, ident), "remark": flow.comment}
    ctx.master.addons.trigger(hooks.UpdateHook([flow]))
