"""SambaNova: its rates stand inside the usage object.

https://docs.sambanova.ai/docs/en/api-reference/endpoints/chat
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Clock, Provider

PROVIDER = Provider(
    name="sambanova",
    hosts=(r"api\.sambanova\.ai",),
    dialects=(CHAT, COMPLETIONS, EMBEDDINGS),
    clocks=(Clock(at="usage", tokens_per_second="completion_tokens_per_sec"),),
)
