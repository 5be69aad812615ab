"""Together: `cached_tokens` at the top of the usage object.

https://docs.together.ai/reference/chat-completions-1
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS, RERANK
from mitmeter.usage.dialect import Provider

COUNTS = CHAT.counts.also(cache_read_tokens=("cached_tokens",))

PROVIDER = Provider(
    name="together",
    hosts=(r"api\.together\.(xyz|ai)",),
    dialects=(CHAT.but(counts=COUNTS), COMPLETIONS.but(counts=COUNTS), EMBEDDINGS, RERANK),
)
