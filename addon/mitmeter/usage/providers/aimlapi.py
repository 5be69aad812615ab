"""AI/ML API.

https://docs.aimlapi.com/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="aimlapi",
    hosts=(r"api\.aimlapi\.com",),
    dialects=(CHAT, RESPONSES, EMBEDDINGS),
)
