"""Yandex AI Studio: counts as text in `result.usage`. A stream is lines, each with all of the reply so far.

https://yandex.cloud/en/docs/ai-studio/text-generation/api-ref/TextGeneration/completion
https://yandex.cloud/en/docs/ai-studio/embeddings/api-ref/Embeddings/textEmbedding
https://yandex.cloud/en/docs/ai-studio/text-generation/api-ref/Tokenizer/tokenizeCompletion (counts only)
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Counts, Dialect, Part, Provider
from mitmeter.usage.prompt import Place, Prompt, texts

TEXT = (Part("text", "result.alternatives[].message.text"),)

COMPLETION = Dialect(
    api="foundation_completion",
    operation="chat",
    paths=(r"/foundationModels/v1/completion(Async)?",),
    usage=("result.usage",),
    counts=Counts(
        input_tokens=("inputTextTokens",),
        output_tokens=("completionTokens",),
        reasoning_tokens=("completionTokensDetails.reasoningTokens",),
        total_tokens=("totalTokens",),
    ),
    model=(),
    request_model=("modelUri",),
    finish=("result.alternatives[].status",),
    parts=TEXT,
    reply=TEXT,
    grows=True,
    prompt=Prompt(places=(Place("user", "messages", turns=True),), content=("text",)),
)

EMBEDDING = COMPLETION.but(
    api="foundation_embedding",
    operation="embeddings",
    paths=(r"/foundationModels/v1/textEmbedding",),
    usage=("",),
    counts=Counts(input_tokens=("numTokens",)),
    finish=(),
    parts=(),
    reply=(),
    prompt=texts("text"),
)

PROVIDER = Provider(
    name="yandex",
    hosts=(r"(llm|ai)\.api\.cloud\.yandex\.net",),
    dialects=(
        COMPLETION,
        EMBEDDING,
        COMPLETION.but(
            api="foundation_tokenize",
            operation="count_tokens",
            paths=(r"/foundationModels/v1/tokenize(Completion)?",),
            consumes=False,
        ),
        CHAT,
        EMBEDDINGS,
        RESPONSES,
    ),
)
