"""Arcee: the compatible API below `/api/v1`.

https://docs.arcee.ai/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="arcee",
    hosts=(r"api\.arcee\.ai",),
    dialects=(CHAT,),
)
