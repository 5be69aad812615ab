"""The hash of a credential: the same for the same key wherever it stands, and nothing of the key in it."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.exchange import Headers
from mitmeter.redact.secrets import credential, find_key, session

SALT = b"0123456789abcdef0123456789abcdef"
KEY = "sk-proj-abcDEF0123456789"
BASIC = base64.b64encode(f"user:{KEY}".encode()).decode()
NAMELESS = base64.b64encode(f":{KEY}".encode()).decode()
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=fe5f80f77d5fa3beca038a248ff027d0"
)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        pytest.param((("Authorization", f"Bearer {KEY}"),), "", id="bearer"),
        pytest.param((("authorization", f"bearer  {KEY} "),), "", id="bearer in another case"),
        pytest.param((("Authorization", KEY),), "", id="no scheme"),
        pytest.param((("Authorization", f"Token {KEY}"),), "", id="token"),
        pytest.param((("Authorization", f"Basic {BASIC}"),), "", id="basic"),
        pytest.param((("Authorization", f"Basic {NAMELESS}"),), "", id="basic without a user"),
        pytest.param((("x-api-key", KEY),), "", id="x-api-key"),
        pytest.param((("api-key", KEY),), "", id="api-key"),
        pytest.param((("X-Goog-Api-Key", KEY),), "", id="x-goog-api-key"),
        pytest.param((("X-Litellm-Api-Key", KEY),), "", id="a gateway's"),
        pytest.param(
            (("Sec-WebSocket-Protocol", f"realtime, openai-insecure-api-key.{KEY}, beta"),), "", id="a browser's socket"
        ),
        pytest.param((("Helicone-Auth", f"Bearer {KEY}"),), "", id="another gateway's"),
        pytest.param((), f"alt=sse&key={KEY}", id="query key"),
        pytest.param((), f"api_key={KEY}", id="query api_key"),
        pytest.param((("Cookie", "s=1"), ("x-api-key", KEY)), "", id="beside a cookie"),
        pytest.param((("x-api-key", ""), ("api-key", KEY)), "", id="beside an empty one"),
        pytest.param((("Proxy-Authorization", "Basic eDp5"), ("x-api-key", KEY)), "", id="beside a proxy's"),
    ],
)
def test_the_same_key_has_the_same_hash(headers: Headers, query: str) -> None:
    assert find_key(headers, query) == KEY
    assert credential(headers, query, SALT) == credential((("x-api-key", KEY),), "", SALT)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        pytest.param((), "", id="nothing"),
        pytest.param((("Content-Type", "x"),), "alt=sse", id="nothing of the kind"),
        pytest.param((("Authorization", ""),), "", id="empty"),
        pytest.param((("Authorization", "  "),), "", id="blank"),
        pytest.param((("Cookie", "session=1"),), "", id="a cookie"),
        pytest.param((("Sec-WebSocket-Protocol", "realtime, openai-beta.realtime-v1"),), "", id="no key offered"),
        pytest.param((("Proxy-Authorization", "Basic eDp5"),), "", id="a proxy's"),
        pytest.param((), "key=", id="an empty query key"),
    ],
)
def test_no_credential(headers: Headers, query: str) -> None:
    assert credential(headers, query, SALT) is None


@pytest.mark.parametrize(
    ("signed", "key"),
    [
        pytest.param(SIGNED, "AKIAEXAMPLE", id="AWS"),
        pytest.param(SIGNED.replace("AWS4-", "TC3-"), "AKIAEXAMPLE", id="Tencent"),
        pytest.param(SIGNED.replace("AWS4-", ""), "AKIAEXAMPLE", id="Volcengine"),
        pytest.param("ACS3-HMAC-SHA256 Credential=LTAIx,SignedHeaders=host,Signature=fe5f", "LTAIx", id="Alibaba"),
        pytest.param(
            'Signature version="1",keyId="ocid1.tenancy/ocid1.user/20:3b",signature="fe5f20260101"',
            "ocid1.tenancy/ocid1.user/20:3b",
            id="OCI",
        ),
    ],
)
def test_a_signed_request_is_known_by_its_access_key(signed: str, key: str) -> None:
    assert find_key((("Authorization", signed),), "") == key
    resigned = signed.replace("20260101", "20260102").replace("fe5f", "0000")
    assert credential((("Authorization", signed),), "", SALT) == credential((("Authorization", resigned),), "", SALT)


@given(st.text(alphabet=st.characters(codec="ascii", categories=("L", "N")), min_size=9))
def test_the_hash_says_nothing_of_the_key(key: str) -> None:
    found = credential((("Authorization", f"Bearer {key}"),), "", SALT)
    assert found is not None and re.fullmatch(r"k_[0-9a-f]{8}", found)
    assert key not in found
    assert found != credential((("Authorization", f"Bearer {key}"),), "", SALT[::-1]), "another secret, another hash"


@given(st.lists(st.tuples(st.sampled_from(("Authorization", "x-api-key", "x-token", "a")), st.text())), st.text())
def test_any_request_is_taken(headers: list[tuple[str, str]], query: str) -> None:
    found = credential(tuple(headers), query, SALT)
    assert found is None or len(found) == 10


SESSION = session("a", (), None, SALT)


@pytest.mark.parametrize(
    ("ident", "beginning", "spent_by", "salt", "same"),
    [
        pytest.param("a", (), "k_1", SALT, True, id="whoever asks, by the client's id"),
        pytest.param("a", ("x",), None, SALT, True, id="however it begins"),
        pytest.param("b", (), None, SALT, False, id="another id"),
        pytest.param("a", (), None, SALT[::-1], False, id="another secret"),
        pytest.param(None, ("a",), None, SALT, False, id="a beginning is no id"),
    ],
)
def test_sessions_by_id(
    ident: str | None, beginning: tuple[str, ...], spent_by: str | None, salt: bytes, same: bool
) -> None:
    assert (session(ident, beginning, spent_by, salt) == SESSION) is same


def test_sessions_by_beginning() -> None:
    told = [
        ("k_1", ("be", "hi")),
        ("k_2", ("be", "hi")),
        ("k_1", ("beh", "i")),
        ("k_1", ("", "be", "hi")),
        (None, ("be",)),
    ]
    assert len({session(None, beginning, spent_by, SALT) for spent_by, beginning in told}) == len(told)
    assert session(None, (), "k_1", SALT) is None


@given(st.text(min_size=9))
def test_a_session_says_nothing_of_the_clients_id(ident: str) -> None:
    found = session(ident, (), None, SALT)
    assert found is not None and re.fullmatch(r"s_[0-9a-f]{16}", found) and ident not in found
