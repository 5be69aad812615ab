"""Which dialect reads a request, and that a provider is one file of data."""

import ast
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import mitmeter
from mitmeter.usage import providers
from mitmeter.usage.dialect import Provider
from mitmeter.usage.paths import path
from mitmeter.usage.registry import discover, find

PACKAGE = Path(mitmeter.__file__).parent
ANY = "engine.lan"
AZURE = "res.openai.azure.com"


@pytest.mark.parametrize(
    ("host", "target", "who"),
    [
        pytest.param("api.openai.com", "/v1/chat/completions", ("openai", "chat"), id="openai chat"),
        pytest.param("eu.api.openai.com", "/v1/responses", ("openai", "responses"), id="openai, a region"),
        pytest.param("api.openai.com", "/v1/responses/compact", ("openai", "responses.compact"), id="compact"),
        pytest.param("api.openai.com", "/v1/responses/input_tokens", ("openai", "responses.input_tokens"), id="count"),
        pytest.param("api.openai.com", "/v1/embeddings", ("openai", "embeddings"), id="embeddings"),
        pytest.param("api.openai.com", "/v1/completions", ("openai", "completions"), id="completions"),
        pytest.param("api.anthropic.com", "/v1/messages", ("anthropic", "messages"), id="anthropic messages"),
        pytest.param("api.anthropic.com", "/v1/messages/count_tokens", ("anthropic", "count_tokens"), id="counting"),
        pytest.param("API.Anthropic.COM", "/v1/messages", ("anthropic", "messages"), id="host in another case"),
        pytest.param("api.groq.com", "/openai/v1/chat/completions", ("groq", "chat"), id="groq's prefix"),
        pytest.param(AZURE, "/openai/deployments/d/chat/completions", ("azure", "chat"), id="azure deployment"),
        pytest.param(AZURE, "/openai/deployments/d/embeddings", ("azure", "embeddings"), id="azure embeddings"),
        pytest.param(AZURE, "/openai/v1/responses", ("azure", "responses"), id="azure v1"),
        pytest.param(AZURE, "/openai/responses", ("azure", "responses"), id="azure responses"),
        pytest.param("x.services.ai.azure.com", "/models/chat/completions", ("azure", "chat"), id="azure foundry"),
        pytest.param(ANY, "/v1/chat/completions", ("openai", "chat"), id="anywhere: chat"),
        pytest.param(ANY, "/v1/chat/completions/", ("openai", "chat"), id="anywhere: slash at the end"),
        pytest.param(ANY, "/v/chat/completions", ("openai", "chat"), id="anywhere: versionless"),
        pytest.param(ANY, "/api/v1/chat/completions", ("openai", "chat"), id="anywhere: prefix"),
        pytest.param(ANY, "/upstream/a/model/v1/messages", ("anthropic", "messages"), id="anywhere: long prefix"),
        pytest.param(ANY, "/v1/rerank", ("openai", "rerank"), id="anywhere: rerank"),
        pytest.param(ANY, "/completion", ("llamacpp", "completion"), id="anywhere: completion"),
        pytest.param(ANY, "/infill", ("llamacpp", "infill"), id="anywhere: infill"),
        pytest.param("127.0.0.1", "/v1/responses", ("openai", "responses"), id="anywhere: an address"),
        pytest.param("api.deepseek.com", "/v1/embeddings", ("deepseek", "embeddings"), id="claimed host, any API"),
    ],
)
def test_recognised(host: str, target: str, who: tuple[str, str]) -> None:
    match = find("POST", host, target)
    assert match is not None
    assert (match.provider, match.dialect.api) == who


@pytest.mark.parametrize(
    ("method", "host", "target"),
    [
        pytest.param("POST", ANY, "/v1/models", id="models"),
        pytest.param("GET", "api.openai.com", "/v1/chat/completions", id="GET: stored completions"),
        pytest.param("POST", "api.openai.com", "/v1/responses/resp_1/cancel", id="cancel"),
        pytest.param("OPTIONS", ANY, "/v1/chat/completions", id="OPTIONS"),
        pytest.param("POST", "api.openai.com", "/v1/threads/x/messages", id="a thread's messages"),
        pytest.param("POST", ANY, "/v1/threads/x/messages", id="a thread's messages anywhere"),
        pytest.param("POST", ANY, "/v1/files", id="files"),
        pytest.param("POST", ANY, "/tokenize", id="tokenize"),
        pytest.param("POST", ANY, "/", id="root"),
        pytest.param("POST", ANY, "", id="nothing"),
        pytest.param("POST", ANY, "/chat/completions.html", id="a longer name"),
        pytest.param("POST", ANY, "/v1/xchat/completions2", id="another name"),
        pytest.param("POST", "example.org", "/forms/7/responses", id="a form's responses"),
        pytest.param("POST", "example.org", "/chat/7/messages", id="a chat's messages"),
        pytest.param("CONNECT", "api.openai.com", "/v1/chat/completions", id="CONNECT"),
    ],
)
def test_not_recognised(method: str, host: str, target: str) -> None:
    assert find(method, host, target) is None


@pytest.mark.parametrize(
    ("method", "host", "target"),
    [
        pytest.param("POST", "api.anthropic.com", "/v1/messages/batches", id="a batch"),
        pytest.param("POST", "api.anthropic.com", "/v1/messages/count_tokens", id="a count"),
        pytest.param("POST", "api.openai.com", "/v1/responses/input_tokens", id="a count of the other kind"),
    ],
)
def test_what_only_counts_is_no_consumption(method: str, host: str, target: str) -> None:
    match = find(method, host, target)
    assert match is None or not match.dialect.consumes


def test_a_host_that_looks_like_a_claimed_one_is_another() -> None:
    for host in ("api.openai.com.evil.example", "evil-api.openai.com.example", "apixopenai.com", "xapi.openai.com"):
        match = find("POST", host, "/v1/chat/completions")
        assert match is not None and match.clocks, "read by its path alone"


@pytest.mark.parametrize(
    ("host", "target", "model"),
    [
        pytest.param(AZURE, "/openai/deployments/my-gpt/chat/completions", "my-gpt", id="deployment"),
        pytest.param(AZURE, "/openai/v1/chat/completions", None, id="no deployment"),
        pytest.param(ANY, "/v1/chat/completions", None, id="anywhere"),
    ],
)
def test_path_model(host: str, target: str, model: str | None) -> None:
    match = find("POST", host, target)
    assert match is not None and match.path_model(target) == model


def modules() -> list[str]:
    return sorted(module.name for module in iter_modules(providers.__path__))


@pytest.mark.parametrize("module", modules())
def test_a_provider_file(module: str) -> None:
    """It exports PROVIDER, which is named like the file, links its sources and compiles."""
    loaded = import_module(f"mitmeter.usage.providers.{module}")
    provider = loaded.PROVIDER
    assert isinstance(provider, Provider)
    assert provider.name == module
    assert provider in discover()
    assert re.search(r"https://\S+", loaded.__doc__ or ""), "its sources are linked"
    assert provider.hosts or provider.dialects or provider.clocks or provider.signs
    for pattern in provider.hosts:
        re.compile(pattern)
    for dialect in provider.dialects:
        for pattern in dialect.paths:
            re.compile(pattern)
        assert dialect.paths and dialect.methods and dialect.api and dialect.operation
        if dialect.path_model:
            assert "model" in re.compile(dialect.path_model).groupindex
        for text in (*dialect.usage, *dialect.model, *dialect.finish, *dialect.errors):
            assert path(text) or not text
    assert len(Path(loaded.__file__ or "").read_text(encoding="utf-8").splitlines()) <= 90


def test_no_two_providers_share_a_name() -> None:
    names = [provider.name for provider in discover()]
    assert len(names) == len(set(names))


# Names that are words of English too: in prose they are not looked for, as values of the program they are.
WORDS = ("together", "writer", "voyage")
# A segment of paths on the wire (`/openai/responses`), behind gateways of any name; it does not say who answers.
SEGMENT = ("usage/apis/", "openai")

# Secrets and harmless headers are named after who issues them: tables about keys, where no dialect is read or chosen.
ISSUERS = ("redact/rules.py", "redact/harmless.py", "plants.py")


def prose(source: str) -> str:
    """The text of a file without links."""
    return re.sub(r"https?://\S+|\bgithub\.com/\S+", "", source)


def literals(source: str) -> set[str]:
    """The string constants of a file, docstrings and other statements of their own aside."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
    }


def test_a_providers_name_stands_in_its_own_file_only() -> None:
    names = [provider.name for provider in discover()]
    found = set()
    for file in PACKAGE.rglob("*.py"):
        own = file.relative_to(PACKAGE).as_posix()
        if own in ISSUERS:
            continue
        source = file.read_text(encoding="utf-8")
        words = {word.lower() for word in re.findall(r"[A-Za-z0-9]+", prose(source))}
        values = {word.lower() for value in literals(source) for word in re.findall(r"[A-Za-z0-9]+", value)}
        for name in names:
            if not own.startswith("usage/providers/") and name in (values if name in WORDS else words):
                found.add((own, name))
    apart = {(own, name) for own, name in found if own.startswith(SEGMENT[0]) and name == SEGMENT[1]}
    assert found - apart == set()
