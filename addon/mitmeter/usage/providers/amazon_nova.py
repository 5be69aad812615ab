"""Amazon's Nova API, which is not the cloud's.

https://nova.amazon.com/dev/documentation
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="amazon_nova",
    hosts=(r"api\.nova\.amazon\.com",),
    dialects=(CHAT,),
)
