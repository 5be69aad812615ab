"""The command line: `mitmeter [--dir DIR] ls | show | stats | tail | import | path | run | web`."""

import base64
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

import mitmeter
from mitmeter import shelf, tables
from mitmeter.archive.record import Record, RecordError
from mitmeter.store.rows import Row
from mitmeter.store.schema import SchemaError
from mitmeter.store.sqlite import Store
from mitmeter.store.surface import to_json

GROUPS = ("model", "provider", "host", "path", "outcome")
POLL_SECONDS = 0.5


def _default_folder() -> Path:
    return Path(os.environ.get("MITMETER_DIR") or Path("~/.mitmproxy/meter")).expanduser()


def _fail(error: Exception) -> NoReturn:
    raise click.ClickException(str(error)) from error


def _opened(folder: Path) -> Store:
    try:
        return Store(folder / "meter.db", readonly=True)
    except (OSError, sqlite3.Error, SchemaError) as error:
        _fail(error)


def _as_json(value: dict[str, Any]) -> str:
    """Return one line of ASCII: no separator or control character of a server's breaks the line or the terminal."""
    return json.dumps(value, separators=(",", ":"))


def _console() -> Console:
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 160)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), help="The meter_dir to look at.")
@click.version_option(mitmeter.__version__, prog_name="mitmeter")
@click.pass_context
def main(context: click.Context, folder: Path | None) -> None:
    """Look at what mitmeter metered: LLM traffic as rows and captures."""
    context.obj = (folder or _default_folder()).absolute()
    context.meta["mitmeter.given"] = folder is not None


@main.command("ls")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, oldest first.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="How many of the newest.")
@click.pass_obj
def list_rows(folder: Path, as_json: bool, limit: int) -> None:
    """List the newest exchanges."""
    with _opened(folder) as store:
        rows = store.rows(limit=limit)
    if as_json:
        for row in rows:
            click.echo(_as_json(to_json(row)))
    else:
        _console().print(tables.exchanges(rows))


@main.command()
@click.argument("ident", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="The row and its capture as one JSON object.")
@click.pass_obj
def show(folder: Path, ident: int, as_json: bool) -> None:
    """Show one exchange with its capture."""
    with _opened(folder) as store:
        row = store.row(ident)
        if row is None:
            raise click.ClickException(f"there is no exchange {ident} in {folder}")
        try:
            record = shelf.capture(folder, store, ident)
        except (OSError, RecordError) as error:
            record = None
            click.echo(f"the capture cannot be read: {error}", err=True)
    if as_json:
        click.echo(_as_json({**to_json(row), "capture": None if record is None else capture_json(record)}))
    else:
        for part in tables.exchange(row, record):
            _console().print(part)


def capture_json(record: Record) -> dict[str, Any]:
    """Return a capture in plain values: headers as lists of pairs, bodies as text, or base64 where they are none."""
    capture = record.capture
    plain: dict[str, Any] = {
        name: getattr(capture, name)
        for name in ("method", "url", "http_version", "status", "reason", "request_headers", "response_headers")
    }
    plain["response_trailers"] = capture.response_trailers
    for side in ("request", "response"):
        body, encoding = _body_json(getattr(capture, f"{side}_body"))
        plain[f"{side}_body"], plain[f"{side}_body_encoding"] = body, encoding
        plain[f"{side}_cut"] = getattr(capture, f"{side}_cut")
    plain["coding"] = capture.coding
    return plain


def _body_json(body: bytes | None) -> tuple[str | None, str | None]:
    if body is None:
        return None, None
    try:
        return body.decode("utf-8"), "text"
    except UnicodeDecodeError:
        return base64.b64encode(body).decode("ascii"), "base64"


@main.command()
@click.option("--by", "group", type=click.Choice(GROUPS), default="model", show_default=True, help="What to add up by.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def stats(folder: Path, group: Any, as_json: bool) -> None:
    """Add up requests and tokens, and show what was dropped."""
    with _opened(folder) as store:
        found, counters = store.stats(group), store.counters()
    if as_json:
        groups = [{field: getattr(stat, field) for field in stat.__struct_fields__} for stat in found]
        click.echo(_as_json({"by": group, "groups": groups, "counters": counters}))
        return
    console = _console()
    console.print(tables.sums(found, group))
    for name, number in counters.items():
        console.print(f"{name}: {number}", style="yellow")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "-n", "--lines", default=10, show_default=True, type=click.IntRange(min=0), help="Old rows to begin with."
)
@click.pass_obj
def tail(folder: Path, as_json: bool, lines: int) -> None:
    """Follow exchanges as they end, until Ctrl-C."""
    try:
        for row in _follow(folder, lines):
            click.echo(_as_json(to_json(row)) if as_json else tables.tail_line(row))
            sys.stdout.flush()
    except KeyboardInterrupt:
        return
    except sqlite3.Error as error:
        _fail(error)


def _follow(folder: Path, lines: int) -> Iterator[Row]:
    while not (folder / "meter.db").exists():
        time.sleep(POLL_SECONDS)
    with _opened(folder) as store:
        last = 0
        newest = store.rows(limit=max(lines, 1))
        if newest:
            last = newest[-1].id
            yield from newest[len(newest) - lines :] if lines < len(newest) else newest
        while True:
            for row in store.rows(after=last, limit=500, newest=False):
                last = row.id
                yield row
            time.sleep(POLL_SECONDS)


@main.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def import_files(folder: Path, files: tuple[Path, ...]) -> None:
    """Meter traffic that was recorded before: mitmproxy flow files and HAR logs."""
    from mitmeter.flows import Unreadable
    from mitmeter.importing import bring_in

    try:
        told = bring_in(folder, files)
    except (OSError, sqlite3.Error, SchemaError, Unreadable) as error:
        _fail(error)
    click.echo(f"{told.added} added, {told.known} known already, {told.other} not LLM traffic")


def script() -> Path:
    """Return the addon script: inside an installed package, or beside the package in a checkout."""
    package = Path(mitmeter.__file__).parent
    installed = package / "script" / "meter.py"
    return installed if installed.exists() else package.parent / "meter.py"


@main.command()
def path() -> None:
    """Print the path of the addon, for `mitmdump -s "$(mitmeter path)"`."""
    click.echo(script())


def _start(context: click.Context, tool: str, arguments: tuple[str, ...]) -> NoReturn:
    command = [str(Path(sys.executable).parent / tool), "-s", str(script())]
    if context.meta.get("mitmeter.given"):
        command += ["--set", f"meter_dir={context.obj}"]
    try:
        os.execv(command[0], [*command, *arguments])
    except OSError as error:
        raise click.ClickException(f"{command[0]} cannot be started: {error.strerror}") from error


_PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@main.command(context_settings=_PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Start mitmdump with the addon; all arguments go to mitmdump."""
    _start(context, "mitmdump", arguments)


@main.command(context_settings=_PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def web(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Start mitmweb with the addon; all arguments go to mitmweb."""
    _start(context, "mitmweb", arguments)
