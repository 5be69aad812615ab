"""Inception: compatible chat, and completions that fill in the middle.

https://docs.inceptionlabs.ai/
https://docs.litellm.ai/docs/providers/inception
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="inception",
    hosts=(r"api\.inceptionlabs\.ai",),
    dialects=(CHAT, COMPLETIONS.but(api="fim", paths=(r"/fim/completions",)), COMPLETIONS),
)
