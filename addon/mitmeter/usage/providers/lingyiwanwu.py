"""01.AI.

https://platform.lingyiwanwu.com/docs
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="lingyiwanwu",
    hosts=(r"api\.lingyiwanwu\.com",),
    dialects=(CHAT,),
)
