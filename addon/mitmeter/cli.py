"""The command line: `mitmeter [--dir DIR] ls | show | stats | tail | import | path | run | web` and `upkeep`."""

import os
import sqlite3
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

import mitmeter
from mitmeter import choosing, follow, shipping, tables, terminal, upkeep
from mitmeter.archive.record import RecordError
from mitmeter.choosing import Choice, chosen
from mitmeter.export import jsonl
from mitmeter.store.rows import Stat
from mitmeter.store.schema import SchemaError
from mitmeter.store.surface import to_json
from mitmeter.terminal import Commands, Place, Where, as_json, console, fail, pass_folder, progress, reading

GROUPS = ("model", "provider", "host", "path", "status", "outcome", "session", "credential", "day", "hour")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--dir", "place", type=Where(), help="The meter_dir to look at, or clickhouse://… of a fleet.")
@click.version_option(mitmeter.__version__, prog_name="mitmeter")
@click.pass_context
def main(context: click.Context, place: Place | None) -> None:
    """Look at what mitmeter metered: LLM traffic as rows and captures."""
    named = os.environ.get("MITMETER_DIR")
    context.obj = place or Where().convert(named or "~/.mitmproxy/meter", None, context)
    context.meta["mitmeter.given"] = "--dir" if place else named
    terminal.say_anything()


@main.command("ls")
@click.option("--json", "in_json", is_flag=True, help="One JSON object a line, oldest first.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, terminal.MOST), help="How many of the newest."
)
@click.option("--count", is_flag=True, help="Print only how many there are.")
@chosen
@click.pass_obj
def list_rows(place: Place, choice: Choice, in_json: bool, limit: int, count: bool) -> None:
    """List the newest exchanges, of all or of those chosen."""
    with reading(place) as metered:
        if count:
            number = metered.requests(choosing.narrowed(metered, choice))
            click.echo(as_json({"count": number}) if in_json else number)
            return
        rows = choosing.rows(metered, choice, limit)
    if in_json:
        for row in rows:
            click.echo(as_json(to_json(row)))
    else:
        console().print(tables.exchanges(rows, choice.nothing))


@main.command()
@click.argument("ident", metavar="ID", type=terminal.IDENT)
@click.option("--json", "in_json", is_flag=True, help="The row and its capture as one JSON object.")
@click.pass_obj
def show(place: Place, ident: int, in_json: bool) -> None:
    """Show one exchange with its capture."""
    with reading(place, wanted=True) as metered:
        row = metered.row(ident)
        if row is None:
            raise click.ClickException(f"there is no exchange {ident} in {metered.name}")
        try:
            record = metered.capture(ident)
        except (OSError, RecordError) as error:
            record = None
            click.echo(f"the capture cannot be read: {error}", err=True)
    if in_json:
        click.echo(as_json(jsonl.exchange(row, record)))
    else:
        for part in tables.exchange(row, record):
            console().print(part)


@main.command()
@click.option("--by", "group", type=click.Choice(GROUPS), default="model", show_default=True, help="What to add up by.")
@click.option("--json", "in_json", is_flag=True, help="One JSON object.")
@click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")
@chosen
@click.pass_obj
def stats(place: Place, choice: Choice, group: Any, in_json: bool, watch: bool) -> None:
    """Add up requests, tokens and cost, of all or of those chosen, and show what was dropped."""

    def look() -> tuple[list[Stat], dict[str, int]]:
        with reading(place) as metered:
            return metered.stats(group, choosing.narrowed(metered, choice)), metered.counters()

    if watch:
        follow.sums(look, group, choice.nothing, in_json)
    elif in_json:
        click.echo(as_json(jsonl.sums(group, *look())))
    else:
        console().print(tables.totals(*look(), group, choice.nothing))


@main.command()
@click.option("--json", "in_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "-n",
    "--lines",
    default=10,
    show_default=True,
    type=click.IntRange(0, terminal.MOST),
    help="Old rows to begin with.",
)
@click.option("--open", "under_way", is_flag=True, help="With --json: what is under way, too, each time it changes.")
@click.pass_obj
def tail(place: Place, in_json: bool, lines: int, under_way: bool) -> None:
    """Follow exchanges as they end, and on a terminal what is under way, until Ctrl-C."""
    try:
        if in_json:
            follow.in_json(place, lines, under_way)
        else:
            follow.for_people(place, lines)
    except KeyboardInterrupt:
        return
    except sqlite3.Error as error:
        fail(error)


@main.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--prices", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A TOML or JSON file of prices."
)
@pass_folder
def import_files(folder: Path, files: tuple[Path, ...], prices: Path | None) -> None:
    """Bring in what was recorded before: mitmproxy flow files, HAR logs, and archives of other machines.

    What cannot be read is named; ends with 1 where that is a file or the rest of one, or nothing else was found.
    """
    from mitmeter.importing import bring_in

    try:
        with progress("importing", None) as step:
            told = bring_in(folder, files, step, prices)
    except (OSError, sqlite3.Error, SchemaError, ValueError) as error:
        fail(error)
    misread = f", {told.misread} that cannot be read" if told.misread else ""
    click.echo(f"{told.added} added, {told.known} known already, {told.other} not LLM traffic{misread}")
    for trouble in told.troubles:
        click.echo(trouble, err=True)
    if told.cut or (told.misread and not (told.added or told.known or told.other)):
        raise SystemExit(1)


for command in (upkeep.export, upkeep.verify, upkeep.prune, upkeep.forget, shipping.ship):
    main.add_command(command)


def script() -> Path:
    """Return the addon script: inside an installed package, or beside the package in a checkout."""
    package = Path(mitmeter.__file__).parent
    installed = package / "script" / "meter.py"
    return installed if installed.exists() else package.parent / "meter.py"


@main.command()
@click.option("--script", "others", multiple=True, hidden=True, type=click.Path(exists=True, path_type=Path))
def selfcheck(others: tuple[Path, ...]) -> None:
    """Plant secrets in traffic through a real proxy of its own, and look for them in all that it leaves behind."""
    from mitmeter.selfcheck import check, table

    try:
        report = check(script(), others)
    except OSError as error:
        fail(error)
    click.echo("\n".join(table(report)))
    if report.found or not report.rows:
        raise SystemExit(1)


@main.command()
def path() -> None:
    """Print the path of the addon, for `mitmdump -s "$(mitmeter path)"`."""
    click.echo(script())


def _start(context: click.Context, tool: str, arguments: tuple[str, ...]) -> NoReturn:
    command = [str(Path(sys.executable).parent / tool), "-s", str(script())]
    if isinstance(context.obj, Path) and context.meta["mitmeter.given"]:
        command += ["--set", f"meter_dir={context.obj}"]
    elif context.meta["mitmeter.given"] == "--dir":
        raise click.UsageError("a proxy writes to a meter_dir; --set meter_clickhouse=… has it send from there, too")
    try:
        os.execv(command[0], [*command, *arguments])
    except OSError as error:
        raise click.ClickException(f"{command[0]} cannot be started: {error.strerror}") from error


@main.command()
@click.option("--port", default=8082, show_default=True, type=click.IntRange(0, 65535), help="0: one that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.pass_obj
def serve(place: Place, port: int, host: str) -> None:
    """Serve the page and its API from this meter_dir or fleet, until Ctrl-C; prints the address with its token."""
    from mitmeter.dashboard.serving import serve as run

    try:
        run(place, port, host, lambda url: click.echo(url))
    except OSError as error:
        fail(error)


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
