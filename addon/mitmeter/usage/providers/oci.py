"""Oracle Cloud's Generative AI: `usage` in `chatResponse`, in the shape of one of two vendors; a stream has no wrapper.

A stream counts in its last event if the request asks for it. The compatible APIs stand below `/openai/v1`.
https://docs.oracle.com/en-us/iaas/api/#/en/generative-ai-inference/20231130/ChatResult/Chat
https://docs.oracle.com/en-us/iaas/api/#/en/generative-ai-inference/20231130/datatypes/Usage
https://docs.oracle.com/en-us/iaas/Content/generative-ai/chat-completions-api.htm
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Counts, Dialect, Part, Provider
from mitmeter.usage.prompt import Place, Prompt, Shape, texts

ACTIONS = r"/\d{8}/actions/"
MODEL = ("servingMode.modelId", "servingMode.endpointId")

COUNTS = Counts(
    input_tokens=("promptTokens",),
    output_tokens=("completionTokens",),
    cache_read_tokens=("promptTokensDetails.cachedTokens",),
    reasoning_tokens=("completionTokensDetails.reasoningTokens",),
    total_tokens=("totalTokens",),
    reasoning_by_total=True,
)

PROMPT = Prompt(
    within=("chatRequest", "chatResponse"),
    places=(
        Place("system", "preambleOverride"),
        Place("user", "chatHistory", turns=True),
        Place("user", "message"),
        Place("user", "messages", turns=True),
    ),
    answer=(Place("assistant", "text"), Place("assistant", "choices[].message", turns=True)),
    content=("content", "message"),
    roles=(
        *(("USER", "user"), ("ASSISTANT", "assistant"), ("CHATBOT", "assistant")),
        *(("SYSTEM", "system"), ("DEVELOPER", "system"), ("TOOL", "tool")),
    ),
    results=("tool",),
    call=("toolCallId",),
    shapes=(Shape("text", ("text",)), Shape("image", ("imageUrl.url",))),
    beside=(
        Shape("thinking", ("reasoningContent",)),
        Shape("tool", ("arguments", "parameters"), name=("name",), call=("id",), each="toolCalls[]"),
    ),
)

ACTION_CHAT = Dialect(
    api="action_chat",
    operation="chat",
    paths=(ACTIONS + "chat",),
    usage=("usage", "chatResponse.usage"),
    counts=COUNTS,
    model=("modelId",),
    request_model=MODEL,
    finish=("finishReason", "chatResponse.finishReason", "chatResponse.choices[].finishReason"),
    response_id=(),
    parts=(
        Part("thinking", "message.reasoningContent"),
        Part("text", "message.content[].text"),
        Part("tool", "message.toolCalls[].name"),
        Part("arguments", "message.toolCalls[].arguments"),
        # The last event has all of the text once more.
        Part("text", "text", where=("finishReason", False)),
    ),
    prompt=PROMPT,
)

ACTION_EMBED = ACTION_CHAT.but(
    api="action_embed",
    operation="embeddings",
    paths=(ACTIONS + "embedText",),
    usage=("usage",),
    finish=(),
    parts=(),
    prompt=texts("inputs"),
)

PROVIDER = Provider(
    name="oci",
    hosts=(r"inference\.generativeai\.[a-z0-9-]+\.oci\.(oraclecloud\d*|oraclegovcloud)\.(com|eu|uk)",),
    dialects=(
        ACTION_CHAT,
        ACTION_EMBED,
        ACTION_EMBED.but(api="action_rerank", operation="rerank", paths=(ACTIONS + "rerankText",)),
        CHAT,
        RESPONSES,
    ),
)
