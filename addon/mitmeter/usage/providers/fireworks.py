"""Fireworks: a document's counts stand in its headers as well, the cached ones perhaps only there.

https://docs.fireworks.ai/api-reference/post-chatcompletions
https://docs.fireworks.ai/api-reference/post-systemone
https://docs.fireworks.ai/faq-new/models-inference/how-to-get-performance-metrics-for-streaming-responses
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.decisions import DECISIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS, RERANK
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Dialect, Provider

COUNTS = CHAT.counts.also(cache_read_tokens=("cached_tokens",))
HEADERS = (("fireworks-prompt-tokens", "prompt_tokens"), ("fireworks-cached-prompt-tokens", "cached_tokens"))


def with_headers(dialect: Dialect) -> Dialect:
    """Return the dialect with what the headers say for counts that the body leaves out."""
    return dialect.but(counts=COUNTS, usage_headers=HEADERS, headers_fill=True)


PROVIDER = Provider(
    name="fireworks",
    hosts=(r"(api|audio-[a-z]+\.api)\.fireworks\.ai",),
    dialects=(with_headers(CHAT), with_headers(COMPLETIONS), RESPONSES, MESSAGES, EMBEDDINGS, RERANK, DECISIONS),
)
