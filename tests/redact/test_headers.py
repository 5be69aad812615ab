"""Which headers and query values hold credentials, and that no value of them is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.exchange import Capture, Outcome
from mitmeter.redact import redact, without_bodies
from mitmeter.redact.headers import is_sensitive, redact_headers
from mitmeter.redact.urls import REDACTED, redact_url

SENSITIVE = (
    *("authorization", "proxy-authorization", "x-forwarded-authorization", "x-serverless-authorization"),
    *("cookie", "set-cookie", "cookie2", "set-cookie2"),
    *("x-api-key", "api-key", "apikey", "x-apikey", "openai-api-key", "anthropic-api-key", "x-litellm-api-key"),
    *("x-goog-api-key", "x-goog-iam-authorization-token", "x-goog-authenticated-user-jwt"),
    *("x-amz-security-token", "x-amz-credential", "x-amz-signature", "ocp-apim-subscription-key", "x-functions-key"),
    *("x-auth-token", "x-access-token", "x-auth", "x-auth-key", "private-token", "x-vault-token", "x-csrf-token"),
    *("cf-access-client-secret", "cf-access-jwt-assertion", "x-client-secret", "x-webhook-signature"),
    *("helicone-auth", "x-portkey-api-key", "x-portkey-virtual-key", "x-stainless-auth-token", "x-hf-token"),
    *("dpop", "signature", "x-password", "x-master-key", "x-admin-key", "sec-websocket-protocol", "authorization2"),
    *("Authorization", "X-API-KEY", "Set-Cookie", "X_API_KEY"),
)

HARMLESS = (
    *("content-type", "content-length", "content-encoding", "accept", "accept-encoding", "user-agent", "host"),
    *("x-ratelimit-remaining-tokens", "x-ratelimit-limit-tokens", "x-ratelimit-reset-tokens"),
    *("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-input-tokens-remaining", "anthropic-version"),
    *("x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count", "x-amzn-bedrock-cache-read-token-count"),
    *(
        "num-tokens",
        "num_tokens",
        "prompt-token-len",
        "sampling-token-len",
        "x-prompt-tokens",
        "fireworks-prompt-tokens",
    ),
    *("idempotency-key", "x-session-id", "x-request-id", "request-id", "openai-processing-ms", "openai-organization"),
    *(
        "www-authenticate",
        "proxy-authenticate",
        "etag",
        "date",
        "server",
        "x-monkey",
        "keyboard",
        "author",
        "tokenizer",
    ),
    *("x-cache-key", "sort-key", "traceparent", "retry-after", "cf-ray", "x-compression-token-time"),
)


@pytest.mark.parametrize("name", SENSITIVE)
def test_sensitive(name: str) -> None:
    assert is_sensitive(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless(name: str) -> None:
    assert not is_sensitive(name)


def test_order_names_and_every_value() -> None:
    headers = (("Set-Cookie", "a=1"), ("Accept", "1"), ("set-cookie", ""), ("Accept", "2"), ("X-Multi", "3"))
    assert redact_headers(headers) == (
        ("Set-Cookie", REDACTED),
        ("Accept", "1"),
        ("set-cookie", REDACTED),
        ("Accept", "2"),
        ("X-Multi", REDACTED),
    )


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        pytest.param("https://h/p", "https://h/p", id="nothing"),
        pytest.param("https://h/p?alt=1&n=2", "https://h/p?alt=1&n=2", id="harmless"),
        pytest.param("https://h/p?key=k", f"https://h/p?key={REDACTED}", id="key"),
        pytest.param("https://h/p?alt=1&key=k&n=2", f"https://h/p?alt=1&key={REDACTED}&n=2", id="among others"),
        pytest.param("https://h/p?api_key=k", f"https://h/p?api_key={REDACTED}", id="api_key"),
        pytest.param("https://h/p?api-key=k", f"https://h/p?api-key={REDACTED}", id="api-key"),
        pytest.param("https://h/p?apikey=k", f"https://h/p?apikey={REDACTED}", id="apikey"),
        pytest.param("https://h/p?access_token=k", f"https://h/p?access_token={REDACTED}", id="access_token"),
        pytest.param("https://h/p?X-Amz-Signature=k", f"https://h/p?X-Amz-Signature={REDACTED}", id="sigv4"),
        pytest.param("https://h/p?X-Amz-Security-Token=k", f"https://h/p?X-Amz-Security-Token={REDACTED}", id="sts"),
        pytest.param("https://h/p?X-Amz-Date=d", "https://h/p?X-Amz-Date=d", id="sigv4's date"),
        pytest.param("https://h/p?sig=k&se=d", f"https://h/p?sig={REDACTED}&se=d", id="sas"),
        pytest.param("https://h/p?%6bey=k", f"https://h/p?%6bey={REDACTED}", id="an escaped name"),
        pytest.param("https://h/p?api%5Fkey=k", f"https://h/p?api%5Fkey={REDACTED}", id="an escaped underscore"),
        pytest.param("https://h/p?KEY=k", f"https://h/p?KEY={REDACTED}", id="another case"),
        pytest.param("https://h/p?key=a=b", f"https://h/p?key={REDACTED}", id="an equals sign in the value"),
        pytest.param("https://h/p?key=a&key=b", f"https://h/p?key={REDACTED}&key={REDACTED}", id="twice"),
        pytest.param("https://h/p?key", "https://h/p?key", id="no value"),
        pytest.param("https://h/p?", "https://h/p?", id="empty"),
        pytest.param("https://h/p?alt=1?key=k", f"https://h/p?alt={REDACTED}", id="a question mark in a value"),
        pytest.param("https://u:pw@h/p", "https://h/p", id="user and password"),
        pytest.param("https://sk-1@h:8443/p", "https://h:8443/p", id="user alone"),
        pytest.param("https://u:p@w@h/p", "https://h/p", id="an at sign in the password"),
        pytest.param("https://u:pw@h?key=k", f"https://h?key={REDACTED}", id="no path"),
        pytest.param("https://h/a@b/p", "https://h/a@b/p", id="an at sign in the path"),
        pytest.param("https://h/p#access_token=k", "https://h/p", id="fragment"),
        pytest.param("/p?key=k", f"/p?key={REDACTED}", id="no host"),
        pytest.param("", "", id="nothing at all"),
        pytest.param("https://h/p?color=k", f"https://h/p?color={REDACTED}", id="a name that nobody knows"),
        pytest.param("https://h/p?model=m;key=k", f"https://h/p?model={REDACTED}", id="a pair within a harmless value"),
        pytest.param("https://h/p?model=org/a-b:1.5%3Ab", "https://h/p?model=org/a-b:1.5%3Ab", id="a model"),
        pytest.param("https://h/p?sk-1234", f"https://h/p?{REDACTED}", id="a value alone"),
        pytest.param(
            "https://h/v1/aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF/chat",
            f"https://h/v1/{REDACTED}/chat",
            id="a key in the path",
        ),
        pytest.param(
            "https://h/v1/responses/resp_68a0c5f2c0d081a0", "https://h/v1/responses/resp_68a0c5f2c0d081a0", id="an id"
        ),
    ],
)
def test_redact_url(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted


SECRET = "sk-proj-VerySecretValue0123456789"


@given(st.sampled_from(SENSITIVE), st.text(max_size=10), st.text(max_size=10))
def test_no_value_of_a_sensitive_header_is_left(name: str, before: str, after: str) -> None:
    assert SECRET not in repr(redact_headers(((name, before + SECRET + after), ("x", "y"), (name, SECRET))))


def test_a_capture_without_its_secrets() -> None:
    secret = (("X-Api-Key", SECRET), ("Cookie", SECRET), ("Accept", "kept"))
    redacted = redact(
        Capture(
            flow_id="f",
            started=0.0,
            method="POST",
            url=f"https://user:{SECRET}@h/p?key={SECRET}&alt=1",
            path="/p",
            http_version="HTTP/1.1",
            outcome=Outcome.COMPLETE,
            request_headers=secret,
            request_body=b"body",
            response_headers=secret,
            response_body=b"body",
            response_trailers=secret,
        )
    )
    assert SECRET not in repr(redacted)
    assert redacted.url == f"https://h/p?key={REDACTED}&alt=1"
    assert (redacted.request_headers or ())[2] == ("Accept", "kept")
    assert redacted.request_body == redacted.response_body == b"body"
    bare = without_bodies(redacted)
    assert (bare.request_body, bare.response_body, bare.url) == (None, None, redacted.url)


def test_parts_that_are_not_kept_stay_absent() -> None:
    capture = Capture(
        flow_id="f", started=0.0, method="POST", url="u", path="p", http_version="1", outcome=Outcome.COMPLETE
    )
    redacted = redact(capture)
    assert (redacted.request_headers, redacted.response_headers, redacted.response_trailers) == (None, None, None)
