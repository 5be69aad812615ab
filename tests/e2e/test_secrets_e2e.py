"""Credentials stop at the door: none on disk, in our log lines or in what the command line shows; files are private."""

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zstandard

from harness import End, Mitm, fetch, wait_rows
from harness.rows import mitmeter
from provider import COOKIE, Provider

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
CANARY = "canary-7f3a"


HEADERS = {
    "Authorization": "Bearer {}",
    "authorization": "Basic {}",
    "X-Api-Key": "{}",
    "api-key": "{}",
    "x-goog-api-key": "{}",
    "Cookie": "a=1; session={}",
    "Proxy-Authorization": "Basic {}",
    "x-amz-security-token": "{}",
    "X-Auth-Token": "{}",
    "x-litellm-api-key": "{}",
    "cf-access-client-secret": "{}",
    "ocp-apim-subscription-key": "{}",
}
QUERIES = ("key", "api_key", "api-key", "access_token", "sig", "X-Amz-Signature", "X-Amz-Security-Token", "a%70i_key")
OUTCOMES = {"complete": "", "refused": "status:401", "cut": "cut:3", "unreachable": "no-headers"}
SECRETS = {
    **{f"header-{name}": f"{CANARY}-h{at}" for at, name in enumerate(HEADERS)},
    **{f"query-{name}": f"{CANARY}-q{at}" for at, name in enumerate(QUERIES)},
    "set-cookie": COOKIE.partition("=")[2],
}
# mitmproxy refuses a user in the request line, but takes one in Host; browsers send whole addresses as the Referer.
IN_VALUES = {name: f"{CANARY}-{name}" for name in ("user", "password", "referer-query", "referer-password")}


@dataclass(frozen=True)
class Traces:
    """What a run with secrets in it left behind."""

    meter_dir: Path
    log: str
    told: dict[str, str]
    raw: dict[str, bytes]


def everything(folder: Path) -> dict[str, bytes]:
    """Every file's bytes, and those of the segments once more without their coding."""
    raw: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            raw[path.name] = path.read_bytes()
            if path.name.endswith(".zst"):
                reader = zstandard.ZstdDecompressor().stream_reader(raw[path.name], read_across_frames=True)
                raw[f"{path.name} decoded"] = reader.read()
    return raw


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traces]:
    directory = tmp_path_factory.mktemp("secrets")
    with (
        Provider() as upstream,
        Mitm(upstream.url, directory, umask=0, options={"flow_detail": "0", "keep_host_header": "true"}) as proxy,
    ):
        for name, fault in OUTCOMES.items():
            given = [(header, shape.format(SECRETS[f"header-{header}"])) for header, shape in HEADERS.items()]
            query = "&".join(f"{one}={SECRETS[f'query-{one}']}" for one in QUERIES)
            given.append(("host", "{user}:{password}@127.0.0.1".format(**IN_VALUES)))
            given.append(("referer", "http://u:{referer-password}@h/?api_key={referer-query}".format(**IN_VALUES)))
            url = f"/v1/chat/completions?{query}"
            steering = [("x-shape", "cookie"), *([("x-fault", fault)] if fault else [])]
            reply = fetch(proxy.port, url, BODY, [("user-agent", name), *given, *steering])
            assert reply.end in (End.COMPLETE, End.CLOSED), reply
        assert len(wait_rows(proxy.meter_dir, len(OUTCOMES))) == len(OUTCOMES)
        told = {
            "ls": mitmeter(proxy.meter_dir, "ls").stdout,
            "ls --json": mitmeter(proxy.meter_dir, "ls", "--json").stdout,
        }
        for ident in range(1, len(OUTCOMES) + 1):
            told[f"show {ident}"] = mitmeter(proxy.meter_dir, "show", str(ident)).stdout
            told[f"show {ident} --json"] = mitmeter(proxy.meter_dir, "show", str(ident), "--json").stdout
        running = {f"{name} (while it runs)": raw for name, raw in everything(proxy.meter_dir).items()}
        assert proxy.stop() == 0
        yield Traces(proxy.meter_dir, proxy.output, told, {**running, **everything(proxy.meter_dir)})


def test_there_is_something_to_find(traces: Traces) -> None:
    decoded = b"".join(raw for name, raw in traces.raw.items() if name.endswith("decoded"))
    assert decoded.count(b"[REDACTED]") >= len(OUTCOMES) * (len(HEADERS) + len(QUERIES))
    assert "meter #" in traces.log
    shown = json.loads(traces.told["show 1 --json"])
    assert (shown["outcome"], shown["capture"]["status"]) == ("complete", 200)
    assert "set-cookie" in dict(shown["capture"]["response_headers"])
    assert shown["credential"].startswith("k_")


def leaks(places: dict[str, bytes], secrets: dict[str, str] = SECRETS) -> dict[str, list[str]]:
    """Where each secret is found."""
    found = {name: [place for place, raw in places.items() if text.encode() in raw] for name, text in secrets.items()}
    return {name: where for name, where in found.items() if where}


def test_no_secret_on_disk(traces: Traces) -> None:
    assert leaks(traces.raw) == {}


def test_no_secret_is_told(traces: Traces) -> None:
    assert leaks({command: text.encode() for command, text in traces.told.items()}) == {}


def test_no_secret_within_a_harmless_header(traces: Traces) -> None:
    assert leaks(traces.raw, IN_VALUES) == {}


def test_no_secret_in_the_log(traces: Traces) -> None:
    assert leaks({line: line.encode() for line in traces.log.splitlines()}) == {}


def test_files_are_private_whatever_the_umask(traces: Traces) -> None:
    paths = [traces.meter_dir, *traces.meter_dir.rglob("*")]
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in paths}
    expected = {path.name: "0o700" if path.is_dir() else "0o600" for path in paths}
    assert modes == expected
    assert {"meter.db", "captures"} < set(modes)
