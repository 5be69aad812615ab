"""What is asked for, and what is said where it is not there."""

import sys
from pathlib import Path

import pytest

from mitmeter.options import OPTIONS, settings
from mitmeter.outlets import Outgoing, Outlets, available
from mitmeter.telemetry.health import Health


def wanted(**changes: object) -> Outgoing:
    values = {option.name: option.default for option in OPTIONS} | changes
    return settings(values, "/nowhere").outgoing


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"meter_metrics_port": 70000}, "accepted is a port up to 65535", id="port"),
        pytest.param({"meter_otel": "yes"}, "accepted are off, on, content", id="otel"),
        pytest.param({"meter_semconv": "1.41"}, "accepted are latest, both", id="semconv"),
        pytest.param({"meter_warn_cost": "much"}, "accepted are numbers such as", id="cost"),
        pytest.param({"meter_warn_tokens": "0"}, "accepted are numbers such as", id="tokens"),
        pytest.param({"meter_prices": "/nowhere/prices.toml"}, "meter_prices: /nowhere/prices", id="prices"),
    ],
)
def test_what_is_accepted_is_said(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wanted(**changes)


def test_an_extra_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ValueError, match=r"pip install 'mitmeter\[otel\]'"):
        available(Outgoing(otel="on"))


@pytest.mark.parametrize(
    ("changes", "traced"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"meter_metrics_port": 9464}, True, id="a port"),
        pytest.param({"meter_port": 8082}, True, id="the page"),
        pytest.param({"meter_otel": "on"}, True, id="otel"),
        pytest.param({"meter_prices": "off"}, False, id="prices alone"),
    ],
)
def test_rows_are_traced_for_exporters_only(changes: dict, traced: bool) -> None:
    values = {option.name: option.default for option in OPTIONS} | changes
    assert settings(values, "/nowhere").limits.traced is traced


def test_the_lines_of_a_day() -> None:
    found = wanted(meter_warn_cost="$2.5", meter_warn_tokens="3m")
    assert (found.warn_usd, found.warn_tokens) == (2.5, 3_000_000)


def test_what_is_opened(tmp_path: Path) -> None:
    outlets = Outlets(Outgoing(measured=True), tmp_path)
    assert [name for name, _ in outlets.openings(Health)] == ["prices", "measures"]
    for _, opening in outlets.openings(Health):
        opening()
    assert list(outlets.exporters) == ["measures"]
    assert outlets.exposition is not None
    outlets.close()
