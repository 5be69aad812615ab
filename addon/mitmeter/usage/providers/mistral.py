"""Mistral: usage always comes, on the last content chunk; `num_cached_tokens` before `prompt_tokens_details`.

Audio is counted in `prompt_tokens_details.audio_tokens` and in the total, not in `prompt_tokens`: flagged as it is.
OCR counts pages, not tokens.
https://docs.mistral.ai/api/
https://docs.mistral.ai/api/endpoint/fim
https://docs.mistral.ai/api/endpoint/classifiers
https://docs.mistral.ai/api/endpoint/ocr
https://docs.mistral.ai/api/endpoint/beta/conversations
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS, MODERATIONS
from mitmeter.usage.apis.media import SPEECH, TRANSCRIPTIONS
from mitmeter.usage.dialect import Figure, Keep, Part, Provider
from mitmeter.usage.prompt import texts

COUNTS = CHAT.counts.also(cache_read_tokens=("num_cached_tokens",))

OCR = EMBEDDINGS.but(
    api="ocr", operation="ocr", paths=(r"/v1/ocr",), usage=("usage_info",), keep=Keep(request_body=False)
)

CONVERSATIONS = CHAT.but(
    api="conversations",
    paths=(r"/v1/conversations(/[^/]+(/restart)?)?",),
    counts=COUNTS,
    request_model=("model", "agent_id"),
    finish=(),
    response_id=("conversation_id",),
    parts=(Part("text", "content", ("message.output.delta",), ("output_index",)),),
    reply=(Part("text", "outputs[].content"), Part("text", "outputs[].content[].text"), Part("tool", "outputs[].name")),
    ends=("conversation.response.done",),
)

PROVIDER = Provider(
    name="mistral",
    convention="mistral_ai",
    took=(Figure(header="x-kong-upstream-latency"), Figure(header="x-envoy-upstream-service-time")),
    hosts=(r"(api|codestral)\.mistral\.ai",),
    dialects=(
        CHAT.but(counts=COUNTS),
        CHAT.but(
            api="fim",
            operation="text_completion",
            paths=(r"/v1/fim/completions",),
            counts=COUNTS,
            prompt=texts("prompt", "suffix"),
        ),
        CHAT.but(api="agents", paths=(r"/v1/agents/completions",), counts=COUNTS),
        EMBEDDINGS,
        MODERATIONS.but(paths=(*MODERATIONS.paths, r"/v1/chat/moderations")),
        MODERATIONS.but(api="classifications", operation="classify", paths=(r"/v1/(chat/)?classifications",)),
        TRANSCRIPTIONS,
        SPEECH,
        CONVERSATIONS,
        OCR,
    ),
)
