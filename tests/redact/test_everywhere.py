"""Arbitrary secrets in arbitrary places and cuts: neither one nor a run of it is in what the sinks are given."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from urllib.parse import quote

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from mitmeter.archive.record import encode
from mitmeter.exchange import Answer, Opening, Outcome
from mitmeter.recorder import Limits, Recorder
from mitmeter.redact import Redactor
from mitmeter.redact.urls import REDACTED
from mitmeter.usage.registry import find

RUN = 12
SIGNS = st.characters(codec="ascii", categories=("L", "N"), include_characters="-_.+/=~:!$")
SECRETS = st.text(SIGNS, min_size=RUN, max_size=80).filter(lambda one: len(set(one)) > 3)
NOISE = st.text(st.sampled_from(' abcé"\\\n{}€'), max_size=20)
SHAPED = st.from_regex(
    r"sk-ant-api03-[A-Za-z0-9_-]{24,60}|ghp_[A-Za-z0-9]{36}|sk-proj-[A-Za-z0-9]{24,40}|hf_[A-Za-z0-9]{34}",
    fullmatch=True,
)
PATH = "/v1/chat/completions"


def runs(secret: str) -> set[bytes]:
    """Every run of a secret, but for those that could as well be the name of one of our own fields."""
    found = {secret[at : at + RUN].encode() for at in range(len(secret) - RUN + 1)}
    return {run for run in found if run.strip(b"abcdefghijklmnopqrstuvwxyz_")}


def sinks(
    secret: str, headers: list[tuple[str, str]], query: str, chunks: list[bytes], kind: str, limit: int = 1 << 20
) -> bytes:
    """What the archive and the database get of an exchange, and the text of its events put together."""
    asked = json.dumps({"model": f"m {secret}", "messages": [{"content": f"é\n{secret}"}]}).encode()
    opening = Opening(
        flow_id="f",
        started=0.0,
        zero=0.0,
        method="POST",
        url=f"https://h{PATH}{query}",
        headers=tuple(headers),
        body=asked,
    )
    recorder = Recorder(opening, find("POST", "h", PATH), limits=Limits(body=limit))
    recorder.answer(Answer(status=200, headers=(("Content-Type", kind), ("X-Echo", secret), ("Server", secret))), 0.0)
    for chunk in chunks:
        recorder.feed(chunk, 0.1)
    exchange, redacted = recorder.close(Outcome.UPSTREAM_ABORTED, 1.0, f"could not say {secret} to anyone")
    lines = (redacted.response_body or b"").split(b"\n")
    told = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {") and line.endswith(b"}")]
    said = [event["choices"][0]["delta"]["content"] for event in told]
    record = cbor2.loads(encode(1, redacted, to_builtins(exchange)))
    return b"\n".join((*leaves(record), repr(to_builtins(exchange)).encode(), "".join(said).encode()))


def leaves(value: object) -> Iterator[bytes]:
    """What a record holds, apart: the end of one value and the name of the next one may read like a key together."""
    if isinstance(value, dict | list):
        for item in chain.from_iterable(value.items()) if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value if isinstance(value, bytes) else str(value).encode()


def cut(text: str, sizes: list[int]) -> list[str]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    return [*pieces, text[at:]]


def events(pieces: list[str]) -> bytes:
    delta = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    return b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in delta)


CUTS = st.lists(st.integers(1, 30), max_size=20)


@settings(deadline=None)
@given(SECRETS, NOISE, NOISE, CUTS, CUTS, st.sampled_from(("Authorization", "X-Api-Key", "query", "basic", "cookie")))
def test_a_key_is_nowhere(secret: str, before: str, after: str, at: list[int], chunked: list[int], place: str) -> None:
    basic = base64.b64encode(f"u:{secret}".encode()).decode()
    given = {
        "Authorization": [("Authorization", f"Bearer {secret}")],
        "X-Api-Key": [("x-api-key", secret)],
        "basic": [("Authorization", f"Basic {basic}")],
        "cookie": [("Cookie", f"a=1; s={secret}")],
    }.get(place, [])
    query = f"?key={quote(secret, safe='')}" if place == "query" else ""
    body = events([before, *cut(secret, at), after]) + events([f"{before}{secret}{after}"])
    chunks = [piece.encode("latin-1") for piece in cut(body.decode("latin-1"), chunked)]
    left = sinks(secret, given, query, chunks, "text/event-stream")
    assert [run for run in runs(secret) if run in left] == []


@settings(deadline=None)
@given(SHAPED, st.sampled_from(("", " ", '"', "\n", "é", "= ")), CUTS)
def test_a_shape_is_nowhere(secret: str, before: str, at: list[int]) -> None:
    body = events(["it is", before, *cut(secret, at), " so"]) + events([f"{before}{secret} so"])
    left = sinks(secret, [("X-Some", secret)], "", [body], "text/event-stream")
    assert secret.encode() not in left
    assert [run for run in runs(secret[13:]) if run in left] == []


@settings(deadline=None)
@given(SECRETS, st.integers(0, 200))
@example("0000000001lr", 22)
def test_a_body_that_is_cut_ends_before_a_key(secret: str, kept: int) -> None:
    body = json.dumps({"error": {"message": f"no such key: {secret}"}}).encode()
    left = sinks(secret, [("Authorization", f"Bearer {secret}")], "", [body], "application/json", limit=kept + 1)
    assert [run for run in runs(secret) if run in left] == []


@settings(deadline=None)
@given(
    st.recursive(
        st.text(max_size=20) | st.integers() | st.none(),
        lambda one: st.lists(one) | st.dictionaries(st.text(max_size=8), one),
    ),
    SECRETS,
)
def test_json_stays_json_and_the_rest_as_it_was(document: object, secret: str) -> None:
    redactor = Redactor((("Authorization", f"Bearer {secret}"),), "")
    plain = json.dumps([document]).encode()
    if not any(run in plain for run in runs(secret)):
        assert redactor.body(plain) == plain
    for value in (secret, f"\n{secret}", f"\u20ac{secret}\\"):
        body = redactor.body(json.dumps([document, value]).encode())
        assert body is not None
        assert REDACTED in json.loads(body)[1]


@pytest.mark.parametrize("coded", [True, False])
def test_a_number_that_is_a_key_becomes_a_string(coded: bool) -> None:
    redactor = Redactor((("X-Api-Key", "123456789012345"),), "")
    body = json.dumps({"a": 123456789012345, "b": [123456789012345, 1]}, separators=None if coded else (",", ":"))
    assert json.loads(redactor.body(body.encode()) or b"") == {"a": REDACTED, "b": [REDACTED, 1]}


def test_what_keeps_us_busy_is_bounded() -> None:
    redactor = Redactor((("Authorization", "Bearer aaaaaaaaaaaaaaaaaaaaaaaa"),), "")
    assert redactor.body(b"a" * 2_000_000) == b"[REDACTED:too-many]"


def test_the_type_checker_rejects_what_is_not_redacted(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    script = tmp_path / "wrong.py"
    script.write_text(
        "from mitmeter.archive.record import encode\nfrom mitmeter.exchange import Capture\n\n"
        "def store(capture: Capture) -> bytes:\n    return encode(1, capture)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path), str(script)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"MYPYPATH": str(root / "addon")}, cwd=tmp_path
    )
    assert 'Argument 2 to "encode" has incompatible type "Capture"; expected "Redacted"' in done.stdout, done.stdout
