"""What `mitmeter selfcheck` plants: secrets, each in the place where it is sent, and answers that say them again."""

import base64
import gzip
import json
import re
import secrets
from urllib.parse import quote

from msgspec import Struct

HEADERS = (
    *("Authorization", "Proxy-Authorization", "X-Api-Key", "api-key", "x-goog-api-key", "x-amz-security-token"),
    *("X-Auth-Token", "x-litellm-api-key", "cf-access-client-secret", "ocp-apim-subscription-key", "Helicone-Auth"),
    *("X-Access-Token", "X-Forwarded-Authorization", "X-Vault-Token", "private-token", "x-portkey-api-key", "dpop"),
    *("X-Csrf-Token", "X-Some-Custom-Thing", "OpenAI-Organization", "x-functions-key", "Sec-WebSocket-Protocol"),
)
QUERIES = (
    "key",
    "api_key",
    "api-key",
    "access_token",
    "sig",
    "code",
    "token",
    "X-Amz-Signature",
    "password",
    "whatever",
)
SHAPES = {
    "openai": "sk-proj-{word}", "anthropic": "sk-ant-api03-{word}", "openrouter": "sk-or-v1-{hex}{hex}",
    "deepseek": "sk-{hex}", "google": "AIzaSy{alnum33}", "aws": "AKIA{upper16}", "github": "ghp_{alnum36}",
    "github-fine": "github_pat_{word}", "gitlab": "glpat-{word}", "slack": "xoxb-{hex}", "stripe": "sk_live_{hex}",
    "sendgrid": "SG.{alnum22}.{alnum33}{alnum10}", "huggingface": "hf_{alnum34}", "groq": "gsk_{alnum36}{alnum16}",
    "xai": "xai-{hex}{hex}", "perplexity": "pplx-{hex}{hex}", "npm": "npm_{alnum36}",
    "pypi": "pypi-AgEIcHlwaS{word}{hex}", "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4{hex}.{hex}",
    "shopify": "shpat_{hex}",
    "private-key": "-----BEGIN PRIVATE KEY-----\nMIIE{hex}{hex}\n{hex}\n-----END PRIVATE KEY-----",
}  # fmt: skip
ECHOES = ("plain", "url-escaped", "base64", "json-escaped", "in an error", "in an event", "across events", "compressed")
HELD = "held"

type Request = tuple[str, list[tuple[str, str]], bytes]
type Answer = tuple[int, list[tuple[str, str]], list[bytes]]


class Plant(Struct, frozen=True):
    """A secret, where it was put, and the text that would betray it."""

    place: str
    text: str
    sign: str


def _random(kind: str) -> str:
    size = int(re.sub(r"\D", "", kind) or 32)
    if kind == "hex":
        return secrets.token_hex(16)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" + ("" if kind.startswith("upper") else "abcdefghijklmnopqrstuvwxyz01")
    return "".join(secrets.choice(letters) for _ in range(size))


class Garden:
    """Makes plants and remembers them."""

    def __init__(self) -> None:
        self.plants: list[Plant] = []

    def put(self, place: str, shape: str = "{alnum24}") -> str:
        """Return a new secret for a place."""
        parts: list[str] = []

        def fill(found: re.Match[str]) -> str:
            parts.append(_random(found[1]))
            return parts[-1]

        text = re.sub(r"\{(\w+)\}", fill, shape)
        self.plants.append(Plant(place, text, max(parts, key=len)))
        return text


def _event(text: str) -> bytes:
    return b"data: %s\n\n" % json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode()


def _said(text: str) -> bytes:
    return json.dumps({"model": "m", "choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def _echoed(how: str, key: str) -> Answer:
    """Return the answer of an upstream that repeats a key."""
    kind = [("Content-Type", "application/json")]
    if how == "in an error":
        return (
            401,
            kind,
            [json.dumps({"error": {"message": f"Incorrect API key provided: {key}", "type": key}}).encode()],
        )
    if how == "in an event":
        return 200, [("Content-Type", "text/event-stream")], [_event(f"your key is {key}"), b"data: [DONE]\n\n"]
    if how == "across events":
        pieces = [key[at : at + 5] for at in range(0, len(key), 5)]
        return 200, [("Content-Type", "text/event-stream")], [*map(_event, ["it is ", *pieces]), b"data: [DONE]\n\n"]
    if how == "compressed":
        return 200, [*kind, ("Content-Encoding", "gzip")], [gzip.compress(_said(key))]
    coded = {
        "url-escaped": quote(key, safe="").replace("-", "%2D"),
        "base64": base64.b64encode(b"user:" + key.encode()).decode(),
    }.get(how, key)
    return 200, kind, [_said(coded)]


def plan(garden: Garden) -> tuple[dict[str, Request], dict[str, Answer]]:
    """Return the requests by name, and how the upstream is to answer each."""
    put, path = garden.put, "/v1/chat/completions"
    answers: dict[str, Answer] = {}
    plain = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
    fine = (200, [("Content-Type", "application/json")], [_said("hello")])
    requests: dict[str, Request] = {}
    named = [(name, f"Bearer {put(f'header {name}')}" if "Auth" in name else put(f"header {name}")) for name in HEADERS]
    named.append(("Cookie", f"a=1; session={put('cookie')}"))
    basic = base64.b64encode(f"{put('user of basic auth')}:{put('password of basic auth')}".encode()).decode()
    host = [("Host", f"{put('user in Host')}:{put('password in Host')}@127.0.0.1")]
    host.append(("Referer", f"http://u:{put('password in Referer')}@h/?api_key={put('query in Referer')}"))
    query = "&".join(f"{name}={put(f'query {name}')}" for name in QUERIES)
    requests |= {"headers": (path, named, plain), "basic": (path, [("Authorization", f"Basic {basic}")], plain)}
    requests |= {"query": (f"{path}?{query}", [], plain), "host": (path, host, plain)}
    cookies = [("Set-Cookie", f"s={put(f'set-cookie {at}')}; Path=/; HttpOnly") for at in (1, 2)]
    answers |= dict.fromkeys(("basic", "query", "host"), fine)
    answers["headers"] = (200, [*fine[1], *cookies, ("X-Unknown", put("unknown response header"))], fine[2])
    for name, shape in SHAPES.items():
        told = f"my key:\n{put(f'request body {name}', shape)} ok"
        asked = json.dumps({"model": "m", "messages": [{"role": "user", "content": told}]}).encode()
        chunked = [_said(put(f"response body {name}", shape))]
        requests[f"shape {name}"] = (path, [], asked)
        answers[f"shape {name}"] = (200, fine[1], [part for one in chunked for part in (one[:70], one[70:])])
    zipped = gzip.compress(json.dumps({"model": "m", "prompt": put("compressed request", SHAPES["openai"])}).encode())
    requests["zipped"], answers["zipped"] = (path, [("Content-Encoding", "gzip")], zipped), fine
    spelled = put("spelled out over events", SHAPES["anthropic"])
    requests["events"] = (path, [], plain)
    answers["events"] = (
        200,
        [("Content-Type", "text/event-stream")],
        [_event(spelled[at : at + 3]) for at in range(0, 99, 3)],
    )
    key = put("key under way")
    held = [("Authorization", f"Bearer {key}"), ("X-Some-Session", put("header under way"))]
    requests[HELD] = (f"/{key}{path}?key={put('query under way')}", held, plain)
    answers[HELD] = (200, [("Content-Type", "text/event-stream")], [_event(f"it is {key}"), b"data: [DONE]\n\n"])
    for how in ECHOES:
        key = put(f"key echoed {how}")
        requests[f"echo {how}"] = (path, [("Authorization", f"Bearer {key}")], plain)
        answers[f"echo {how}"] = _echoed(how, key)
    return requests, answers
