"""AI21.

https://docs.ai21.com/reference/jamba-1-6-api-ref
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="ai21",
    hosts=(r"api\.ai21\.com",),
    dialects=(CHAT,),
)
