"""What is asked for, and what is said where it is not there."""

import subprocess
import sys
from pathlib import Path

import pytest

from mitmeter.options import OPTIONS, settings
from mitmeter.outlets import Outgoing, Outlets, available
from mitmeter.telemetry.health import Health

ADDON = Path(__file__).parents[2] / "addon"
OPENED = f"""
import logging, sys
from pathlib import Path
sys.path.insert(0, {str(ADDON)!r})
from mitmeter.options import OPTIONS, settings
from mitmeter.outlets import Outlets
logging.basicConfig(format="%(levelname)s %(message)s", level="INFO", stream=sys.stdout)
if sys.argv[1] == "without":
    sys.modules["genai_prices"] = None
for metered in range(2):
    values = {{option.name: option.default for option in OPTIONS}} | {{"meter_prices": sys.argv[2]}}
    for name, opening in Outlets(settings(values, "/nowhere").outgoing, Path("/nowhere")).openings(lambda: None):
        opening()
"""


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
    ("extra", "prices", "said"),
    [
        pytest.param(
            "without",
            "",
            ["INFO mitmeter: genai-prices is not installed, costs are known only from providers"],
            id="neither",
        ),
        pytest.param("without", "off", [], id="not wanted"),
        pytest.param("without", "own", [], id="a file"),
        pytest.param("with", "", [], id="the extra"),
    ],
)
def test_costs_that_stay_unknown_are_said_once(extra: str, prices: str, said: list[str], tmp_path: Path) -> None:
    if prices == "own":
        (tmp_path / "prices.json").write_text('[{"input": 1, "output": 2}]')
        prices = str(tmp_path / "prices.json")
    command = [sys.executable, "-c", OPENED, extra, prices]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60)
    assert [line.split(";")[0] for line in done.stdout.splitlines()] == said


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
