"""xAI: in chat, reasoning stands beside the completion and the total tells; in responses it is inside the output.
Over a socket the usage stands at the top of `response.done`.

A deferred completion is asked for by the id of its request until it is there; that reading is the consumption.
https://docs.x.ai/docs/api-reference
https://docs.x.ai/docs/guides/voice/agent
https://docs.x.ai/docs/guides/deferred-chat-completions
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.media import IMAGE_EDITS, IMAGES
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.apis.realtime import REALTIME
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.apis.stored import RESPONSE, retrieved
from mitmeter.usage.dialect import Figure, Provider

PROVIDER = Provider(
    name="xai",
    convention="x_ai",
    prices="x-ai",
    hosts=(r"([a-z0-9-]+\.)?api\.x\.ai",),
    dialects=(
        CHAT.but(response_id=("id", "request_id")),
        retrieved(CHAT, r"/v1/chat/deferred-completion/(?P<id>[^/]+)", api="deferred_chat"),
        RESPONSES,
        RESPONSE,
        MESSAGES,
        COMPLETIONS,
        EMBEDDINGS,
        IMAGES,
        IMAGE_EDITS,
        REALTIME,
    ),
    costs=(Figure(at="cost_in_usd_ticks", unit=1e-10),),
    took=(Figure(header="x-metrics-e2e-ms"),),
)
