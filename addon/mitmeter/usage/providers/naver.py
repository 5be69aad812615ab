"""Naver's HyperCLOVA X: `usage`, or the lengths of input and output in tokens, in the last event or in `result`.

The last event of a stream has all of the reply once more.
https://api.ncloud-docs.com/docs/en/clovastudio-chatcompletionsv3
https://api.ncloud-docs.com/docs/en/clovastudio-chatcompletions
https://api.ncloud-docs.com/docs/en/clovastudio-embeddingv2
https://api.ncloud-docs.com/docs/en/clovastudio-openaicompatibility
"""

from mitmeter.usage.apis.chat import CHAT, PROMPT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Counts, Part, Provider
from mitmeter.usage.prompt import Place, Shape, texts

CLOVA = CHAT.but(
    api="clova_chat",
    paths=(r"/v\d+/chat-completions/[^/]+",),
    path_model=r"/v\d+/chat-completions/(?P<model>[^/]+)",
    usage=("", "usage", "result.usage"),
    counts=Counts(
        input_tokens=("promptTokens", "inputLength", "result.inputLength"),
        output_tokens=("completionTokens", "outputLength", "result.outputLength"),
        reasoning_tokens=("completionTokensDetails.thinkingTokens",),
        total_tokens=("totalTokens",),
    ),
    finish=("stopReason", "finishReason", "result.stopReason", "result.finishReason"),
    response_id=(),
    parts=(
        Part("thinking", "message.thinkingContent"),
        Part("text", "message.content"),
        Part("tool", "message.toolCalls[].function.name"),
        Part("arguments", "message.toolCalls[].function.partialJson"),
    ),
    grows=True,
    prompt=PROMPT.but(
        answer=(Place("assistant", "result.message", turns=True),),
        beside=(Shape("thinking", ("thinkingContent",)), *PROMPT.beside),
    ),
)

PROVIDER = Provider(
    name="naver",
    hosts=(r"clovastudio\.(stream|apigw)\.ntruss\.com",),
    dialects=(
        CLOVA,
        CLOVA.but(
            api="clova_embedding",
            operation="embeddings",
            paths=(r"/v\d+/api-tools/embedding/[^/]+",),
            path_model=r"/api-tools/embedding/(?P<model>[^/]+)",
            usage=("",),
            counts=Counts(input_tokens=("result.inputTokens",)),
            finish=(),
            parts=(),
            prompt=texts("text"),
        ),
        CHAT,
        EMBEDDINGS,
    ),
)
