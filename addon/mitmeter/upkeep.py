"""Commands that keep the archive: `verify`, `prune`, `forget`, `export`."""

import sys
from pathlib import Path
from typing import Any

import click
from msgspec import to_builtins
from msgspec.structs import replace

from mitmeter import choosing, exporting, recovery, retention, tables
from mitmeter.archive.segments import SUFFIX, is_open
from mitmeter.choosing import Choice, Instant, chosen
from mitmeter.local import Local
from mitmeter.store.filters import Filter, Window
from mitmeter.store.sqlite import Store
from mitmeter.terminal import IDENT, Place, as_json, console, opened, pass_folder, progress, reading

_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_PAGE = 500


class Size(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """Bytes, or a number with k, m, g or t."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        if isinstance(value, int):
            return value
        text = value.strip().lower().removesuffix("b")
        number, unit = (text[:-1], text[-1]) if text and text[-1] in _UNITS else (text, "")
        if not number.isdecimal() or len(number) > 15:
            self.fail(f"{value!r} is not a size; accepted are bytes, or a number with k, m, g or t", param, ctx)
        return int(number) << _UNITS[unit]


@click.command()
@click.option("--json", "in_json", is_flag=True, help="The verdict as one JSON object.")
@click.option("--dry-run", is_flag=True, help="Index nothing.")
@click.option("--forget-lost", is_flag=True, help="Take what cannot be read out of the index; its rows stay.")
@pass_folder
def verify(folder: Path, in_json: bool, dry_run: bool, forget_lost: bool) -> None:
    """Read every capture, index what is not indexed, name what cannot be read; ends with 1 where there is any."""
    with opened(folder, readonly=dry_run) as store:
        total = len(list((folder / "captures").glob(f"*{SUFFIX}")))
        with progress("verifying", total) as step:
            verdict = recovery.verify_all(folder, store, change=not dry_run, seen=lambda path: step())
        lost = [ident for finding in verdict.findings for ident in finding.idents]
        if forget_lost and not dry_run:
            with store.batch() as batch:
                batch.release(lost)
    if in_json:
        click.echo(as_json({"sound": verdict.sound, **to_builtins(verdict)}))
    else:
        console().print(*tables.verdict(verdict, dry_run), sep="\n")
    sys.exit(0 if verdict.sound else 1)


@click.command()
@click.argument("idents", metavar="[ID]...", nargs=-1, type=IDENT)
@click.option("--id", "more", multiple=True, type=IDENT, help="This one (as an argument does).")
@click.option("--older-than", type=Instant(), metavar="AGE", help="That began before this: 30d, or a time.")
@click.option("--max-size", type=Size(), help="Then delete the oldest segments until no more than this is left.")
@click.option("--rows", is_flag=True, help="Delete the rows, too.")
@click.option("--dry-run", is_flag=True, help="Delete nothing, and say what would be.")
@click.option("--json", "in_json", is_flag=True, help="What went, as one JSON object.")
@chosen
@pass_folder
def prune(folder: Path, /, choice: Choice, **given: Any) -> None:
    """Delete captures from the disk, for good; rows stay."""
    idents, older, most = (*given["idents"], *given["more"]), given["older_than"], given["max_size"]
    if older is not None:
        until = older if choice.filter.until is None else min(older, choice.filter.until)
        choice = replace(choice, filter=replace(choice.filter, until=until))
    picky = not choice.is_all
    if not (idents or picky or most is not None):
        raise click.UsageError("say what is to go: IDs, a filter, --older-than or --max-size")
    _prune(folder, choice if picky else None, idents, most, given)


@click.command()
@click.argument("idents", metavar="ID...", nargs=-1, required=True, type=IDENT)
@click.option("--rows", is_flag=True, help="Delete the rows, too.")
@click.option("--json", "in_json", is_flag=True, help="What went, as one JSON object.")
@pass_folder
def forget(folder: Path, /, idents: tuple[int, ...], **given: Any) -> None:
    """Delete the captures of these exchanges for good, so that they can be found nowhere on the disk."""
    _prune(folder, None, idents, None, {**given, "dry_run": False})


def _prune(
    folder: Path, choice: Choice | None, idents: tuple[int, ...], most: int | None, given: dict[str, Any]
) -> None:
    dry, rows = given["dry_run"], given["rows"]
    with opened(folder, readonly=dry) as store:
        unknown = sorted(set(idents) - set(store.idents(Filter(idents=idents)))) if idents else []
        wanted = set(idents) | (set() if choice is None else _chosen(folder, store, choice))
        with progress("rewriting", None) as step:
            told = retention.prune(folder, store, wanted, rows=rows, dry=dry, seen=lambda name: step())
        gone = []
        if most is not None:
            gone = _excess(folder, most) if dry else retention.trim(folder, store, 0.0, most, None)
    result = {"dry_run": dry, **to_builtins(told), "segments": gone, "unknown": unknown}
    if given["in_json"]:
        click.echo(as_json(result))
    else:
        would = "would go" if dry else "gone"
        click.echo(f"{would}: {told.captures} captures, {told.rows} rows, {len(gone)} whole segments")
    for name in told.held:
        pid = name.split("-")[1] if name.count("-") > 1 else "?"
        said = f"{name} is being written by process {pid}, so its captures stay: it is sealed when full, after an hour"
        click.echo(f"{said} of use, or when that proxy stops; run this again then", err=True)
    if told.unreadable:
        click.echo(f"{told.unreadable} captures that could not be read went with a segment", err=True)
    _end(unknown, failed=bool(told.held))


def _end(unknown: list[int], *, failed: bool = False) -> None:
    """End with 1 where something failed, or ids stand for no exchange."""
    if unknown:
        click.echo(f"there is no exchange {', '.join(map(str, unknown))}", err=True)
    if unknown or failed:
        sys.exit(1)


def _chosen(folder: Path, store: Store, choice: Choice) -> set[int]:
    return set(store.idents(choosing.narrowed(Local(folder, store), choice)))


def _excess(folder: Path, most: int) -> list[str]:
    found = [(path, path.stat().st_size) for path in sorted((folder / "captures").glob(f"*{SUFFIX}"))]
    excess = sum(size for _, size in found) - most
    gone = []
    for path, size in found:
        if excess > 0 and not is_open(path):
            excess -= size
            gone.append(path.name)
    return gone


@click.command()
@click.argument("idents", metavar="[ID]...", nargs=-1, type=IDENT)
@click.option("--format", "form", default="jsonl", show_default=True, type=click.Choice(exporting.FORMATS))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A file, instead of standard output.")
@chosen
@click.pass_obj
def export(place: Place, choice: Choice, idents: tuple[int, ...], form: exporting.Format, out: Path | None) -> None:
    """Write exchanges, all or those chosen, for other tools: JSON lines, HAR 1.2, a mitmproxy flow file, llama-swap's
    frame (one ID), or conversations for fine-tuning."""
    if out is None and form in ("flows", "frame") and sys.stdout.isatty():
        raise click.UsageError("this is binary: name a file with --out, or redirect it")
    if idents:
        choice = replace(choice, filter=replace(choice.filter, idents=idents))
    with reading(place) as metered, progress("exporting", metered.requests(choice.filter)) as step:
        try:
            with exporting.destination(out) as file:
                written, left = exporting.write(file, form, choosing.captured(metered, choice, step))
        except ValueError as error:
            raise click.ClickException(str(error)) from error
        there = metered.rows(Window(wanted=Filter(idents=idents))) if idents else ()
        unknown = sorted(set(idents) - {row.id for row in there})
    rest = f", {left} left out" if left else ""
    click.echo(f"{written} exported{rest}", err=True)
    _end(unknown)
