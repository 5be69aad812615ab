"""Records taken apart into bodies and the rest, and together again byte for byte."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mitmeter.archive.bodies import join, split
from mitmeter.archive.layout import sealed
from mitmeter.archive.record import RecordError, encode
from mitmeter.exchange import Capture, Outcome
from mitmeter.redact import Redacted

CAPTURE = Capture(
    flow_id="f", started=1.5, method="POST", url="http://h/x", path="/x", http_version="1", outcome=Outcome.COMPLETE
)
TEXT = st.text(max_size=5)
BODY = st.none() | st.binary(max_size=50)
ROW = st.none() | st.dictionaries(TEXT, st.none() | st.integers(0, 2**63) | st.floats() | TEXT)


@given(BODY, BODY, ROW, st.integers(0, 2**40), st.lists(st.tuples(TEXT, TEXT)).map(tuple))
def test_together_again_byte_for_byte(
    request: bytes | None, response: bytes | None, row: Any, ident: int, headers: Any
) -> None:
    held = replace(CAPTURE, request_body=request, response_body=response, request_headers=headers)
    record = encode(ident, cast(Redacted, held), row)
    parts = split(record)
    assert (parts.request_body, parts.response_body) == (request, response)
    assert join(parts) == record


WHOLE = encode(1, cast(Redacted, replace(CAPTURE, request_body=b"question")), {})


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(WHOLE[:-1], id="cut"),
        pytest.param(WHOLE.replace(b"question", b"Question"), id="another body"),
        pytest.param(sealed({"id": 1}), id="another kind"),
        pytest.param(b"\x01", id="a number"),
    ],
)
def test_what_is_damaged_is_refused(record: bytes) -> None:
    with pytest.raises(RecordError):
        split(record)


def test_another_body_is_noticed() -> None:
    with pytest.raises(RecordError):
        join(replace(split(WHOLE), request_body=b"answer"))
