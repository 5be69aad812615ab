"""`mitmeter ship`: sends what a meter_dir has to a fleet's ClickHouse, without a proxy."""

import logging
import os
import threading
from pathlib import Path

import click

from mitmeter.fleet import schema
from mitmeter.fleet.address import Address
from mitmeter.fleet.connection import Connection
from mitmeter.fleet.shipper import POLL_SECONDS, Shipper
from mitmeter.terminal import Where, pass_folder

VARIABLE = "MITMETER_CLICKHOUSE"


@click.command()
@click.option("--to", "place", type=Where(), help=f"clickhouse://user@host/database, without a password [${VARIABLE}].")
@click.option("--once", is_flag=True, help="Send what there is and end, with 1 where something was left.")
@click.option("--schema", "print_schema", is_flag=True, help="Print what makes the tables, for an administrator.")
@click.option("--rebuild-sums", is_flag=True, help="Add up `minutes` anew out of the rows; stop every sender before.")
@pass_folder
def ship(folder: Path, place: Path | Address | None, once: bool, print_schema: bool, rebuild_sums: bool) -> None:
    """Send rows and captures to ClickHouse as they come, until Ctrl-C; what is there already is not stored twice.

    The password is read from $MITMETER_CLICKHOUSE_PASSWORD, or from the file that $MITMETER_CLICKHOUSE_PASSWORD_FILE
    or ?password_file= names.
    """
    to = place or Where().convert(os.environ.get(VARIABLE, ""), None, None)
    if not isinstance(to, Address):
        raise click.UsageError(f"say where to: --to clickhouse://user@host/database, or ${VARIABLE}")
    if print_schema:
        for statement in schema.statements(to):
            click.echo(f"{statement};\n")
        click.echo(schema.versioned(to) + ";")
    elif rebuild_sums:
        connection = Connection(to)
        for statement in schema.summed_anew(to):
            connection.command(statement)
    else:
        logging.basicConfig(level=logging.WARNING, format="%(message)s")
        _ship(Shipper(folder, to), once)


def _ship(shipper: Shipper, once: bool) -> None:
    waiting = threading.Event()
    try:
        while True:
            sent = shipper.attempt()
            if once and not sent:
                break
            if not sent:
                waiting.wait(POLL_SECONDS if sent == 0 else 5 * POLL_SECONDS)
    except KeyboardInterrupt:
        return
    finally:
        shipper.close()
    mark = shipper.mark
    click.echo(f"{mark.shipped} rows are there, {mark.backlog} wait, {mark.left_out} were refused for good")
    if mark.backlog or sent is None:
        raise SystemExit(1)
