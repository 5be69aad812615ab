"""What an exchange cost: whose word counts, the user's file, and the list as genai-prices itself would have it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import genai_prices
import pytest
from msgspec.structs import replace

import corpus
from mitmeter.exchange import Exchange, Usage
from mitmeter.prices import listed
from mitmeter.prices.listed import Listed, counted
from mitmeter.prices.overrides import read
from mitmeter.prices.pricing import Pricing
from mitmeter.usage.registry import owner

NOW = 1_795_000_000.0
OURS = """
[[prices]]
model = "local-*"
input = 1.0
output = 3.0
cache_read = 0.5

[[prices]]
model = "gpt-4o*"
host = "*.example.com"
input = 7
output = 8
"""


def exchange(**changes: Any) -> Exchange:
    fields: dict[str, Any] = {
        "flow_id": "f",
        "started": NOW,
        "method": "POST",
        "host": "api.openai.com",
        "path": "/v1/chat/completions",
        "provider": "openai",
        "model": "gpt-4o-2024-08-06",
        "usage": Usage(input_tokens=1_000_000, output_tokens=100_000, cache_read_tokens=400_000, source="body"),
        **changes,
    }
    return Exchange(**fields)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(OURS)
    return path


def told(priced: Exchange) -> tuple[float | None, str | None]:
    return priced.cost_usd, priced.cost_source


@pytest.mark.parametrize(
    ("changes", "cost"),
    [
        pytest.param({"cost_usd": 0.125}, (0.125, "provider"), id="the provider's own word"),
        pytest.param({"cost_usd": 0.0}, (0.0, "provider"), id="for nothing"),
        pytest.param({}, (1.5 + 0.5 + 1.0, "prices"), id="the list"),
        pytest.param({"model": "local-7b", "host": "127.0.0.1"}, (0.6 + 0.2 + 0.3, "prices"), id="the user's file"),
        pytest.param({"model": None, "request_model": "local-7b"}, (1.1, "prices"), id="what was asked for"),
        pytest.param({"host": "api.example.com"}, (7.8, "prices"), id="a host in the user's file"),
        pytest.param({"host": "127.0.0.1"}, (None, None), id="a host that nobody claims"),
        pytest.param({"model": "never-heard-of"}, (None, None), id="a model that nobody knows"),
        pytest.param({"usage": Usage()}, (None, None), id="no counts"),
        pytest.param(
            {"usage": Usage(input_tokens=1, cache_read_tokens=5, source="body")}, (None, None), id="counts at odds"
        ),
    ],
)
def test_whose_word_counts(ours: Path, changes: dict, cost: tuple[float | None, str | None]) -> None:
    found = told(Pricing(ours)(exchange(**changes)))
    assert found == (cost[0] if cost[0] is None else pytest.approx(cost[0]), cost[1])


def test_a_price_changes_no_count(ours: Path) -> None:
    asked = exchange()
    assert replace(Pricing(ours)(asked), cost_usd=None, cost_source=None) == asked


def test_without_the_list_there_is_what_the_provider_says(ours: Path) -> None:
    pricing = Pricing(listed=False)
    assert told(pricing(exchange())) == (None, None)
    assert told(pricing(exchange(cost_usd=1.0))) == (1.0, "provider")


def test_json_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"prices": [{"model": "m", "input": 1, "output": 2}]}))
    assert read(path)(exchange(model="M", usage=Usage(output_tokens=500_000, source="body"))) == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "no list named prices", id="empty"),
        pytest.param("[[prices", "accepted are entries", id="not TOML"),
        pytest.param("prices = 3", "accepted are entries", id="no list"),
        pytest.param('[[prices]]\nmodel = "m"\ninput = 1', "output", id="a price is missing"),
        pytest.param("[[prices]]\ninput = 1\noutput = 1\ncash = 3", "cash", id="a name that nobody knows"),
        pytest.param("[[prices]]\ninput = -1\noutput = 1", "below 0", id="below 0"),
    ],
)
def test_what_is_no_file_of_prices_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read(tmp_path / "none.toml")


def direct(asked: Exchange) -> float | None:
    """What genai-prices says when it is asked itself."""
    found = listed._model(asked) if owner(asked.host) is not None else None
    if found is None or not counted(asked):
        return None
    provider, model = found
    context = {"service_tier": asked.service_tier} if asked.service_tier else None
    at = datetime.fromtimestamp(asked.started, UTC)
    try:
        price = model.calc_price(
            genai_prices.Usage(**counted(asked)), provider, genai_request_timestamp=at, price_context=context
        )
    except ValueError:
        return None
    return float(price.total_price)


# Whose own figure another list of prices does not come to, and why.
OTHERWISE = {
    "perplexity": "the list has another fee for each request",
    "openrouter": "what is free, web searches, and hosts with prices of their own are in its own figure alone",
    "xai": "one recording's figure is made up (123456 ticks)",
}


@pytest.mark.skipif(not corpus.FOLDER.exists(), reason=corpus.ABSENT)
def test_every_case_that_the_list_can_price_is_priced_as_it_says() -> None:
    prices, priced, wrong, differing = Listed(), 0, [], set()
    for case in corpus.cases():
        asked = replace(corpus.record(case)[0], started=NOW)
        if asked.usage.source is None:
            continue
        ours, theirs = prices(asked), direct(asked)
        priced += ours is not None
        if (ours is None) != (theirs is None) or (ours is not None and ours != pytest.approx(theirs, rel=1e-9)):
            wrong.append((corpus.name(case), ours, theirs))
        if ours is not None and asked.cost_usd is not None and ours != pytest.approx(asked.cost_usd, rel=1e-6):
            differing.add(asked.provider)
    assert wrong == []
    assert priced > 2000
    assert differing <= set(OTHERWISE)


@pytest.mark.parametrize(
    ("path", "list_of", "cost"),
    [
        pytest.param("/v1/decisions", "openai-decisions", 0.01, id="an API with a list of its own"),
        pytest.param("/v1/responses", "openai", 0.06, id="another API of the same model"),
    ],
)
def test_an_api_may_have_a_list_of_its_own(path: str, list_of: str, cost: float) -> None:
    counts = Usage(input_tokens=100_000, output_tokens=100_000, source="body")
    asked = exchange(path=path, model="gpt-6-luna", usage=counts)
    found = listed._model(asked)
    assert found is not None and found[0].id == list_of
    assert Listed()(asked) == pytest.approx(cost)
