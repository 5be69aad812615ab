"""What the commands share: opening a meter_dir, failing in one line, JSON lines, the console, progress."""

import contextlib
import io
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from functools import update_wrapper
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mitmeter.archive.record import RecordError
from mitmeter.archive.segments import SUFFIX
from mitmeter.fleet.address import Address, address, is_address
from mitmeter.local import Local
from mitmeter.metered import Metered
from mitmeter.store.schema import SchemaError
from mitmeter.store.sqlite import Store

MOST = 2**63 - 1  # of an integer in SQLite
IDENT = click.IntRange(0, MOST)

type Step = Callable[[], None]
type Place = Path | Address


class Where(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """A meter_dir, or the address of a fleet's ClickHouse."""

    name = "DIR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Return a path that is absolute, or an address."""
        if isinstance(value, str) and is_address(value):
            try:
                return address(value)
            except ValueError as error:
                self.fail(str(error), param, ctx)
        path = Path(value).expanduser().absolute()
        with contextlib.suppress(OSError):  # where a folder above may not be entered, the command says so
            if path.is_file():
                self.fail(f"Directory {str(value)!r} is a file.", param, ctx)
        return path


class Commands(click.Group):
    """Commands whose failures over a folder or a file are one line, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raises click.ClickException instead of what reading and writing raises."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except click.NoSuchOption as error:
            if error.option_name == "--dir":
                raise click.UsageError("--dir stands before the command: mitmeter --dir DIR ls", error.ctx) from error
            raise
        except (OSError, sqlite3.Error, SchemaError, RecordError) as error:
            fail(error)
        except UnicodeEncodeError as error:
            raise click.UsageError("an argument holds bytes that are no text in the locale's encoding", ctx) from error
        except UnicodeDecodeError as error:
            # What sqlite3 makes of a complaint of SQLite's that quotes a damaged name.
            fail(sqlite3.DatabaseError(f"the database is damaged ({error.reason})"))


def fail(error: Exception) -> NoReturn:
    """End the command with the error as its one line."""
    found: BaseException | None = error
    while isinstance(found, SchemaError):
        found = found.__cause__
    damaged = isinstance(found, sqlite3.DatabaseError) and not isinstance(found, sqlite3.OperationalError)
    advice = "; with meter.db moved away, `mitmeter verify` makes the rows again out of the captures" if damaged else ""
    said = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        said = f"{error.filename}: {error.strerror}"
    raise click.ClickException(f"{said}{advice}") from error


def opened(folder: Path, *, readonly: bool = True, wanted: bool = False) -> Store:
    """Open the database of a meter_dir that is there, or fail.

    A meter that has not seen anything yet is no failure, unless something of its is `wanted`: the command then ends.
    """
    path = folder / "meter.db"
    try:
        if not readonly and not path.exists() and not (folder / "captures").is_dir():
            raise FileNotFoundError(f"no database at {path}: nothing has been metered there yet")
        return Store(path, readonly=readonly)
    except FileNotFoundError as error:
        if any((folder / "captures").glob(f"*{SUFFIX}")):
            fail(FileNotFoundError(f"no database at {path}: `mitmeter verify` makes its rows again out of captures"))
        if wanted or not readonly or not (folder / "secret").exists():
            fail(error)
        click.echo("nothing has been metered yet", err=True)
        raise click.exceptions.Exit(0) from error
    except (OSError, sqlite3.Error, SchemaError) as error:
        fail(error)


def at(place: Place) -> Metered:
    """Open what was metered; raises FileNotFoundError where nothing was yet, OSError, sqlite3.Error, SchemaError."""
    if isinstance(place, Path):
        return Local(place)
    from mitmeter.fleet.remote import Remote

    return Remote(place)


def reading(place: Place, *, wanted: bool = False) -> Metered:
    """Open what was metered, or fail, as `opened` does."""
    if isinstance(place, Path):
        return Local(place, opened(place, wanted=wanted))
    try:
        return at(place)
    except (OSError, SchemaError) as error:
        fail(error)


def pass_folder(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the meter_dir; it fails where another kind of place was named."""

    @click.pass_context
    def run(context: click.Context, *args: Any, **options: Any) -> Any:
        if not isinstance(context.obj, Path):
            raise click.UsageError(
                f"`{context.info_name}` works on a meter_dir; see docs/fleet.md for the same in a fleet"
            )
        return command(context.obj, *args, **options)

    return update_wrapper(run, command)


def as_json(value: Any) -> str:
    """Return one line of ASCII: no separator or control character of a server's breaks the line or the terminal."""
    return json.dumps(value, separators=(",", ":"))


def say_anything() -> None:
    """Have signs that the terminal's encoding lacks written as escapes: what was metered is in any script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def console() -> Console:
    """Return the console for tables, as wide as the terminal, or 160 columns where there is none."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 160)


@contextlib.contextmanager
def progress(what: str, total: int | None) -> Iterator[Step]:
    """Show how far long work has come, on stderr where that is a terminal; call what is given for each step."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    told = Console(stderr=True)
    with Progress(*columns, console=told, transient=True, disable=not told.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
