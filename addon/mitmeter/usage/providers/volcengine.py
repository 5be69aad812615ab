"""Volcengine's Ark (Doubao) and BytePlus: compatible APIs below `/api/v3`, embeddings of pictures at their own path.

https://www.volcengine.com/docs/82379/1494384 (chat)
https://www.volcengine.com/docs/82379/1569618 (responses)
https://www.volcengine.com/docs/82379/1523520 (embeddings of text, pictures and films)
https://docs.byteplus.com/en/docs/ModelArk/1494384
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.media import IMAGES
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="volcengine",
    hosts=(r"ark\.[a-z0-9-]+\.(volces|bytepluses)\.com",),
    dialects=(CHAT, RESPONSES, EMBEDDINGS.but(paths=(*EMBEDDINGS.paths, r"/api/v\d+/embeddings/multimodal")), IMAGES),
)
