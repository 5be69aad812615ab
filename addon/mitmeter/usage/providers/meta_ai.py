"""Meta's model API.

https://dev.meta.ai/docs/protocols/chat-completions
https://dev.meta.ai/docs/protocols/responses
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="meta_ai",
    prices="meta",
    hosts=(r"api\.meta\.ai",),
    dialects=(CHAT, RESPONSES),
)
