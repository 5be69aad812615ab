"""Venice: Anthropic-style cache counts beside the usual ones, both inside the prompt.

https://docs.venice.ai/api-reference/endpoint/chat/completions
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.media import IMAGES, SPEECH, TRANSCRIPTIONS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="venice",
    hosts=(r"api\.venice\.ai",),
    dialects=(
        CHAT,
        EMBEDDINGS,
        TRANSCRIPTIONS,
        SPEECH,
        IMAGES,
    ),
)
