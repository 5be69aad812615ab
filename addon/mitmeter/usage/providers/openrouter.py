"""OpenRouter: usage always comes, mostly on a chunk with choices, in the native tokenizer's counts, with the cost.

`/api/v1/generation` looks up what a call took: not metered.
https://openrouter.ai/docs/api-reference/overview
https://openrouter.ai/docs/guides/guides/usage-accounting
https://openrouter.ai/docs/client-sdks/typescript/models/decisionsresponseusage
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.decisions import DECISIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.media import TRANSCRIPTIONS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Figure, Provider

PROVIDER = Provider(
    name="openrouter",
    hosts=(r"openrouter\.ai",),
    dialects=(CHAT, MESSAGES, RESPONSES, COMPLETIONS, EMBEDDINGS, TRANSCRIPTIONS, DECISIONS),
    costs=(Figure(at="cost"),),
)
