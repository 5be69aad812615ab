"""Xiaomi's MiMo.

https://platform.xiaomimimo.com/docs
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="xiaomi",
    hosts=(r"(api|token-plan-[a-z]+)\.xiaomimimo\.com",),
    dialects=(CHAT, MESSAGES),
)
