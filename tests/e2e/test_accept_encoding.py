"""What the upstream is asked for: metered requests only codings that can be undone, all else as the client sent it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import Mitm, capture, fetch, rows_of
from provider import Provider, Seen

type Lines = list[str]

METERED, OTHER = "/v1/chat/completions", "/v1/models"
BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
SIGNED = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/bedrock/aws4_request, SignedHeaders={}, Signature=ab12"
PRESIGNED = "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders={}&X-Amz-Signature=ab12"
CHROME = "gzip, deflate, br, zstd, dcb, dcz"


@dataclass(frozen=True)
class Case:
    """The client's lines, and those that the upstream gets (None: the same)."""

    sent: Lines
    got: Lines | None = None
    path: str = METERED
    authorization: str = ""


CASES = {
    "all-known": Case(["gzip, deflate, br, zstd"]),
    "no-spaces": Case(["gzip,deflate,br"]),
    "x-gzip-and-identity": Case(["x-gzip, identity"]),
    "mixed-case": Case(["GZip, BR"]),
    "weights-and-order": Case(["br;q=0.5, gzip"]),
    "weights-and-unknown": Case(["dcb;q=1.0, br;q=0.5, compress, gzip;q=0.25"], ["br;q=0.5, gzip;q=0.25"]),
    "refused-by-weight": Case(["gzip;q=0, br"]),
    "chrome": Case([CHROME], ["gzip, deflate, br, zstd"]),
    "star": Case(["gzip, *"], ["gzip"]),
    "star-refused": Case(["gzip, *;q=0"], ["gzip"]),
    "only-unknown": Case(["dcb, dcz, *"], ["identity"]),
    "only-star": Case(["*"], ["identity"]),
    "only-compress": Case(["compress"], ["identity"]),
    "repeated": Case(["gzip", "dcb, br;q=0.5", "*"], ["gzip, br;q=0.5"]),
    "repeated-known": Case(["gzip", "br"], ["gzip, br"]),
    "repeated-unknown": Case(["dcb", "dcz"], ["identity"]),
    "empty": Case([""]),
    "absent": Case([]),
    "signed": Case([CHROME], authorization=SIGNED.format("accept-encoding;host;x-amz-date")),
    "signed-without": Case(
        [CHROME], ["gzip, deflate, br, zstd"], authorization=SIGNED.format("host;x-amz-date;x-accept")
    ),
    "presigned": Case([CHROME], path=METERED + PRESIGNED.format("accept-encoding%3Bhost")),
    "presigned-without": Case([CHROME], ["gzip, deflate, br, zstd"], path=METERED + PRESIGNED.format("host")),
    "unmetered": Case([CHROME + ", *"], path=OTHER),
    "unmetered-repeated": Case(["dcb", "gzip,br;q=0.5", "*"], path=OTHER),
    "unmetered-absent": Case([], path=OTHER),
    "unmetered-unknown-path": Case(["compress"], path="/v1/something/else"),
}
named = pytest.mark.parametrize("name", CASES)


@dataclass(frozen=True)
class Bench:
    """What the upstream saw of each case, directly and through the proxy."""

    direct: dict[str, Seen]
    through: dict[str, Seen]
    meter_dir: Path


def headers(name: str) -> list[tuple[str, str]]:
    """What a case sends: odd header names keep their case, and their order is the client's."""
    case = CASES[name]
    lines = [("Accept-Encoding" if at % 2 else "accept-encoding", line) for at, line in enumerate(case.sent)]
    signed = [("Authorization", case.authorization)] if case.authorization else []
    return [("X-Odd-Case", "1"), *lines, ("User-Agent", name), *signed, ("x-last", "ä"), ("connection", "keep-alive")]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Provider() as upstream, Mitm(upstream.url, tmp_path_factory.mktemp("codings")) as proxy:

        def ask(port: int) -> dict[str, Seen]:
            for name, case in CASES.items():
                fetch(port, case.path, BODY, headers(name))
            return {seen.find("user-agent") or "": seen for seen in upstream.requests[-len(CASES) :]}

        yield Bench(ask(upstream.port), ask(proxy.port), proxy.meter_dir)


@named
def test_the_upstream_is_asked_for(bench: Bench, name: str) -> None:
    case, seen = CASES[name], bench.through[name]
    got = [value for key, value in seen.headers if key.lower() == "accept-encoding"]
    assert got == (case.sent if case.got is None else case.got)


@named
def test_nothing_else_is_changed(bench: Bench, name: str) -> None:
    def rest(seen: Seen) -> tuple[str, str, list[tuple[str, str]], bytes]:
        changed = {"host"} if CASES[name].got is None else {"host", "accept-encoding"}
        kept = [(key, value) for key, value in seen.headers if key.lower() not in changed]
        return seen.method, seen.target, kept, seen.body

    assert rest(bench.through[name]) == rest(bench.direct[name])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.path.startswith(METERED)])
def test_the_capture_has_the_clients_own(bench: Bench, name: str) -> None:
    (row,) = rows_of(bench.meter_dir, name)
    kept = capture(bench.meter_dir, row)["request_headers"]
    assert [value for key, value in kept if key.lower() == "accept-encoding"] == CASES[name].sent


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.path.startswith(METERED)])
def test_what_is_not_metered_has_no_row(bench: Bench, name: str) -> None:
    rows_of(bench.meter_dir, "presigned-without")
    assert rows_of(bench.meter_dir, name, seconds=0) == []
