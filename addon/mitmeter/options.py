"""The options a user sets, as data, and what they come to. Pure but for the home folder."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from mitmeter.fleet.address import Address, address
from mitmeter.fleet.connection import MISSING, installed
from mitmeter.outlets import Outgoing, available
from mitmeter.recorder import Limits
from mitmeter.redact.policy import Policy
from mitmeter.worker import Settings

PREFIX = "meter_"
PORTS = 65535


class Option(Struct, frozen=True):
    """One option: its default's type is the option's."""

    name: str
    default: str | int
    help: str
    choices: tuple[str, ...] | None = None


OPTIONS = (
    Option("meter_dir", "", "Where rows and captures are kept (default: meter in the confdir)."),
    Option("meter_filter", "", "Meter what this flow filter matches (default: known LLM APIs)."),
    Option("meter_capture", "all", "What captures hold of an exchange.", ("all", "headers", "none")),
    Option("meter_body_limit", "16m", "Bytes of each body that a capture keeps (k, m, g allowed)."),
    Option("meter_archive_limit", "2g", "Bytes of captures to keep; the oldest segments go first, rows stay."),
    Option("meter_archive_days", 0, "Days to keep captures (0: until the limit); rows stay."),
    Option("meter_port", 0, "Port of the page on 127.0.0.1 (0: none; mitmweb has it at /meter)."),
    Option("meter_clickhouse", "", "Also send what is kept to this ClickHouse: clickhouse://user@host/database."),
    Option("meter_sync", "never", "What must be on the disk before it counts as written.", ("never", "seal", "write")),
    Option("meter_keep_headers", "", "Headers whose values captures keep too (comma list)."),
    Option("meter_redact_headers", "", "Headers whose values are never kept, nor found elsewhere (comma list)."),
    Option("meter_session_headers", "", "Headers that name a request's conversation, before those known (comma list)."),
    Option("meter_redact_pii", False, "Redact e-mail addresses, card and account numbers in bodies too."),
    Option("meter_prices", "", "A TOML or JSON file of prices; off: none but what providers say."),
    Option("meter_warn_cost", "", "Say once a day that so many US dollars were spent; nothing is blocked."),
    Option("meter_warn_tokens", "", "Say once a day that so many tokens were used (k, m, g: thousands and so on)."),
    Option("meter_metrics_port", 0, "Serve /metrics for Prometheus on this port of 127.0.0.1 (0: do not)."),
    Option("meter_otel", "off", "Send metrics and spans by OTLP (content: and texts).", ("off", "on", "content")),
    Option("meter_semconv", "latest", "Names of metrics and spans; both: the older ones too.", ("latest", "both")),
)
NAMES = tuple(option.name for option in OPTIONS)

_SIZE = re.compile(r"(\d{1,15})([kmgt]?)b?", re.IGNORECASE)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_NUMBER = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)([kmgt]?)", re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


def size(name: str, value: str) -> int:
    """Return bytes; raises ValueError that says what is accepted."""
    found = _SIZE.fullmatch(value.strip())
    if found is None or not int(found[1]):
        raise ValueError(f"{name}: {value!r} is not a size; accepted are bytes, or a number with k, m or g")
    return int(found[1]) << _UNITS[found[2].lower()]


def line(name: str, value: str) -> float | None:
    """Return a number, k for a thousand, None where there is none; raises ValueError that says what is accepted."""
    if not value.strip():
        return None
    found = _NUMBER.fullmatch(value.strip())
    if found is None or not float(found[1]):
        raise ValueError(f"{name}: {value!r} is no number above 0; accepted are numbers such as 20, 2.5 or 3m")
    return float(found[1]) * float(10 ** (_UNITS[found[2].lower()] * 3 // 10))


def header_names(name: str, value: str) -> frozenset[str]:
    """Return the names of a comma list, in lower case; raises ValueError that says what is accepted."""
    listed = [one.strip().lower() for one in value.split(",") if one.strip()]
    wrong = [one for one in listed if not _NAME.fullmatch(one)]
    if wrong:
        raise ValueError(f"{name}: {wrong[0]!r} is not a header's name; accepted are names with commas between them")
    return frozenset(listed)


def clickhouse(name: str, value: str) -> Address | None:
    """Return the address of a fleet, None where none is set; raises ValueError that says what is accepted."""
    if not value.strip():
        return None
    try:
        found = address(value.strip())
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if not installed():
        raise ValueError(f"{name}: {MISSING}")
    return found


def settings(values: Mapping[str, Any], confdir: str, shown: bool = False) -> Settings:
    """Return what the options come to, `shown` where a page shows it; raises ValueError that says what is accepted."""
    for option in OPTIONS:
        if option.choices and values[option.name] not in option.choices:
            raise ValueError(f"{option.name}: accepted are {', '.join(option.choices)}")
    days = values["meter_archive_days"]
    if days < 0:
        raise ValueError("meter_archive_days: accepted is a number of days, or 0 for no limit by age")
    if not 0 <= values["meter_port"] <= 65535:
        raise ValueError("meter_port: accepted is a port, or 0 for no page")
    kept, forced = (header_names(name, values[name]) for name in ("meter_keep_headers", "meter_redact_headers"))
    sessions = header_names("meter_session_headers", values["meter_session_headers"])
    outgoing = going_out(values, shown)
    policy = Policy(keep=kept, redact=forced, pii=values["meter_redact_pii"])
    fleet = clickhouse("meter_clickhouse", values["meter_clickhouse"])
    return Settings(
        folder=Path(values["meter_dir"] or Path(confdir) / "meter").expanduser().absolute(),
        capture=values["meter_capture"],
        limits=Limits(
            body=size("meter_body_limit", values["meter_body_limit"]),
            policy=policy,
            sessions=tuple(sorted(sessions)),
            traced=outgoing.traced,
        ),
        archive_bytes=size("meter_archive_limit", values["meter_archive_limit"]),
        archive_days=days or None,
        sync=values["meter_sync"],
        port=values["meter_port"],
        outgoing=outgoing,
        fleet=fleet,
    )


def going_out(values: Mapping[str, Any], shown: bool) -> Outgoing:
    """Return what is to be told to whom; raises ValueError that says what is accepted."""
    port, prices = values["meter_metrics_port"], values["meter_prices"].strip()
    if not 0 <= port <= PORTS:
        raise ValueError(f"meter_metrics_port: accepted is a port up to {PORTS}, or 0 for none")
    tokens = line("meter_warn_tokens", values["meter_warn_tokens"])
    wanted = Outgoing(
        prices=Path(prices).expanduser().absolute() if prices not in ("", "off") else None,
        listed=prices != "off",
        measured=shown or values["meter_port"] > 0,
        metrics_port=port,
        otel=values["meter_otel"],
        old_names=values["meter_semconv"] == "both",
        warn_usd=line("meter_warn_cost", values["meter_warn_cost"].removeprefix("$")),
        warn_tokens=None if tokens is None else round(tokens),
    )
    available(wanted)
    return wanted
