"""v0's model API.

https://v0.dev/docs/v0-model-api
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="v0",
    hosts=(r"api\.v0\.dev",),
    dialects=(CHAT,),
)
