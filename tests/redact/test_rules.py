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


SECRET = "sk-proj-aB3dE5gH7jK9mN1pQ3sT5vW7yZ9"
PIECES = [SECRET[at : at + 3] for at in range(0, len(SECRET), 3)]


def _token(text: str, others: int = 0) -> dict[str, object]:
    told = {"token": text, "logprob": -0.1, "bytes": [*text.encode()]}
    return told | {"top_logprobs": [_token(text)] * others} if others else told


PROBABILITIES: dict[str, object] = {
    "chat": {"logprobs": {"content": [_token(piece) for piece in PIECES]}},
    "chat, with others": {"logprobs": {"content": [_token(piece, 2) for piece in PIECES]}},
    "completions": {"logprobs": {"tokens": PIECES}},
    "generateContent": {"logprobsResult": {"chosenCandidates": [_token(piece) for piece in PIECES]}},
    "generate": {"details": {"tokens": [{"id": 1, "text": piece, "logprob": -0.1} for piece in PIECES]}},
    "completion": {"completion_probabilities": [_token(piece, 1) for piece in PIECES]},
}


@pytest.mark.parametrize("how", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
@pytest.mark.parametrize("kind", PROBABILITIES)
def test_probabilities_do_not_spell_it_out_again(kind: str, how: tuple[str, str]) -> None:
    body = json.dumps({"text": SECRET, "more": PROBABILITIES[kind]}, separators=how).encode()
    _left((Redactor((), "").body(body) or b"").decode())


def test_probabilities_in_a_stream() -> None:
    choices = [{"delta": {"content": one}, "logprobs": {"content": [_token(one, 2)]}} for one in PIECES]
    body = "".join(f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices).encode()
    _left((Redactor((), "").body(body, stream=True) or b"").decode())


def _left(cleaned: str) -> None:
    told = [json.loads(line.removeprefix("data: ")) for line in cleaned.split("\n\n") if line]
    assert told, "JSON stays JSON"
    for piece in PIECES[3:]:
        assert piece not in cleaned
        assert "".join(f"{byte}," for byte in piece.encode()).strip(",") not in cleaned.replace(" ", "")
