"""The recorded interactions of `../shared/corpus`, read in place, through the real recorder."""

import base64
import json
import lzma
import random
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mitmeter.exchange import Answer, Exchange, Headers, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.usage.registry import Match, find

SHARED = Path(__file__).resolve().parents[2] / "shared"
FOLDER = SHARED / "corpus"
ABSENT = f"{FOLDER} is not there: the recordings are kept outside this repository"
COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
NOWHERE = "host.invalid"

type Case = dict[str, Any]
type Facts = dict[str, Any]

A_COUNT = "an answer of count_tokens: a number, but nobody consumed it (usage-formats, trap 11)"
FORM_MODEL = "the model stands in the multipart form, which `expected` does not read and the recorder does"
COHERE = "the wire says tokens.reasoning_tokens beside input_tokens and output_tokens, which `expected` leaves out"
ARN = "the path names the model by an ARN, of which `expected` has the first three letters"
TWICE = "the path is percent-encoded twice, and the model's name is what is left when both are undone"
NOVA = "the body leaves all but the input out; the headers say 0 cache reads and writes, which `expected` does not take"
COLON = "the path names the model with a `:O` at its end, which `expected` leaves out"

RUBY = "crmne/ruby_llm/spec/fixtures/vcr_cassettes"
PYDANTIC = "pydantic/pydantic-ai/tests/models/cassettes"
COUNTED = "chat_count_tokens_with_anthropic_claude-haiku-4-5_counts"
CITED = "chat_citations_with_cohere_command-a-plus-05-2026_cites_tool_results_returned_as_search_results"
THINKING = (
    "chat_with_extended_thinking_cohere_command-a-reasoning-08-2025_preserves_thinking_signatures_between_turns"
    "_when_provided"
)
BOTOCORE = "newrelic/newrelic-python-agent/tests/external_botocore/_mock_external_bedrock_server_invoke_model.py"
BEDROCK = "traceloop/openllmetry/packages/opentelemetry-instrumentation-bedrock/tests/traces/cassettes"
WRITER = "traceloop/openllmetry/packages/opentelemetry-instrumentation-writer/tests/cassettes/test_chat"

# The cases in which what is recorded differs from `expected`, and why.
EXCEPTIONS: dict[str, str] = {
    f"{RUBY}/{COUNTED}_a_staged_message_without_mutating_the_chat.yml#0": A_COUNT,
    f"{RUBY}/{COUNTED}_requests_with_thinking_enabled.yml#0": A_COUNT,
    f"{RUBY}/{COUNTED}_the_next_request_as_configured.yml#1": A_COUNT,
    f"{PYDANTIC}/test_anthropic/test_anthropic_count_tokens_with_adaptive_thinking_and_output_tools.yaml#0": A_COUNT,
    f"{PYDANTIC}/test_anthropic/test_anthropic_count_tokens_with_native_tools.yaml#0": A_COUNT,
    f"{PYDANTIC}/test_anthropic/test_anthropic_count_tokens_with_tool_search_replay.yaml#0": A_COUNT,
    f"{PYDANTIC}/test_anthropic/test_anthropic_model_usage_limit_exceeded.yaml#0": A_COUNT,
    "alexrudall/ruby-openai/spec/fixtures/cassettes/"
    "images_edit_image_png_A_solid_red_Ruby_on_a_blue_background.yml#1": FORM_MODEL,
    "pydantic/logfire/tests/otel_integrations/cassettes/test_openai_agents/test_voice_pipeline.yaml#0": FORM_MODEL,
    f"{RUBY}/chat_count_tokens_with_gemini_gemini-3_5-flash_counts_the_next_request_as_configured.yml#0": A_COUNT,
    f"{RUBY}/chat_count_tokens_with_gemini_gemini-3_5-flash_counts_the_next_request_as_configured.yml#1": A_COUNT,
    "pydantic/pydantic-ai/tests/cassettes/test_embeddings/TestGoogle.test_count_tokens.yaml#0": A_COUNT,
    f"{PYDANTIC}/test_anthropic_bedrock_count_tokens/test_anthropic_bedrock_count_tokens_real_api.yaml#0": A_COUNT,
    f"{PYDANTIC}/test_bedrock/test_bedrock_count_tokens_additional_model_requests_fields.yaml#0": A_COUNT,
    f"{PYDANTIC}/test_bedrock/test_bedrock_model_usage_limit_not_exceeded.yaml#0": A_COUNT,
    f"{PYDANTIC}/test_google/test_google_model_usage_limit_exceeded.yaml#0": A_COUNT,
    "0xPlaygrounds/rig/tests/cassettes/cohere/streaming_grammar/thinking_stream.yaml#0": COHERE,
    f"{RUBY}/{CITED}.yml#0": COHERE,
    f"{RUBY}/{CITED}.yml#1": COHERE,
    f"{RUBY}/{THINKING}.yml#0": COHERE,
    f"{RUBY}/{THINKING}.yml#1": COHERE,
    "pydantic/pydantic-ai/tests/cassettes/test_embeddings/TestBedrock.test_inference_profile_embed.yaml#0": ARN,
    f"{PYDANTIC}/test_bedrock/test_bedrock_inference_profile_converse.yaml#0": ARN,
    f"{BEDROCK}/test_anthropic/test_anthropic_cross_region.yaml#0": ARN,
    f"{BOTOCORE}#0": TWICE,
    f"{BOTOCORE}#15": TWICE,
    f"{BOTOCORE}#22": TWICE,
    "pydantic/pydantic-ai/tests/cassettes/test_model_name_suggestions/"
    "test_model_name_suggestion[bedrock].yaml#0": COLON,
    f"{BEDROCK}/test_nova/test_nova_completion.yaml#0": NOVA,
    f"{WRITER}/test_writer_async_chat_with_events_with_content.yaml#0": (
        'the wire says "prompt_token_details":{"cached_tokens":0}, so the cache reads are 0 and not unknown'
    ),
}


def name(case: Case) -> str:
    return f"{case['source_repo']}/{case['path']}#{case['index']}"


@cache
def cases() -> tuple[Case, ...]:
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                case = json.loads(line)
                if "url" in case and "status" in case:
                    yield case


def place(case: Case) -> tuple[str, str]:
    """Host and path of a case; where its recorder replaced the host by a placeholder, there is none."""
    url = case["url"]
    if "://" not in url:
        return "", "/" + url.partition("/")[2].partition("?")[0]
    parts = urlsplit(url.replace("<", "").replace(">", ""))
    return parts.hostname or "", parts.path


def match(case: Case) -> Match | None:
    host, path = place(case)
    return find(case["method"], host, path)


def pieces(body: bytes, seed: int | str, per_byte: bool = False) -> Iterator[bytes]:
    """The body byte by byte, or cut at random, the same for the same seed."""
    if per_byte:
        yield from (body[at : at + 1] for at in range(len(body)))
        return
    chance = random.Random(seed)
    at = 0
    while at < len(body):
        size = chance.choice((1, 2, 7, 40, 300, 5000, 70000))
        yield body[at : at + size]
        at += size


def request_body(case: Case) -> bytes:
    text = case.get("request_body")
    if not text or case.get("request_body_cut"):
        return (text or "").encode("utf-8", "replace")
    return base64.b64decode(text) if case.get("request_body_encoding") == "base64" else text.encode("utf-8", "replace")


def response_headers(case: Case) -> Headers:
    """The response's headers as they go with its bytes: without a coding that is no longer in force."""
    headers = tuple((name, value) for name, value in case["response_headers"] or ())
    if case["body_encoding"] in ("identity", "stale-header"):
        return tuple(header for header in headers if header[0].lower() != "content-encoding")
    return headers


def record(case: Case, seed: int | str = 0, per_byte: bool = False) -> tuple[Exchange, Redacted]:
    """Record a case, its body fed at random cuts, or byte by byte, a millisecond apart."""
    host, path = place(case)
    opening = Opening(
        flow_id="corpus",
        started=0.0,
        zero=0.0,
        method=case["method"],
        url=f"https://{host or NOWHERE}{path}",
        headers=tuple((name, value) for name, value in case["request_headers"] or ()),
        body=request_body(case),
    )
    recorder = Recorder(opening, match(case))
    recorder.answer(Answer(status=case["status"], headers=response_headers(case)), 0.0)
    at = 0.0
    for piece in pieces(base64.b64decode(case["response_body"] or ""), seed, per_byte):
        at += 0.001
        recorder.feed(piece, at)
    return recorder.close(Outcome.COMPLETE, at)


def expected(case: Case) -> Facts | None:
    """The counts and the model that an independent parse reads; None where several responses are pasted together."""
    told = case["expected"]
    if told is None:
        return None
    return {**{count: told[count] for count in COUNTS}, "model": told["model"] or told["request_model"]}


def found(exchange: Exchange) -> Facts:
    """The same of what was recorded."""
    return {**{count: getattr(exchange.usage, count) for count in COUNTS}, "model": exchange.model}


def speaks(case: Case) -> bool:
    """Whether usage or an engine's timings stand on the wire."""
    told = case["expected"]
    counted = told is not None and any(told[count] is not None for count in COUNTS)
    return counted or (told is not None and bool(told["raw_usage"] or told["timings"]))


def verdict(case: Case) -> str:
    """`exact`, `excepted` (differs as EXCEPTIONS says), `wrong`, or `pasted`, which has no expectation."""
    wanted = expected(case)
    if wanted is None:
        return "pasted"
    if found(record(case, name(case))[0]) == wanted:
        return "exact"
    return "excepted" if name(case) in EXCEPTIONS else "wrong"


def score() -> Iterator[str]:
    """Yield the lines of a table: by provider and api, how many cases came out how."""
    verdicts: dict[tuple[str, str], Counter[str]] = {}
    for case in cases():
        verdicts.setdefault((case["provider"] or "?", case["api"] or "?"), Counter())[verdict(case)] += 1
    shown = ("exact", "excepted", "wrong", "pasted")
    total: Counter[str] = sum(verdicts.values(), Counter())
    widths = [max(map(len, column)) + 2 for column in zip(("provider", "api"), *verdicts, strict=True)]
    yield "".join([f"{'provider':<{widths[0]}}{'api':<{widths[1]}}{'cases':>7}", *(f"{name:>10}" for name in shown)])
    for (provider, api), counted in [*sorted(verdicts.items()), (("all", ""), total)]:
        numbers = "".join(f"{counted[column]:>10}" for column in shown)
        yield f"{provider:<{widths[0]}}{api:<{widths[1]}}{counted.total():>7}{numbers}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in (score() if cases() else [ABSENT]))
