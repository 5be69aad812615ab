"""Cohere: `tokens` is what the model read and wrote, `billed_units` the smaller part that is charged.

Where only `billed_units` come, they are all there is to read. Version 1 streams lines, version 2 events.
https://docs.cohere.com/reference/chat
https://docs.cohere.com/v1/reference/chat
https://docs.cohere.com/reference/{embed,rerank,classify,parse}
"""

from mitmeter.usage.apis.chat import PROMPT
from mitmeter.usage.apis.embeddings import RERANK
from mitmeter.usage.apis.history import DOCUMENT, HISTORY
from mitmeter.usage.apis.media import TRANSCRIPTIONS
from mitmeter.usage.dialect import Counts, Dialect, Keep, Part, Provider
from mitmeter.usage.prompt import Place, Prompt, Shape, texts

COUNTS = Counts(
    input_tokens=("tokens.input_tokens", "billed_units.input_tokens"),
    output_tokens=("tokens.output_tokens", "billed_units.output_tokens"),
    cache_read_tokens=("cached_tokens",),
    reasoning_tokens=("tokens.reasoning_tokens",),
)

CHAT_V2 = Dialect(
    api="chat_v2",
    operation="chat",
    paths=(r"(^|/cohere|/compatibility)/v2/chat",),
    anywhere=True,
    usage=("usage", "delta.usage"),
    counts=COUNTS,
    finish=("finish_reason", "delta.finish_reason"),
    errors=("error", "delta.error"),
    parts=(
        Part("thinking", "delta.message.content.thinking", ("content-delta",), ("index",)),
        Part("text", "delta.message.content.text", ("content-delta",), ("index",)),
        Part("thinking", "delta.message.tool_plan", ("tool-plan-delta",)),
        Part("tool", "delta.message.tool_calls.function.name", ("tool-call-start",), ("index",)),
        Part("arguments", "delta.message.tool_calls.function.arguments", ("tool-call-delta",), ("index",)),
    ),
    prompt=PROMPT.but(
        shapes=(*PROMPT.shapes, DOCUMENT),
        beside=(Shape("thinking", ("tool_plan",)), *PROMPT.beside),
        answer=(Place("assistant", "message", turns=True),),
    ),
    ends=("message-end",),
)

CHAT_V1 = Dialect(
    api="chat_v1",
    operation="chat",
    paths=(r"^/v1/chat", r"/cohere/v1/chat"),
    usage=("meta", "response.meta"),
    counts=COUNTS,
    finish=("finish_reason", "response.finish_reason"),
    response_id=("response_id", "response.response_id", "generation_id"),
    parts=(Part("text", "text"),),
    reply=(Part("text", "text"),),
    prompt=HISTORY,
)

GENERATE_V1 = CHAT_V1.but(
    api="generate_v1",
    operation="text_completion",
    paths=(r"^/v1/generate",),
    finish=("generations[].finish_reason", "finish_reason"),
    response_id=("id", "response.id"),
    reply=(Part("text", "generations[].text"),),
    prompt=texts("prompt"),
)

EMBED = CHAT_V1.but(
    api="embed",
    operation="embeddings",
    paths=(r"^/v[12]/embed",),
    response_id=("id",),
    parts=(),
    reply=(),
    prompt=Prompt(places=(Place("user", "texts"), Place("user", "images", kind="image"))),
)

CLASSIFY = EMBED.but(api="classify", operation="classify", paths=(r"^/v1/classify",), prompt=texts("inputs"))
PARSE = EMBED.but(api="parse", operation="ocr", paths=(r"^/v2/parse",), prompt=texts(), keep=Keep(request_body=False))

PROVIDER = Provider(
    name="cohere",
    hosts=(r"api\.cohere\.(com|ai)",),
    dialects=(
        *(CHAT_V2, CHAT_V1, GENERATE_V1, EMBED.but(anywhere=True), CLASSIFY, PARSE, TRANSCRIPTIONS),
        RERANK.but(usage=("meta",), counts=COUNTS),
    ),
)
