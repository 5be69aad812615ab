"""Bedrock: Converse, and bodies of each vendor's own in `invoke`, with counts in headers and in a stream's last chunk.

The body's own counts are preferred, the headers and `invocationMetrics` fill in what it leaves out. Every chunk of an
invoked stream is JSON in base64. The model is in the path, quoted, and may be an ARN.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.converse import CONVERSE, CONVERSE_STREAM, COUNT_TOKENS, MODEL, deltas
from mitmeter.usage.apis.history import HISTORY
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Clock, Counts, Dialect, Figure, Part, Provider
from mitmeter.usage.prompt import either, texts

METRICS = "amazon-bedrock-invocationMetrics"

INVOKED = Counts(
    input_tokens=("inputTokenCount",),
    output_tokens=("outputTokenCount",),
    cache_read_tokens=("cacheReadInputTokenCount",),
    cache_write_tokens=("cacheWriteInputTokenCount",),
    cache_beside_input=True,
)
BARE = Counts(
    input_tokens=("prompt_token_count", "inputTextTokenCount"),
    output_tokens=("generation_token_count", "totalOutputTextTokenCount", "results[].tokenCount"),
)
_TEXTS = ("completion", "completions[].data.text", "generation", "outputText", "text")
TEXTS = (*(Part("text", at) for at in (*_TEXTS, "outputs[].text", "generations[].text")), *COMPLETIONS.parts)

INVOKE = Dialect(
    api="invoke",
    operation="chat",
    paths=(r"/model/(?!.*embed).+/invoke",),
    anywhere=True,
    usage=("", METRICS, "metadata.usage", *MESSAGES.usage),
    usage_headers=tuple(
        (f"x-amzn-bedrock-{name}-token-count", place)
        for name, place in (
            ("input", "inputTokenCount"),
            ("output", "outputTokenCount"),
            ("cache-read-input", "cacheReadInputTokenCount"),
            ("cache-write-input", "cacheWriteInputTokenCount"),
        )
    ),
    headers_fill=True,
    counts=MESSAGES.counts.but(otherwise=(CONVERSE.counts, CHAT.counts, BARE, INVOKED)),
    model=MESSAGES.model,
    request_model=(),
    path_model=MODEL,
    finish=(
        *MESSAGES.finish,
        *CHAT.finish,
        *("stopReason", "messageStop.stopReason", "completionReason", "results[].completionReason"),
        *("outputs[].stop_reason", "generations[].finish_reason", "finish_reason"),
    ),
    service_tier=MESSAGES.service_tier,
    response_id=MESSAGES.response_id,
    parts=(*MESSAGES.parts, *CHAT.parts, *deltas("contentBlockStart.", "contentBlockDelta."), *TEXTS),
    reply=(*TEXTS, Part("text", "results[].outputText")),
    prompt=either(MESSAGES.prompt, CHAT.prompt, CONVERSE.prompt, HISTORY, texts("prompt", "inputText", "texts")),
    ends=("message_stop",),
    error_header="x-amzn-errortype",
    clocks=(Clock(at=METRICS, unit=0.001, total_time="invocationLatency"),),
)
STREAM = INVOKE.but(
    api="invoke_stream", paths=(r"/model/.+/invoke-with-response-stream",), envelope="bytes", streams=True
)

PROVIDER = Provider(
    name="bedrock",
    convention="aws.bedrock",
    prices="aws",
    hosts=(r"(.+\.)?bedrock-(runtime|mantle)(-fips)?\..+\.(amazonaws\.com(\.cn)?|api\.aws)",),
    dialects=(
        CONVERSE.but(anywhere=True),
        CONVERSE_STREAM.but(anywhere=True),
        INVOKE.but(operation="embeddings", paths=(r"/model/.*embed.*/invoke",)),
        INVOKE,
        STREAM,
        COUNT_TOKENS.but(anywhere=True),
    ),
    took=(Figure(header="x-amzn-bedrock-invocation-latency"),),
)
