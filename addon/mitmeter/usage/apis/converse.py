"""Converse: messages of content blocks; caches come on top of `inputTokens`, yet `totalTokens` includes them.

In a stream each event stands alone, named by its frame; the last one, `metadata`, has the usage.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
"""

from mitmeter.usage.dialect import Clock, Counts, Dialect, Part
from mitmeter.usage.prompt import Place, Prompt, Shape

MODEL = r"/model/(?P<model>.+)/[a-z-]+/?$"

COUNTS = Counts(
    input_tokens=("inputTokens",),
    output_tokens=("outputTokens",),
    cache_read_tokens=("cacheReadInputTokens", "cacheReadInputTokenCount"),
    cache_write_tokens=("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
    total_tokens=("totalTokens",),
    cache_beside_input=True,
)


def deltas(start: str = "", delta: str = "") -> tuple[Part, ...]:
    """Return the generated parts of a stream's events, which may stand in members named as the events are."""
    index, first = (f"{delta}contentBlockIndex",), (f"{start}contentBlockIndex",)
    return (
        Part("thinking", f"{delta}delta.reasoningContent.text", (), index),
        Part("text", f"{delta}delta.text", (), index),
        Part("tool", f"{start}start.toolUse.name", (), first),
        Part("arguments", f"{delta}delta.toolUse.input", (), index),
    )


def _encoded(kind: str, member: str) -> Shape:
    """Return the shape of what is sent as bytes or by its place."""
    source = (f"{member}.source.bytes", f"{member}.source.s3Location.uri")
    return Shape(kind, source, name=(f"{member}.name",), media=(f"{member}.format",))


PROMPT = Prompt(
    within=("input.converse",),
    answer=(Place("assistant", "output.message", turns=True),),
    places=(Place("system", "system"), Place("user", "messages", turns=True)),
    shapes=(
        Shape("text", ("text", "guardContent.text.text", "citationsContent.content")),
        Shape("thinking", ("reasoningContent.reasoningText.text", "reasoningContent.redactedContent")),
        Shape("tool", ("toolUse.input",), name=("toolUse.name",), call=("toolUse.toolUseId",)),
        Shape("tool_result", ("toolResult.content",), call=("toolResult.toolUseId",)),
        Shape(
            "file",
            ("document.source.text", "document.source.content"),
            name=("document.name",),
            media=("document.format",),
            encoded=False,
        ),
        _encoded("image", "image"),
        _encoded("file", "document"),
        _encoded("audio", "audio"),
        _encoded("media", "video"),
        Shape("other", ("json",)),
        Shape("", ("cachePoint",)),
    ),
)

CONVERSE = Dialect(
    api="converse",
    operation="chat",
    paths=(r"/model/.+/converse",),
    usage=("usage",),
    clocks=(Clock(at="metrics", unit=0.001, total_time="latencyMs"),),
    counts=COUNTS,
    model=("trace.promptRouter.invokedModelId",),
    request_model=(),
    path_model=MODEL,
    finish=("stopReason",),
    service_tier=("serviceTier.type",),
    response_id=(),
    prompt=PROMPT,
    error_header="x-amzn-errortype",
    system=("system",),
    turns=("messages",),
)

CONVERSE_STREAM = CONVERSE.but(
    api="converse_stream",
    paths=(r"/model/.+/converse-stream",),
    parts=deltas(),
    ends=("metadata",),
    streams=True,
)

COUNT_TOKENS = CONVERSE.but(
    api="count_tokens", operation="count_tokens", paths=(r"/model/.+/count-tokens",), consumes=False
)
