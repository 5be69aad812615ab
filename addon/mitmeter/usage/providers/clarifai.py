"""Clarifai: the compatible API below `/v2/ext/openai/v1`.

https://docs.clarifai.com/compute/inference/open-ai/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="clarifai",
    hosts=(r"api\.clarifai\.com",),
    dialects=(CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES),
)
