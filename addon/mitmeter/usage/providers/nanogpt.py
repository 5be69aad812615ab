"""NanoGPT: the APIs that are known anywhere below `/api/v1`.

https://docs.nano-gpt.com/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="nanogpt",
    hosts=(r"nano-gpt\.com",),
    dialects=(CHAT, MESSAGES),
)
