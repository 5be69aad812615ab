"""GMI Cloud.

https://docs.gmicloud.ai/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="gmi",
    hosts=(r"api\.gmi-serving\.com",),
    dialects=(CHAT, COMPLETIONS),
)
