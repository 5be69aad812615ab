"""Real mitmdump under load, and what a real Prometheus and a real OTLP receiver make of it."""

import json
import re
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from receiving import plain, receiver, until

from harness import Mitm, rows, wait_rows
from harness.asking import CHAT, DOCUMENT, MESSAGES, STREAM, ask
from harness.ports import free_port
from harness.prometheus import Prometheus, where
from harness.rows import told
from mitmeter.telemetry import names
from provider import Provider

FOUND = where()
needed = pytest.mark.skipif(FOUND is None, reason="no Prometheus here; scripts/prometheus installs one")
COST = re.compile(r'^mitmeter_cost_usd_total\{.*="prices".*\} 16\.0$', re.MULTILINE)
MODELS = ("small", "large", "largest")
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def load(port: int, number: int, threads: int = 4) -> None:
    """Chats and messages, streamed and not, and some that the provider refuses."""

    def drive(lane: int) -> None:
        for at in range(lane, number, threads):
            path, body = (MESSAGES, {"max_tokens": 50}) if at % 5 == 1 else (CHAT, {})
            more = {"x_fault": "status:429"} if at % 10 == 9 else {}
            asked = {**(STREAM if at % 2 else DOCUMENT), "model": MODELS[at % 3], **body}
            ask(port, f"load-{at}", path, asked, **more)

    lanes = [threading.Thread(target=drive, args=(lane,)) for lane in range(threads)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()


def scrape(port: int, accept: str = "", host: str | None = None, path: str = "/metrics") -> tuple[str, str]:
    headers = {"Accept": accept} | ({"Host": host} if host else {})
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def total(found: list[dict[str, Any]], part: str, name: str) -> float:
    return sum(row[part][name] or 0 for row in found)


@pytest.fixture
def upstream() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mitm, int, list[dict[str, Any]]]]:
    folder, port = tmp_path_factory.mktemp("loaded"), free_port()
    with Provider() as upstream, Mitm(upstream.url, folder, options={"meter_metrics_port": str(port)}) as proxy:
        load(proxy.port, 300)
        yield proxy, port, wait_rows(proxy.meter_dir, 300, 20.0)


SUMS = {
    "gen_ai_client_inference_usage_input_tokens_total": ("usage", "input_tokens"),
    "gen_ai_client_inference_usage_output_tokens_total": ("usage", "output_tokens"),
    "gen_ai_client_inference_usage_cache_read_input_tokens_total": ("usage", "cache_read_tokens"),
    "gen_ai_client_inference_usage_cache_write_input_tokens_total": ("usage", "cache_write_tokens"),
    "gen_ai_client_inference_usage_reasoning_output_tokens_total": ("usage", "reasoning_tokens"),
    "mitmeter_request_body_bytes_total": ("sizes", "request_bytes"),
    "mitmeter_response_body_bytes_total": ("sizes", "response_bytes"),
}


@needed
@pytest.mark.prometheus
def test_a_real_prometheus_comes_to_the_sums_of_the_rows(loaded: Any, tmp_path: Path) -> None:
    _, port, found = loaded
    assert FOUND is not None
    assert len(found) == 300
    with Prometheus(FOUND[0], port, tmp_path) as prometheus:
        assert until(lambda: prometheus.number("sum(mitmeter_exchanges_total)") == 300)
        for name, (part, field) in SUMS.items():
            assert prometheus.number(f"sum({name})") == total(found, part, field), name
        for model in {row["model"] for row in found}:
            of_model = [row for row in found if row["model"] == model]
            expression = f'sum({next(iter(SUMS))}{{gen_ai_response_model="{model}"}})'
            assert prometheus.number(expression) == total(of_model, "usage", "input_tokens")
        failed = prometheus.number('sum(mitmeter_exchanges_total{mitmeter_outcome="error"})')
        assert failed == sum(row["outcome"] == "error" for row in found) > 0
        seconds = prometheus.number("sum(gen_ai_client_operation_duration_seconds_sum)")
        assert seconds == pytest.approx(total(found, "timing", "duration_ms") / 1000)
        first = prometheus.number("sum(mitmeter_time_to_first_token_seconds_count)")
        assert first == sum(row["timing"]["first_token_ms"] is not None for row in found)


@needed
@pytest.mark.prometheus
def test_promtool_finds_nothing_wrong_with_the_exposition(loaded: Any) -> None:
    assert FOUND is not None
    kind, text = scrape(loaded[1])
    assert kind.startswith("text/plain; version=0.0.4")
    done = subprocess.run([FOUND[1], "check", "metrics"], input=text, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_open_metrics_is_negotiated(loaded: Any) -> None:
    kind, text = scrape(loaded[1], OPEN_METRICS)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")


def test_every_instrument_is_exposed(loaded: Any) -> None:
    text = scrape(loaded[1])[1]
    for instrument in (*names.CONVENTIONS, *names.OWN, *names.HEALTH):
        suffix = "_total" if instrument.kind == "counter" else ""
        assert f"# TYPE {instrument.translated}{suffix} {instrument.kind}\n" in text


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        pytest.param("evil.example:9464", "/metrics", 403, id="another name for our address"),
        pytest.param(None, "/", 404, id="another path"),
    ],
)
def test_who_is_refused(loaded: Any, host: str | None, path: str, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        scrape(loaded[1], host=host, path=path)
    assert refused.value.code == status


def test_a_port_that_is_taken_is_told_and_metering_goes_on(upstream: Provider, tmp_path: Path) -> None:
    script = tmp_path / "patience.py"
    script.write_text("import mitmeter.outlets\nmitmeter.outlets.PATIENCE_SECONDS = 0\n")
    options = {"meter_metrics_port": str(upstream.port)}
    with Mitm(upstream.url, tmp_path, options=options, arguments=["-s", str(script)]) as proxy:
        assert until(lambda: ask(proxy.port, "a") and "/metrics" in proxy.output and "Address already" in proxy.output)
        assert wait_rows(proxy.meter_dir, 1)


def test_a_receiver_gets_all_of_two_thousand_exchanges(upstream: Provider, tmp_path: Path) -> None:
    with receiver() as receiving:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiving.url, "OTEL_BSP_SCHEDULE_DELAY": "500"}
        with Mitm(upstream.url, tmp_path, options={"meter_otel": "on", "flow_detail": "0"}, env=env) as proxy:
            load(proxy.port, 2000)
            found = wait_rows(proxy.meter_dir, 2000, 30.0)
            assert proxy.stop() == 0
        assert len(found) == 2000
        assert len(receiving.spans) == 2000
        assert {plain(span.attributes)["mitmeter.flow_id"] for span in receiving.spans} == {
            row["flow_id"] for row in found
        }
        for name, (part, field) in SUMS.items():
            if name.startswith("gen_ai"):
                (metric,) = [one for one in names.CONVENTIONS if f"{one.translated}_total" == name]
                points = receiving.metrics[metric.name].sum.data_points
                assert sum(point.as_int for point in points) == total(found, part, field)
        duration = receiving.metrics["gen_ai.client.operation.duration"].histogram.data_points
        assert sum(point.count for point in duration) == 2000


@pytest.mark.parametrize("state", ["down", "slow"])
def test_traffic_does_not_notice_a_receiver(upstream: Provider, tmp_path: Path, state: str) -> None:
    with receiver(delay_s=20.0) as receiving:
        url = receiving.url if state == "slow" else f"http://127.0.0.1:{free_port()}"
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BSP_MAX_QUEUE_SIZE": "20"}
        env |= {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
        with Mitm(upstream.url, tmp_path, options={"meter_otel": "on", "flow_detail": "0"}, env=env) as proxy:
            load(proxy.port, 200)
            assert len(wait_rows(proxy.meter_dir, 200, 20.0)) == 200
            assert until(lambda: ask(proxy.port, "more") and "otlp_spans_dropped" in proxy.output)
            assert proxy.output.count("otlp_spans_dropped") == 1
            assert "Traceback" not in proxy.output
            assert proxy.stop() == 0


def test_exporters_do_not_go_through_the_proxy_that_they_observe(upstream: Provider, tmp_path: Path) -> None:
    port = free_port()
    with receiver() as receiving:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiving.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        env |= dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), f"http://127.0.0.1:{port}")
        options = {"meter_otel": "on", "listen_port": str(port), "meter_filter": "~all"}
        with Mitm("", tmp_path, options=options, env=env, mode=f"reverse:{upstream.url}@{port}") as proxy:
            ask(port, "a")
            assert len(wait_rows(proxy.meter_dir, 1)) == 1
            assert until(lambda: receiving.spans)
            assert "/v1/traces" not in proxy.output
            assert [row["path"] for row in rows(proxy.meter_dir)] == [CHAT]


EXTRAS = """
import sys

def done():
    extras = ("genai_prices", "opentelemetry", "prometheus_client", "requests", "pydantic", "mitmeter.telemetry.otlp")
    print("IMPORTED", [name for name in extras if name in sys.modules])
"""


def test_what_is_not_asked_for_is_not_imported(upstream: Provider, tmp_path: Path) -> None:
    script = tmp_path / "extras.py"
    script.write_text(EXTRAS)
    with Mitm(upstream.url, tmp_path, arguments=["-s", str(script)]) as proxy:
        ask(proxy.port, "a")
        assert len(wait_rows(proxy.meter_dir, 1)) == 1
        assert proxy.stop() == 0
    assert "IMPORTED []" in proxy.output


def test_prices_and_a_days_lines(upstream: Provider, tmp_path: Path) -> None:
    prices, port = tmp_path / "prices.toml", free_port()
    prices.write_text('[[prices]]\nmodel = "*"\ninput = 1000000\noutput = 0\n')
    options = {"meter_prices": str(prices), "meter_warn_cost": "10", "meter_metrics_port": str(port)}
    with Mitm(upstream.url, tmp_path, options=options) as proxy:
        for at in range(4):
            ask(proxy.port, f"a{at}")
            found = wait_rows(proxy.meter_dir, at + 1)
        assert [row["cost_usd"] for row in found] == [4.0] * 4
        assert {row["cost_source"] for row in found} == {"prices"}
        assert [row["anomalies"] for row in found] == [[], [], ["over_cost"], []]
        assert proxy.output.count("beyond meter_warn_cost") == 1
        assert until(lambda: COST.search(scrape(port)[1]))
        assert told(proxy.meter_dir, "stats").count("16.00") == 1
        assert "4.0000" in told(proxy.meter_dir, "ls")
        assert proxy.stop() == 0


def test_what_was_said_goes_out_without_secrets_where_it_is_asked_for(upstream: Provider, tmp_path: Path) -> None:
    secret = "sk-ant-api03-" + "aB3" * 31 + "-AAAAAAAA"
    body = {**STREAM, "messages": [{"role": "user", "content": f"my key is {secret}, keep it"}], "temperature": 0.25}
    for content in ("on", "content"):
        with receiver() as receiving:
            env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiving.url}
            with Mitm(upstream.url, tmp_path / content, options={"meter_otel": content}, env=env) as proxy:
                ask(proxy.port, "a", CHAT, body, authorization=f"Bearer {secret}")
                wait_rows(proxy.meter_dir, 1)
                assert proxy.stop() == 0
            (span,) = receiving.spans
            has = plain(span.attributes)
            assert secret not in str(span)
            assert has["gen_ai.request.temperature"] == 0.25
            if content == "on":
                assert not {"gen_ai.input.messages", "gen_ai.output.messages"} & set(has)
            else:
                (asked,) = json.loads(has["gen_ai.input.messages"])
                assert asked["role"] == "user"
                assert asked["parts"][0]["content"].startswith("my key is [REDACTED")
                (reply,) = json.loads(has["gen_ai.output.messages"])
                assert (reply["role"], reply["finish_reason"]) == ("assistant", "stop")
