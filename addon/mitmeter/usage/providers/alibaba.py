"""Alibaba Cloud Model Studio (DashScope): the compatible mode, and its own API with usage in every event, cumulative.

The model stands only in the request. An error in a stream is an event with `code` and `message`.
https://www.alibabacloud.com/help/en/model-studio/qwen-api-reference
https://www.alibabacloud.com/help/en/model-studio/text-embedding-synchronous-api
https://www.alibabacloud.com/help/en/model-studio/coding-plan (its own hosts)
"""

from mitmeter.usage.apis.chat import CHAT, COUNTS, PROMPT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Dialect, Figure, Part, Provider
from mitmeter.usage.prompt import Place, Shape, texts

SERVICES = r"/api/v1/services/"
CONTENT = (
    Part("thinking", "output.choices[].message.reasoning_content"),
    Part("text", "output.choices[].message.content"),
    Part("text", "output.choices[].message.content[].text"),
    Part("tool", "output.choices[].message.tool_calls[].function.name"),
    Part("arguments", "output.choices[].message.tool_calls[].function.arguments"),
    Part("text", "output.text"),
)

GENERATION = Dialect(
    api="generation",
    operation="chat",
    paths=(SERVICES + r"aigc/(text|multimodal)-generation/generation",),
    usage=("usage",),
    counts=COUNTS,
    finish=("output.choices[].finish_reason", "output.finish_reason"),
    response_id=("request_id",),
    errors=("error", "message"),
    parts=CONTENT,
    reply=CONTENT,
    prompt=PROMPT.but(
        places=(Place("user", "input.messages", turns=True), Place("user", "input.prompt")),
        shapes=(
            *PROMPT.shapes,
            Shape("image", ("image",)),
            Shape("audio", ("audio",)),
            Shape("media", ("video",)),
        ),
    ),
    grows=True,
)

EMBEDDING = GENERATION.but(
    api="embedding",
    operation="embeddings",
    paths=(SERVICES + r"embeddings/(text|multimodal)-embedding/(text|multimodal)-embedding",),
    counts=COUNTS.also(input_tokens=("total_tokens",)),
    parts=(),
    reply=(),
    prompt=texts("input.texts", "input.query", "input.documents"),
)

PROVIDER = Provider(
    name="alibaba",
    hosts=(r"([a-z-]+\.)?dashscope(-[a-z]+)?\.aliyuncs\.com", r".+\.maas\.aliyuncs\.com"),
    dialects=(
        GENERATION,
        EMBEDDING,
        EMBEDDING.but(api="text_rerank", operation="rerank", paths=(SERVICES + "rerank/text-rerank/text-rerank",)),
        CHAT,
        COMPLETIONS,
        EMBEDDINGS,
        RESPONSES,
        MESSAGES,
    ),
    took=(Figure(header="req-cost-time"),),
)
