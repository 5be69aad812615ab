"""ModelScope's hosted inference.

https://modelscope.cn/docs/model-service/API-Inference/intro
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="modelscope",
    hosts=(r"api-inference\.modelscope\.(cn|ai)",),
    dialects=(CHAT, EMBEDDINGS, MESSAGES),
)
