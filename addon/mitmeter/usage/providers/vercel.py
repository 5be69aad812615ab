"""Vercel's AI Gateway: the compatible APIs, in the counts of the provider that it chose, and the AI SDK's own protocol.

Gemini's reasoning comes beside the completion and outside the total: kept as it is said, and flagged.
https://vercel.com/docs/ai-gateway/openai-compat
https://github.com/vercel/ai/tree/main/packages/gateway
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Counts, Dialect, Figure, Part, Provider
from mitmeter.usage.prompt import Place, Prompt, Shape

LANGUAGE_MODEL = Dialect(
    api="language_model",
    operation="chat",
    paths=(r"/v\d+/ai/language-model",),
    usage=("usage",),
    counts=Counts(
        input_tokens=("inputTokens.total", "inputTokens"),
        output_tokens=("outputTokens.total", "outputTokens"),
        cache_read_tokens=("inputTokens.cacheRead", "cachedInputTokens"),
        cache_write_tokens=("inputTokens.cacheWrite",),
        reasoning_tokens=("outputTokens.reasoning", "reasoningTokens"),
        total_tokens=("totalTokens",),
    ),
    model=("response.modelId", "modelId"),
    finish=("finishReason.unified", "finishReason"),
    response_id=("response.id",),
    parts=(
        Part("thinking", "delta", ("reasoning-delta",), ("id",)),
        Part("text", "delta", ("text-delta",), ("id",)),
        Part("arguments", "delta", ("tool-input-delta",), ("id",)),
    ),
    prompt=Prompt(
        places=(Place("user", "prompt", turns=True),),
        answer=(Place("assistant", "content"),),
        shapes=(
            Shape("text", ("text",), ("text",)),
            Shape("thinking", ("text",), ("reasoning",)),
            Shape("tool", ("input",), ("tool-call",), name=("toolName",), call=("toolCallId",)),
            Shape("tool_result", ("output.value",), ("tool-result",), call=("toolCallId",)),
            Shape("media", ("data",), ("file",), name=("filename",), media=("mediaType",)),
        ),
    ),
    ends=("finish",),
)

PROVIDER = Provider(
    name="vercel",
    hosts=(r"ai-gateway\.vercel\.sh",),
    dialects=(CHAT, RESPONSES, MESSAGES, EMBEDDINGS, LANGUAGE_MODEL),
    costs=(Figure(at="cost"),),
)
