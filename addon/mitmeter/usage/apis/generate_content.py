"""generateContent: one prompt of contents, `candidates` in return; a stream's events each may bring the whole usage.

`promptTokenCount` includes what was cached, but not the prompts of tools; `candidatesTokenCount` leaves out thoughts.
The last event that has any count stands alone: earlier ones may be higher, and fields disappear. Without `alt=sse` a
stream is a JSON array. Enumerations may come as numbers. Each function call is whole in one event.

https://ai.google.dev/api/generate-content#UsageMetadata
https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse
"""

import re
from itertools import product

from mitmeter.usage.dialect import Counts, Dialect, Figure, Part, replaces
from mitmeter.usage.prompt import Place, Prompt, Shape

VERB = r"(?::|%3A)"
RESOURCE = r"/(?:models|tunedModels|endpoints)/"
MODEL = RESOURCE + r"(?P<model>[^/:]+?)" + VERB
_PARTS = "candidates[].content.parts[]."

COUNTS = Counts(
    input_tokens=("promptTokenCount",),
    output_tokens=("candidatesTokenCount", "responseTokenCount"),
    cache_read_tokens=("cachedContentTokenCount",),
    reasoning_tokens=("thoughtsTokenCount",),
    total_tokens=("totalTokenCount",),
    beside_input=("toolUsePromptTokenCount",),
    beside_output=("thoughtsTokenCount",),
)


def _either(*places: str) -> tuple[str, ...]:
    """Return places in all ways in which their members' names may be written (proto3's JSON takes two of each)."""
    ways = (product(*((name, _snake(name)) for name in at.split("."))) for at in places)
    return tuple(dict.fromkeys(".".join(names) for way in ways for names in way))


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


PROMPT = Prompt(
    within=("request", "generateContentRequest", "response"),
    answer=(Place("assistant", "candidates[].content", turns=True),),
    places=(
        *(Place("system", at) for at in _either("systemInstruction")),
        Place("user", "contents", turns=True),
        Place("user", "content", turns=True),
        Place("user", "requests[].content", turns=True),
    ),
    content=("parts",),
    roles=(("model", "assistant"), ("function", "user")),
    shapes=(
        Shape("thinking", ("text",), where=("thought", True)),
        Shape("thinking", where=("thought", True)),
        Shape("text", ("text",)),
        Shape(
            "tool",
            _either("functionCall.args"),
            name=_either("functionCall.name"),
            call=_either("functionCall.id"),
        ),
        Shape(
            "tool_result",
            _either("functionResponse.response"),
            call=_either("functionResponse.id", "functionResponse.name"),
        ),
        Shape("media", _either("inlineData.data"), media=_either("inlineData.mimeType")),
        Shape("media", _either("fileData.fileUri"), media=_either("fileData.mimeType")),
        Shape("tool", _either("executableCode.code"), name=_either("executableCode.language")),
        Shape("tool_result", _either("codeExecutionResult.output")),
    ),
)


def parts(within: str = "") -> tuple[Part, ...]:
    """Return the generated parts of a response, which may stand in a member: `within` is `member.`."""
    at = within + _PARTS
    return (
        Part("thinking", f"{at}text", where=("thought", True)),
        Part("text", f"{at}text", where=("thought", False)),
        Part("tool", f"{at}functionCall.name", whole=True),
        Part("arguments", f"{at}functionCall.args", whole=True),
        Part("text", f"{at}executableCode.code"),
        Part("media", f"{at}inlineData.data"),
    )


def paths(*verbs: str) -> tuple[str, ...]:
    """Return the paths that do something to a model."""
    return tuple(f"{RESOURCE}[^/]+{VERB}{verb}" for verb in verbs)


def dialect(within: str = "") -> Dialect:
    """Return the dialect of a response, which may stand in a member: `within` is `member.`."""
    return Dialect(
        api="generate_content",
        operation="generate_content",
        paths=paths("generateContent"),
        usage=(f"{within}usageMetadata",),
        counts=COUNTS,
        fold=replaces,
        model=(f"{within}modelVersion",),
        request_model=(),
        path_model=MODEL,
        finish=(f"{within}candidates[].finishReason", f"{within}promptFeedback.blockReason"),
        service_tier=(f"{within}usageMetadata.serviceTier", f"{within}usageMetadata.trafficType"),
        response_id=(f"{within}responseId",),
        parts=parts(within),
        prompt=PROMPT,
        took=(Figure(header="server-timing"),),
        system=("systemInstruction", "system_instruction"),
        turns=("contents",),
    )


GENERATE = dialect()
STREAM = GENERATE.but(api="stream_generate_content", paths=paths("streamGenerateContent"), streams=True)
EMBED = GENERATE.but(
    api="embed_content",
    operation="embeddings",
    paths=paths("embedContent", "batchEmbedContents"),
    parts=(),
    prompt=PROMPT.but(answer=()),
)
COUNT = GENERATE.but(
    api="count_tokens", operation="count_tokens", paths=paths("countTokens", "computeTokens"), consumes=False
)
