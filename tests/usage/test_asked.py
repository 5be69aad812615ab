"""What a request asked for, out of JSON and form bodies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.asked import read_request

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
FIELD = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\x00\xff model \r\n'
TYPED = b'--b\r\nContent-Disposition: form-data; name="model"\r\nContent-Type: text/plain\r\n\r\n m \r\n--b--'


@pytest.mark.parametrize(
    ("kind", "body", "asked"),
    [
        pytest.param("application/json", b'{"model":"m","stream":true}', ("m", True), id="json"),
        pytest.param("application/json", b'{"stream":true,"messages":[{"model":"x"}]}', (None, True), id="json: none"),
        pytest.param("", b'{"model":"m"}', ("m", False), id="json without a type"),
        pytest.param("text/plain", b'{"model":"m"}', ("m", False), id="json under another type"),
        pytest.param(FORM, b'{"model":"m"}', ("m", False), id="json under a form's type"),
        pytest.param("application/json", b'{"model":"m","stream":"true"}', ("m", False), id="stream in quotes"),
        pytest.param("application/json", b'{"model":"m","stream":1}', ("m", False), id="stream is 1"),
        pytest.param("application/json", b'{"model":""}', (None, False), id="empty"),
        pytest.param("application/json", b'{"model":null}', (None, False), id="null"),
        pytest.param("application/json", b'{"model":["m"]}', (None, False), id="array"),
        pytest.param("application/json", b'[{"model":"m"}]', (None, False), id="an array of documents"),
        pytest.param("application/json", b'{"model":"m","x":NaN}', ("m", False), id="NaN"),
        pytest.param("application/json", b'{"model":"m"', (None, False), id="cut"),
        pytest.param("application/json", b"", (None, False), id="no body"),
        pytest.param(FORM, b"model=whisper-1&x=1", ("whisper-1", False), id="form"),
        pytest.param(FORM, b"x=1&model=a%2Fb+c", ("a/b c", False), id="form: escaped"),
        pytest.param(FORM, b"x=1", (None, False), id="form: none"),
        pytest.param(FORM, b"&".join([b"a=1"] * 1000), (None, False), id="form: too many fields"),
        pytest.param(f"{FORM}; charset=utf-8", b"model=m", ("m", False), id="form with a charset"),
        pytest.param(MULTIPART, FIELD, ("whisper-1", False), id="multipart"),
        pytest.param(MULTIPART, FILE + FIELD, ("whisper-1", False), id="multipart: behind a file"),
        pytest.param(MULTIPART, TYPED, ("m", False), id="multipart: with a type"),
        pytest.param(MULTIPART, FILE, (None, False), id="multipart: none"),
        pytest.param(MULTIPART, FIELD[:50], (None, False), id="multipart: cut"),
        pytest.param(MULTIPART, FIELD.replace(b"whisper-1", b""), (None, False), id="multipart: empty"),
        pytest.param("Multipart/Form-Data; boundary=b", FIELD, ("whisper-1", False), id="multipart: another case"),
    ],
)
def test_read_request(kind: str, body: bytes, asked: tuple[str | None, bool]) -> None:
    found = read_request(CHAT, kind, body)
    assert (found.model, found.stream) == asked


@given(st.sampled_from(("application/json", FORM, MULTIPART, "", "x")), st.binary(max_size=80))
def test_any_body_is_taken(kind: str, body: bytes) -> None:
    found = read_request(CHAT, kind, body)
    assert found.model is None or found.model
    assert found.stream in (True, False)
