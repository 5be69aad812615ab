"""llama-swap's own vectors for its Accept-Encoding filter and its decompression.

They hold as recorded, except for those in `OURS`, where its value is a defect or our rules differ on purpose.
"""

import base64
import functools
import json
from pathlib import Path
from typing import Any

import pytest

from mitmeter.wire.codings import Codings, filter_accept_encoding

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "llama-swap.json"
GROUPS = ("decompression", "accept_encoding_filter", "accept_encoding_forwarding")
USAGE = b'{"usage":{"prompt_tokens":100,"completion_tokens":50}}'

type Decoded = tuple[bytes, list[str]]

OURS: dict[str, tuple[Decoded | str | None, str]] = {
    "dec-04": ((b"hello world", ["coding_mislabeled"]), "br is decoded, and this is not br: handed on as it is"),
    "dec-05": ((b"not-really-gzip", ["coding_mislabeled"]), "a body without gzip's magic is handed on as it is"),
    "dec-08": ((USAGE, []), "x-gzip is gzip (RFC 9110, 8.4.1.3)"),
    "dec-09": ((USAGE, []), "deflate is zlib (RFC 9110, 8.4.1.2)"),
    "dec-11": ((USAGE, ["coding_mislabeled"]), "stacked codings are undone; the body was encoded only once"),
    "dec-12": ((USAGE, ["coding_mislabeled"]), "stacked codings are undone; br was never applied, gzip was"),
    "dec-13": ((USAGE[:-4], ["coding_truncated"]), "what came before the cut is kept"),
    "dec-14": ((USAGE, ["coding_truncated"]), "what came before the cut is kept"),
    "dec-15": ((USAGE, ["coding_checksum"]), "data with a wrong checksum is kept and flagged"),
    "dec-17": ((USAGE, ["coding_trailing_data"]), "trailing bytes are dropped and flagged"),
    "dec-18": ((USAGE[:-4], ["coding_truncated"]), "what came before the cut is kept"),
    "dec-19": ((b"", []), "an empty body (HEAD, 204, 304) is no error"),
    "dec-20": ((b"", ["coding_truncated"]), "zstd is decoded; this is a frame header without blocks"),
    "ae-01": (None, "an empty header is left as it is"),
    "ae-02": ("gzip, deflate, br", "br is decoded"),
    "ae-03": ("br, zstd", "br and zstd are decoded"),
    "ae-07": ("gzip, deflate, br, zstd", "br and zstd are decoded"),
    "ae-08": ("br", "br is decoded"),
    "ae-09": ("identity", "identity needs no decoding"),
    "ae-10": ("identity", "nothing is left: an empty value is not what the client meant, `*` would allow anything"),
    "ae-14": ("br;q=1.0, gzip;q=0.8", "br is decoded"),
    "ae-17": ("gzip ;q=0.5", "space before the weight is allowed (RFC 9110, 12.4.2)"),
    "ae-18": ("gzip\t;q=1", "space before the weight is allowed (RFC 9110, 12.4.2)"),
    "ae-19": ("x-gzip", "x-gzip is gzip (RFC 9110, 8.4.1.3)"),
    "ae-22": ("identity;q=1", "identity needs no decoding"),
    "ae-23": ("zstd, gzip", "zstd is decoded"),
    "ae-25": ("identity", "nothing is left"),
    "aef-1": ("gzip, br", "br is decoded"),
    "aef-2": ("gzip, deflate, br, zstd", "br and zstd are decoded"),
    "aef-3": ("br", "br is decoded"),
    "aef-4": ("br, gzip", "all lines count"),
    "aef-5": ("gzip, br", "all lines count, br is decoded"),
    "aef-6": (None, "an empty header is left as it is"),
}


@functools.cache
def vectors() -> dict[str, dict[str, Any]]:
    if not VECTORS.is_file():
        return {}
    groups = json.loads(VECTORS.read_text())
    return {vector["id"]: vector for group in GROUPS for vector in groups[group]}


def of(prefix: str) -> list[Any]:
    absent = pytest.mark.skip(reason=f"no vectors at {VECTORS}")
    named = [pytest.param(vector, id=name) for name, vector in vectors().items() if name.rpartition("-")[0] == prefix]
    return named or [pytest.param({}, marks=absent, id="vectors")]


def decode(vector: dict[str, Any]) -> Decoded:
    codings = Codings(vector["encoding"], output_limit=1 << 20, ratio_limit=1000)
    plain = codings.feed(base64.b64decode(vector["in_b64"])) + codings.close()
    return plain, codings.anomalies


@pytest.mark.parametrize("vector", of("dec"))
def test_decompression(vector: dict[str, Any]) -> None:
    if vector["id"] in OURS:
        expected = OURS[vector["id"]][0]
    else:
        assert "defect" not in vector
        expected = (base64.b64decode(vector["out_b64"]), [])
    assert decode(vector) == expected


@pytest.mark.parametrize("vector", of("ae"))
def test_accept_encoding_filter(vector: dict[str, Any]) -> None:
    assert filter_accept_encoding([vector["in"]]) == (OURS[vector["id"]][0] if vector["id"] in OURS else vector["out"])


@pytest.mark.parametrize("vector", of("aef"))
def test_accept_encoding_forwarding(vector: dict[str, Any]) -> None:
    theirs = (vector["forwarded_header_lines"] or [None])[0]
    expected = OURS[vector["id"]][0] if vector["id"] in OURS else theirs
    assert filter_accept_encoding(vector["client_header_lines"] or []) == expected


@pytest.mark.skipif(not VECTORS.is_file(), reason=f"no vectors at {VECTORS}")
def test_every_own_value_belongs_to_a_vector() -> None:
    assert OURS.keys() <= vectors().keys()
