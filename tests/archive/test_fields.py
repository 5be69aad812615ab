"""Headers are written byte for byte as cbor2 writes them."""

import cbor2
import pytest

from mitmeter.archive.fields import Written, encode_headers, written
from mitmeter.exchange import Headers


@pytest.mark.parametrize("number", [0, 1, 23, 24, 255, 256, 65_535, 65_536])
def test_any_number_of_them(number: int) -> None:
    headers = tuple((f"x-{at}", "v") for at in range(number))
    encoded = encode_headers(headers)
    assert encoded.pairs.data == cbor2.dumps(headers)
    assert encoded.joined == Written(cbor2.dumps(dict(headers)))


@pytest.mark.parametrize(
    ("headers", "plain"),
    [
        pytest.param((("A", ""),), True, id="an empty value"),
        pytest.param((("A", "é" * 300), ("B", "x" * 70_000)), True, id="long values"),
        pytest.param((("A", "1"), ("a", "2")), False, id="a name in two cases"),
        pytest.param((("A", "1"), ("A", "1")), False, id="a name twice"),
    ],
)
def test_a_map_has_each_name_once(headers: Headers, plain: bool) -> None:
    for _ in range(2):
        encoded = encode_headers(headers)
        assert encoded.pairs.data == cbor2.dumps(headers)
        assert encoded.joined == (Written(cbor2.dumps(dict(headers))) if plain else None)


def test_what_utf_8_cannot_hold_is_replaced() -> None:
    encoded = encode_headers((("a\ud800", "\udfffb"),))
    assert cbor2.loads(encoded.pairs.data) == [["a\ufffd", "\ufffdb"]]


def test_it_stands_in_what_cbor2_writes() -> None:
    assert cbor2.dumps({"a": Written(b"\x01")}, default=written) == cbor2.dumps({"a": 1})
    with pytest.raises(cbor2.CBOREncodeTypeError):
        cbor2.dumps({"a": object()}, default=written)
