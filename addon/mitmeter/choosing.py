"""Which exchanges a command is about: the options that choose, and text in captures."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace

from mitmeter.archive.record import Record
from mitmeter.conversation import WHOLE, reply_of
from mitmeter.exchange import Outcome
from mitmeter.metered import Metered
from mitmeter.redact.secrets import session
from mitmeter.store.filters import MATCHED, Filter, Window
from mitmeter.store.rows import Row
from mitmeter.terminal import progress

_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([smhdw])", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PAGE = 500


class Choice(Struct, frozen=True):
    """What the rows have to meet, text that their captures hold, and request headers by lower-case name."""

    filter: Filter
    grep: str | None = None
    header: tuple[tuple[str, str], ...] = ()

    @property
    def reads_captures(self) -> bool:
        """Whether rows alone do not tell."""
        return self.grep is not None or bool(self.header)

    @property
    def is_all(self) -> bool:
        """Whether there is nothing that they have to meet."""
        return self == Choice(Filter())

    @property
    def nothing(self) -> str:
        """What there is to say where no row is chosen."""
        return "nothing has been metered yet" if self.is_all else "no exchange is like that"


class Instant(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """A time as RFC 3339 (local time where it names no zone), or how long ago: `90m`, `2h`, `7d`."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return epoch seconds."""
        if isinstance(value, float):
            return value
        ago = _AGO.fullmatch(value.strip())
        if ago is not None:
            return time() - float(ago[1]) * _SECONDS[ago[2].lower()]
        try:
            return datetime.fromisoformat(value.strip()).timestamp()
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is neither a time like 2026-11-22T10:00:00Z nor a span like 2h or 7d", param, ctx)


class Status(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """An HTTP status, `429`, or a class of them, `5xx`."""

    name = "STATUS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the code, or the class's digit."""
        if isinstance(value, int):
            return value
        if re.fullmatch(r"[1-9](xx|\d\d)", value.lower()):
            return int(value.lower().removesuffix("xx"))
        raise click.BadParameter(f"{value!r} is neither a status like 429 nor a class like 5xx", ctx, param)


class Header(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """A header of the request, `name: value`; the value may hold `*`."""

    name = "NAME:VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the lower-case name and the value."""
        if isinstance(value, tuple):
            return value
        name, colon, text = value.partition(":")
        if not colon or not name.strip():
            self.fail(f"{value!r} is not like 'x-session-id: abc'", param, ctx)
        return name.strip().lower(), text.strip()


class Session(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """A session as rows name it, or the id that the client sent for it."""

    name = "SESSION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return how rows name it."""
        text = str(value).strip()
        folder = None if ctx is None else ctx.find_object(Path)
        named = os.environ.get("MITMETER_SECRET_FILE")
        secret = Path(named) if named else folder / "secret" if folder is not None else None
        if re.fullmatch(r"s_[0-9a-f*?]+", text) or text == "*" or secret is None or not (named or secret.exists()):
            return text
        return session(text, (), None, secret.read_bytes()) or text


_OPTIONS = (
    click.option("--since", type=Instant(), help="From this time on: RFC 3339, or a span like 2h or 7d."),
    click.option("--until", type=Instant(), help="Before this time."),
    click.option("--model", multiple=True, help="That answered; * and ? stand for any text and any sign."),
    click.option("--provider", multiple=True),
    click.option("--host", multiple=True),
    click.option("--path", multiple=True),
    click.option("--status", multiple=True, type=Status(), help="429, or 5xx for all of a class."),
    click.option("--outcome", multiple=True, type=click.Choice([outcome.value for outcome in Outcome])),
    click.option("--session", multiple=True, type=Session(), help="The turns of one conversation, also by its own id."),
    click.option("--credential", multiple=True, help="Asked with this key, as rows name it: k_ and eight hex digits."),
    click.option("--header", multiple=True, type=Header(), help="Of the captured request, like 'x-session-id: abc'."),
    click.option("--grep", metavar="TEXT", help="With this text in a captured body, or in the reply as a whole."),
)


def chosen(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose, and what they come to as its keyword `choice`."""

    def run(*args: Any, **options: Any) -> Any:
        grep, header = options.pop("grep"), options.pop("header")
        parts = {name: options.pop(name) for name in ("since", "until")}
        if None not in parts.values() and parts["since"] >= parts["until"]:
            raise click.UsageError("--since is not before --until, so there is nothing between them")
        parts |= {name: options.pop(name) for name in (*MATCHED, "status")}
        return command(*args, choice=Choice(Filter(**parts), grep or None, header), **options)

    run.__doc__, run.__name__ = command.__doc__, command.__name__
    run.__dict__.update(getattr(command, "__dict__", {}))
    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def parse(arguments: Iterable[str], folder: Path) -> Choice:
    """Return the choice that words like `--model gpt* --since 2h` make; raises ValueError that says what is wrong."""

    @click.command(add_help_option=False)
    @chosen
    def told(choice: Choice) -> Choice:
        return choice

    try:
        found: Choice = told.main([*arguments], prog_name="", standalone_mode=False, obj=folder)
    except click.ClickException as error:
        raise ValueError(error.format_message()) from error
    return found


def rows(metered: Metered, choice: Choice, limit: int | None) -> list[Row]:
    """Return the newest rows that are chosen, oldest first."""
    if not choice.reads_captures:
        return metered.rows(Window(limit=limit, wanted=choice.filter))
    found: list[Row] = []
    before: int | None = None
    wanted = replace(choice.filter, captured=True)
    with progress("reading captures", metered.requests(wanted)) as step:
        while limit is None or len(found) < limit:
            page = metered.rows(Window(limit=_PAGE, before=before, wanted=wanted))
            if not page:
                break
            before = page[0].id
            places = {row.id: at for at, row in enumerate(page)}
            rows = [row for row, _ in matching(metered, page, choice, step)]
            found[:0] = sorted(rows, key=lambda row: places[row.id])
    return found[len(found) - limit :] if limit is not None and limit < len(found) else found


def narrowed(metered: Metered, choice: Choice) -> Filter:
    """Return the choice as a filter alone."""
    if not choice.reads_captures:
        return choice.filter
    return Filter(idents=tuple(row.id for row in rows(metered, choice, None)))


def _tell(message: str) -> None:
    click.echo(message, err=True)


def matching(
    metered: Metered,
    page: Iterable[Row],
    choice: Choice,
    step: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = _tell,
) -> Iterator[tuple[Row, Record]]:
    """Yield the rows whose captures hold the text and the headers; a capture that cannot be read is named."""
    needles = _needles(choice.grep) if choice.grep else ()
    for row, record, wrong in metered.captures(page):
        step()
        if wrong is not None:
            tell(f"exchange {row.id}: the capture cannot be read: {wrong}")
        if record is not None and _headed(record, choice.header) and _holds(row, record, choice.grep, needles):
            yield row, record


def captured(
    metered: Metered,
    choice: Choice,
    step: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = _tell,
) -> Iterator[tuple[Row, Record | None]]:
    """Yield what is chosen with its captures, oldest first; a capture that cannot be read is named."""
    after = None
    while page := metered.rows(Window(limit=_PAGE, after=after, newest=False, wanted=choice.filter)):
        after = page[-1].id
        if choice.reads_captures:
            yield from matching(metered, page, choice, step, tell)
            continue
        for row, record, wrong in metered.captures(page):
            step()
            if wrong is not None:
                tell(f"exchange {row.id}: the capture cannot be read: {wrong}")
            yield row, record


def _needles(text: str) -> tuple[bytes, ...]:
    """Return the text as it is and as JSON writes it, with and without escapes for what is not ASCII."""
    forms = (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    return tuple({form.encode("utf-8", "surrogatepass") for form in forms})


def _headed(record: Record, wanted: tuple[tuple[str, str], ...]) -> bool:
    held = [(name.lower(), value) for name, value in record.capture.request_headers or ()]
    return all(any(name == field and _like(value, text) for field, value in held) for name, text in wanted)


def _like(value: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, text.split("*"))), value, re.DOTALL) is not None


def _holds(row: Row, record: Record, text: str | None, needles: tuple[bytes, ...]) -> bool:
    if text is None:
        return True
    bodies = (record.capture.request_body or b"", record.capture.response_body or b"")
    if any(needle in body for body in bodies for needle in needles):
        return True
    return row.exchange.stream and any(text in block.text for block in reply_of(row.exchange, record.capture, WHOLE)[0])
