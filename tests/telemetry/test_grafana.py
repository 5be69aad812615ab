"""The dashboard and the alert rules ask for names that are really exported, and fire over what they are for."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from telling import failed, told

from harness.mitm import ROOT
from harness.prometheus import where
from mitmeter.telemetry import names
from mitmeter.telemetry.health import Health
from mitmeter.telemetry.measures import Measures
from mitmeter.telemetry.prometheus import Exposition

FOLDER = ROOT / "scripts" / "grafana"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
RULES = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
FOUND = where()
needed = pytest.mark.skipif(FOUND is None, reason="no promtool here; scripts/prometheus installs one")
SERIES = re.compile(r"\b(?:gen_ai_(?:client|server)|mitmeter)_\w+")
LABELS = re.compile(r"\b(?:gen_ai_\w+|mitmeter_outcome|error_type|server_\w+)\b")


def exported() -> tuple[set[str], set[str]]:
    """The names of all series, and of all labels."""
    measures = Measures()
    for exchange in (told(cost_usd=0.5, cost_source="prices", server_ms=3.0), told(), failed()):
        measures(exchange)
    exposed = Exposition(measures, lambda: Health(counters={"rows_dropped": 1}))
    text = exposed.render("text/plain")[1].decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    series = {name + end for name, kind in kinds.items() for end in ENDS.get(kind, ("",))}
    labels = {label for attributes in re.findall(r"\{(.*)\}", text) for label in re.findall(r"(\w+)=", attributes)}
    return series, labels


ENDS = {"histogram": ("_bucket", "_sum", "_count")}


def expressions() -> list[str]:
    targets = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return targets + [
        variable["definition"] for variable in DASHBOARD["templating"]["list"] if "definition" in variable
    ]


def asked(text: str) -> set[str]:
    series, labels = exported()
    assert series
    return {name for name in SERIES.findall(text) if name not in labels}


@pytest.mark.parametrize("text", [*expressions(), RULES], ids=lambda text: text[:60])
def test_what_is_asked_for_is_exported(text: str) -> None:
    series, labels = exported()
    assert asked(text) - series == set()
    assert {label for label in LABELS.findall(text) if label not in series} - labels <= asked(text)


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(expressions())
    missing = {one.translated for one in (*names.CONVENTIONS, *names.OWN, *names.HEALTH) if one.translated not in shown}
    assert missing == {
        # Percentiles of sizes, and the time of the body's first byte, are for whoever asks.
        *("gen_ai_client_inference_operation_input_tokens", "gen_ai_client_inference_operation_output_tokens"),
        *("gen_ai_client_operation_time_to_first_chunk_seconds", "gen_ai_server_request_duration_seconds"),
    }


@needed
@pytest.mark.prometheus
def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    assert FOUND is not None
    done = subprocess.run([FOUND[1], "check", "rules", str(FOLDER / "alerts.yml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 rules found" in done.stdout


OF_MODEL = 'gen_ai_provider_name="p", gen_ai_response_model="m"'
GAPS = "gen_ai_client_operation_time_per_output_chunk_seconds"
FIRES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "NoFirstToken": ({"mitmeter_waiting_seconds": "90+0x60"}, {}),
    "FailingRequests": (
        {
            f'mitmeter_exchanges_total{{mitmeter_outcome="complete", {OF_MODEL}}}': "0+90x60",
            f'mitmeter_exchanges_total{{mitmeter_outcome="error", {OF_MODEL}}}': "0+10x60",
        },
        {"gen_ai_provider_name": "p", "gen_ai_response_model": "m"},
    ),
    "StallingStreams": (
        {f"{GAPS}_count{{{OF_MODEL}}}": "0+100x60", f'{GAPS}_bucket{{le="10.24", {OF_MODEL}}}': "0+99x60"},
        {"gen_ai_provider_name": "p", "gen_ai_response_model": "m"},
    ),
    "MeterDrops": ({'mitmeter_events_total{name="rows_dropped"}': "0+1x60"}, {"name": "rows_dropped"}),
    "MeterFails": ({'mitmeter_events_total{name="metering_failed"}': "0+1x60"}, {"name": "metering_failed"}),
    "MeterFallsBehind": ({"mitmeter_lag_seconds": "60+0x60"}, {}),
    "SpendRate": ({"mitmeter_cost_usd_total": "0+1x60"}, {}),
}


@needed
@pytest.mark.prometheus
@pytest.mark.parametrize("name", FIRES)
@pytest.mark.parametrize("fires", [True, False], ids=["fires", "is silent"])
def test_rules_fire_over_what_they_are_for(tmp_path: Path, name: str, fires: bool) -> None:
    assert FOUND is not None
    series, labels = FIRES[name]
    given = [{"series": one, "values": values if fires else "0+0x60"} for one, values in series.items()]
    severity = "info" if name == "SpendRate" else "warning"
    alert: dict[str, Any] = {"exp_labels": {"severity": severity, **labels}}
    case = {
        "rule_files": [str(FOLDER / "alerts.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": given,
                "promql_expr_test": [],
                "alert_rule_test": [{"eval_time": "50m", "alertname": name, "exp_alerts": [alert] if fires else []}],
            }
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(json.dumps(case))
    done = subprocess.run([FOUND[1], "test", "rules", str(path)], capture_output=True, text=True)
    told_of = done.stdout + done.stderr
    if fires and done.returncode:
        # Annotations are not asked for: only that it fires, and over whom.
        assert f'alertname="{name}"' in told_of.partition("got:")[2], told_of
        return
    assert done.returncode == 0, told_of
