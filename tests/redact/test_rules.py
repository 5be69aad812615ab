"""Secrets that nothing but the name beside them betrays, and what only looks like one."""

import json

import pytest

from mitmeter.redact import Redactor
from mitmeter.redact.shapes import find_shapes

KEY = "q7Rt2LmZ9xKc4Vb8Nw1PzA6y"
SLASHED = "q7Rt2Lm/9xKc4V+b8Nw1PzA6y/Tu3Q=="
BASIC = "dXNlcjpwYXNzd29yZA=="

TOLD = {
    "a tool server's header": (json.dumps({"headers": {"Authorization": f"Bearer {KEY}"}}), KEY),
    "a tool server's authorization": (json.dumps({"type": "mcp", "authorization": KEY}), KEY),
    "a tool server's token": (json.dumps({"mcp_servers": [{"authorization_token": KEY}]}), KEY),
    "a command": (f"curl -H 'Authorization: Bearer {KEY}' https://h/", KEY),
    "JSON within JSON": (json.dumps(json.dumps({"authorization": f"Token {KEY}"})), KEY),
    "no name": (f"send it as bearer {KEY}, please", KEY),
    "a password in base64": (f"Authorization: Basic {BASIC}", BASIC),
    "a token with dots": (f"Bearer {KEY}.{KEY}", f"{KEY}.{KEY}"),
    "a password in base64 without padding": ("authorization=Basic dXNlcjpwYXNzd29yZDE", "dXNlcjpwYXNzd29yZDE"),
    "another scheme": (f"Authorization: Token {KEY}", KEY),
    "a key of base64": (json.dumps({"api_key": SLASHED}), SLASHED),
    "a password": (f"password={KEY}", KEY),
}
HARMLESS = {
    "a place for one": "Authorization: Bearer ${OPENAI_API_KEY_123}",
    "words": "authorization: bearer-token-authentication-required",
    "a call": 'headers["Authorization"] = bearer_token_of(request_1234)',
    "prose": "the bearer understandsthathedoesnothavetopay",
    "prose of what is basic": "basic internationalization=on, basic understandingofeverything",
    "a file": "password: /etc/secrets/2024/01/02/database",
    "an address": "api_key=https://host.example/v1/123456789",
    "a member": "api_key=settings1.clients2.other3.value.of.it",
}


@pytest.mark.parametrize("name", TOLD)
def test_what_its_name_betrays(name: str) -> None:
    text, secret = TOLD[name]
    data = text.encode()
    assert [data[start:end].decode() for start, end, _ in find_shapes(data)] == [secret]


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_like_it(name: str) -> None:
    assert find_shapes(HARMLESS[name].encode()) == []


@pytest.mark.parametrize("others", [0, 2])
@pytest.mark.parametrize("stream", [True, False])
def test_probabilities_do_not_spell_it_out_again(stream: bool, others: int) -> None:
    secret = "sk-proj-aB3dE5gH7jK9mN1pQ3sT5vW7yZ9"
    pieces = [secret[at : at + 3] for at in range(0, len(secret), 3)]
    told = [_token(piece) | {"top_logprobs": [_token(piece)] * others} for piece in pieces]
    choices = [
        {"delta": {"content": piece}, "logprobs": {"content": [one]}} for piece, one in zip(pieces, told, strict=True)
    ]
    whole = {"choices": [{"message": {"content": secret}, "logprobs": {"content": told}}]}
    events = "".join(f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices)
    body = (events if stream else json.dumps(whole)).encode()
    cleaned = (Redactor((), "").body(body, stream=stream) or b"").decode()
    left = [json.loads(line.removeprefix("data: ")) for line in cleaned.split("\n\n") if line]
    assert left, "JSON stays JSON"
    assert all(piece not in cleaned and json.dumps([*piece.encode()]) not in cleaned for piece in pieces[3:])


def _token(text: str) -> dict[str, object]:
    return {"token": text, "logprob": -0.1, "bytes": [*text.encode()]}
