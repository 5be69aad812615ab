"""Sarvam.

https://docs.sarvam.ai/api-reference-docs/chat/chat-completions
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="sarvam",
    hosts=(r"api\.sarvam\.ai",),
    dialects=(CHAT,),
)
