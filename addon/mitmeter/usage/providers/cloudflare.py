"""Cloudflare: Workers AI (`result.usage`), and the AI Gateway, which hands on the APIs of others in their shape.

https://developers.cloudflare.com/api/resources/ai/methods/run/
https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/
https://developers.cloudflare.com/ai-gateway/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Part, Provider

ACCOUNT = r"/client/v4/accounts/[^/]+/ai"

RUN = CHAT.but(
    api="run",
    paths=(ACCOUNT + r"/run/@?.+", r"/workers-ai/@.+"),
    path_model=r"/(?P<model>@.+)",
    usage=("usage", "result.usage"),
    parts=(*CHAT.parts, Part("text", "response")),
    reply=(Part("text", "result.response"),),
)

PROVIDER = Provider(
    name="cloudflare",
    hosts=(r"gateway\.ai\.cloudflare\.com", r"api\.cloudflare\.com"),
    dialects=(
        CHAT.but(paths=(ACCOUNT + "/v1/chat/completions", r"/workers-ai/v1/chat/completions")),
        EMBEDDINGS.but(paths=(ACCOUNT + "/v1/embeddings",)),
        RUN,
    ),
)
