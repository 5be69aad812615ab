"""mitmproxy's commands. They run on the event loop, and so wait no longer than `PATIENCE_SECONDS`.

What takes longer goes on in a thread, and its answer comes in the event log. mitmweb takes names of letters and dots.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from mitmproxy import ctx, exceptions, types
from mitmproxy.addonmanager import Loader
from mitmproxy.log import ALERT
from msgspec.structs import replace

from mitmeter import choosing, exporting, reports
from mitmeter.archive.record import RecordError
from mitmeter.choosing import Choice
from mitmeter.store.schema import SchemaError
from mitmeter.store.top import MEASURES, OF, Measure, Of
from mitmeter.summary import printable
from mitmeter.worker import Settings, Worker

PATIENCE_SECONDS = 0.25
FLUSH_SECONDS = 10.0
FIND_SECONDS = 30.0
NOT_METERING = "not metering"
FAILURES = (OSError, ValueError, sqlite3.Error, SchemaError, RecordError)

log = logging.getLogger("mitmeter")

type State = Callable[[], tuple[Worker | None, Settings | None]]


class Errand:
    """Something that a command asks for, done on a thread of its own."""

    def __init__(self, name: str, work: Callable[[], str]) -> None:
        self.name = name
        self._work = work
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._late = False
        self._answer = f"{name} failed"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def answer(self, seconds: float) -> str:
        """Start it and return its answer, or where that will be."""
        self._thread.start()
        self._done.wait(seconds)
        with self._lock:
            self._late = not self._done.is_set()
        return f"{self.name} takes its time: the answer comes in the event log" if self._late else self._answer

    @property
    def busy(self) -> bool:
        """Whether it is still under way."""
        return not self._done.is_set()

    def _run(self) -> None:
        try:
            self._answer = self._work()
        except FAILURES as error:
            self._answer = f"{self.name}: {error}"
        finally:
            with self._lock:
                self._done.set()
        log.log(ALERT if self._late else logging.INFO, "%s", self._answer)


class Commands:
    """What can be asked of a meter; `state` is who writes and where to."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._errand: Errand | None = None

    def register(self, loader: Loader) -> None:
        """Make the commands known to mitmproxy."""
        for name in ("flush", "stats", "top", "find", "export"):
            loader.add_command(f"meter.{name}", getattr(self, name))

    def flush(self) -> str:
        """Write what has ended to disk and say whether it is there."""
        worker, _ = self._state()
        if worker is None:
            return NOT_METERING
        errand = Errand("meter.flush", lambda: "flushed" if worker.flush(FLUSH_SECONDS) else "still writing")
        return errand.answer(PATIENCE_SECONDS)

    def stats(self) -> str:
        """Return the totals by model of everything metered in meter_dir."""
        return self._ask("meter.stats", reports.stats)

    def top(self, measure: str = "tokens", of: str = "exchange", limit: int = 10, *filters: str) -> str:
        """Return what took most `tokens`, `input`, `output`, `cost` or `duration`: each `exchange`, or all of a
        `model`, `session`, `credential`, `provider`, `host` or `client`. Filters are those of `mitmeter ls`.
        """
        chosen = _one_of("measure", measure, MEASURES)
        group = _one_of("of", of, OF)
        if limit < 1:
            raise exceptions.CommandError(f"limit: {limit} is not accepted; accepted is 1 or more")
        return self._ask("meter.top", lambda folder: _top(folder, chosen, group, limit, filters))

    def find(self, text: str, *filters: str) -> str:
        """Return the newest exchanges with a text in their captures or their reply: ids, and which flows are listed."""
        return self._ask("meter.find", lambda folder: _found(folder, text, filters))

    def export(self, path: types.Path, form: str = "jsonl", *filters: str) -> str:
        """Write exchanges to a file, as `jsonl`, `har`, `flows`, `frame` or `chat`. Filters are as in `mitmeter ls`."""
        chosen = _one_of("form", form, exporting.FORMATS)
        return self._ask("meter.export", lambda folder: _exported(folder, Path(path), chosen, filters))

    def _ask(self, name: str, work: Callable[[Path], str]) -> str:
        worker, settings = self._state()
        if settings is None:
            return NOT_METERING
        if self._errand is not None and self._errand.busy:
            raise exceptions.CommandError(f"{self._errand.name} is still under way")

        def written() -> str:
            if worker is not None:
                worker.flush(FLUSH_SECONDS)
            return work(settings.folder)

        self._errand = Errand(name, written)
        return self._errand.answer(PATIENCE_SECONDS)


def _one_of[T: str](name: str, given: str, accepted: Sequence[T]) -> T:
    for one in accepted:
        if one == given:
            return one
    raise exceptions.CommandError(f"{name}: {given!r} is not accepted; accepted are {', '.join(accepted)}")


def _top(folder: Path, measure: Measure, of: Of, limit: int, filters: Sequence[str]) -> str:
    return reports.top(folder, measure, of, limit, choosing.parse(filters, folder))


def _exported(folder: Path, path: Path, form: exporting.Format, filters: Sequence[str]) -> str:
    return reports.export(folder, path.expanduser(), form, choosing.parse(filters, folder), _tell)


def _found(folder: Path, text: str, filters: Sequence[str]) -> str:
    choice: Choice = replace(choosing.parse(filters, folder), grep=text)
    found, whole = reports.find(folder, choice, FIND_SECONDS, _tell)
    many = f"{len(found)} exchange{'' if len(found) == 1 else 's'}"
    lines = [f"{many} with {text!r}" + ("" if whole else ", the newest: there may be more")]
    for one in found:
        exchange = one.row.exchange
        where = "flow" if _listed(exchange.flow_id) else "no longer listed: flow"
        lines.append(
            f"#{one.row.id} {reports.when(exchange.started)} {printable(exchange.model or exchange.request_model)} "
            f"({where} {exchange.flow_id}): {one.passage}"
        )
    return "\n".join(lines)


def _listed(flow_id: str) -> bool:
    """Say whether a flow is in the list of mitmweb or the console."""
    view = ctx.master.addons.lookup.get("view")
    return view is not None and view.get_by_id(flow_id) is not None


def _tell(message: str) -> None:
    log.warning("mitmeter: %s", message)
