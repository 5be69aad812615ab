"""Poe.

https://creator.poe.com/docs/external-applications/openai-compatible-api
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="poe",
    hosts=(r"api\.poe\.com",),
    dialects=(CHAT, RESPONSES),
)
