"""The mitmproxy addon: options and hooks.

Hooks do O(1) work on the event loop: they copy references, append to deques and hand over to the worker. What mitmproxy
really does shapes them: an `error` may follow a complete stream whose client hung up first, `error` follows `done` when
the proxy stops, a response that another addon made has its content before `responseheaders` and is never streamed, and
flows that were loaded from a file run through the same hooks with `live` False.
"""

import asyncio
import logging
import signal
import threading
import time

from mitmproxy import contentviews, ctx, exceptions, flowfilter, http
from mitmproxy.addonmanager import Loader

from mitmeter import flows, options, reload
from mitmeter.column import Column
from mitmeter.commands import Commands
from mitmeter.dashboard import live as page
from mitmeter.exchange import Outcome
from mitmeter.inflight import InFlight
from mitmeter.live import Ending, Live, LiveSocket
from mitmeter.options import NAMES, OPTIONS, PREFIX
from mitmeter.roster import Roster, in_flight
from mitmeter.tee import Kept, Watched, noting, tee
from mitmeter.view import ExchangeView
from mitmeter.worker import Settings, Worker

DRAIN_SECONDS = 10.0
MESSAGES = 10_000
OPEN = 20_000
STOPPED = "the proxy was stopped"

log = logging.getLogger("mitmeter")


class Meter:
    """Meters LLM traffic: one row and one redacted capture for each exchange."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._filter: flowfilter.TFilter | None = None
        self._settings: Settings | None = None
        self._watched = Roster()
        self._column: Column | None = None
        self._view = ExchangeView()
        self._told = False

    def load(self, loader: Loader) -> None:
        """Declare the options and the content view; tell what mitmproxy would swallow or bury in a traceback."""
        for option in OPTIONS:
            loader.add_option(option.name, type(option.default), option.default, option.help, option.choices)
        contentviews.add(self._view)
        Commands(lambda: (self._worker, self._settings)).register(loader)
        try:
            ctx.options.process_deferred()
            self._read_options()
        except (exceptions.OptionsError, TypeError) as error:
            self._told = True
            log.error("mitmeter: %s", error)

    def configure(self, updated: set[str]) -> None:
        """Check the options; raises OptionsError that says what is accepted."""
        if self._told or not any(name.startswith(PREFIX) for name in updated):
            self._told = False
            return
        settings = self._read_options()
        if self._worker is not None and self._settings != settings:
            self._start(settings)
        self._settings = settings

    def _read_options(self) -> Settings:
        values = {name: getattr(ctx.options, name) for name in NAMES}
        try:
            self._filter = flows.filtering(values["meter_filter"])
            return options.settings(values, ctx.options.confdir, shown=hasattr(ctx.master, "app"))
        except ValueError as error:
            raise _refused(error) from error

    def running(self) -> None:
        """Start the worker, refuse options that nobody knows, and stop in order when the terminal closes."""
        unknown = [name for name in getattr(ctx.options, "deferred", ()) if name.startswith(PREFIX)]
        for name in unknown:
            log.error("mitmeter: unknown option %s; known are %s", name, ", ".join(NAMES))
        if _may_handle_signals():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, ctx.master.shutdown)
        flows.warm()
        if left := reload.resume():
            self._worker, self._watched = left
        if self._settings is None or unknown or (self._worker is not None and self._worker.settings == self._settings):
            return
        try:
            self._start(self._settings)
        except exceptions.OptionsError as error:
            log.error("mitmeter: %s", error)

    def _start(self, settings: Settings) -> Worker:
        column = Column()
        before, worker = self._worker, Worker(settings, column.show, self._watched.survey, self._watched.__len__)
        try:
            worker.start()
        except OSError as error:
            told = f" {settings.folder}: {error.strerror}; accepted is a folder that can be written to"
            raise _refused("meter_dir" + (told if error.strerror else f": {error}")) from error
        self._worker = worker
        if self._column is not None:
            self._column.close()
        self._column = column
        column.follow(self._watched)
        page.show(settings.folder, settings.port, getattr(ctx.master, "app", None), lambda: worker.outlets.exposition)
        if before is not None:
            before.stop(DRAIN_SECONDS)
            for watched in self._watched.values():
                if watched.live is not None:
                    worker.watch(watched.live)
        return worker

    def done(self) -> None:
        """Finish what is open as cut, and wait for the worker within a deadline; a reload's successor takes over."""
        worker, self._worker, self._settings = self._worker, None, None
        if worker is not None and reload.coming():
            reload.park(worker, self._watched, self._stop)
        elif worker is not None:
            self._stop(worker, self._watched)

    def _stop(self, worker: Worker, watched: Roster) -> None:
        reload.cut(worker, watched, self._begin, STOPPED)
        if not worker.stop(DRAIN_SECONDS):
            log.warning("mitmeter: gave up after %.0f s with exchanges unwritten", DRAIN_SECONDS)
        page.close()

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Decide whether the flow is metered, and ask only for codings that can be undone."""
        if not flow.live or self._settings is None:
            return
        worker = self._worker or self._start(self._settings)  # a client replay does not wait for `running`
        match = flows.match(flow)
        if not (match if self._filter is None else self._filter(flow)):
            return
        if len(self._watched) >= OPEN:
            worker.drop("exchanges_dropped")
            return
        since = max(0.0, time.time() - flow.request.timestamp_start)
        watched = Watched(match, time.perf_counter() - since)
        watched.accepted = flows.narrow(flow.request)
        if flow.request.stream:
            before = flow.request.stream if callable(flow.request.stream) else None
            watched.upload = Kept(worker.settings.limits.body)
            flow.request.stream = noting(watched.upload, before)
        self._watched[flow] = watched

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Snapshot the request in its final form and put a tee on what is a stream."""
        watched = self._watched.get(flow)
        if watched is None or self._worker is None or flow.response is None:
            return
        live = self._begin(flow, watched)
        if flow.response.raw_content is None and (flow.response.stream or flows.streams(flow)):
            before = flow.response.stream if callable(flow.response.stream) else None
            watched.kept = Kept(self._worker.settings.limits.body)
            flow.response.stream = tee(live, watched.kept, before)
            self._worker.watch(live)

    def response(self, flow: http.HTTPFlow) -> None:
        """Hand a finished exchange over; a WebSocket connection only begins now."""
        watched = self._watched.get(flow)
        if flow.websocket is not None and watched is not None and watched.live is not None and self._worker is not None:
            watched.live = flows.connected(watched.live)
            self._worker.watch(watched.live)
            return
        self._finish(flow, Outcome.COMPLETE, None)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        """Note a message; mitmproxy keeps them all, so on a long connection the oldest are let go of."""
        watched = self._watched.get(flow)
        if flow.websocket is None or watched is None or not isinstance(watched.live, LiveSocket):
            return
        messages = flow.websocket.messages
        watched.live.hear(messages[-1].content, time.perf_counter(), messages[-1].from_client)
        if len(messages) > MESSAGES:
            del messages[: MESSAGES // 2]

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        """Hand over what was open on the connection."""
        self._finish(flow, *flows.closed_by(flow))

    def error(self, flow: http.HTTPFlow) -> None:
        """Hand over an exchange that was cut, or that never got an answer."""
        self._finish(flow, flows.cut_by(flow), flow.error.msg if flow.error else None)

    def _begin(self, flow: http.HTTPFlow, watched: Watched) -> Live:
        uploaded = watched.upload.content() if watched.upload is not None else None
        opens = flows.opens(flow, watched.zero, watched.accepted, uploaded)
        live = Live(opens, watched.match, flow, len(uploaded or flow.request.raw_content or b""))
        live.answers, live.answered_at = flows.answers(flow), time.perf_counter()
        watched.live = live
        return live

    def _finish(self, flow: http.HTTPFlow, outcome: Outcome, cause: str | None) -> None:
        watched = self._watched.pop(flow, None)
        if watched is None or self._worker is None:
            return
        at = time.perf_counter()
        live = watched.live or self._begin(flow, watched)
        body, trailers = None, None
        if flow.response is not None:
            body = flow.response.raw_content if watched.kept is None else None
            trailers = flows.fields(flow.response.trailers) or None
            live.unseen = outcome is Outcome.COMPLETE and flows.unseen(flow, watched.kept)
            flows.fill(flow, None if live.unseen else watched.kept)
        self._worker.end(live, Ending(outcome=outcome, at=at, cause=cause, body=body, trailers=trailers))

    def open_now(self) -> list[InFlight]:
        """Return the exchanges under way, oldest first; to be called on the event loop."""
        now = time.perf_counter()
        return [in_flight(flow, known, now) for flow, known in self._watched.entries()]


def _may_handle_signals() -> bool:
    """Say whether mitmproxy owns this process: not where it runs inside another program's thread."""
    return threading.current_thread() is threading.main_thread()


def _refused(error: Exception | str) -> exceptions.OptionsError:
    return exceptions.OptionsError(str(error))  # type: ignore[no-untyped-call]  # mitmproxy's is not annotated
