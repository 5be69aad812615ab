"""Baidu's Qianfan: the compatible APIs below `/v2`, and the older ones of ERNIE, which name the model in the path.

Those count in every event, cumulatively, and tell of errors by `error_msg` under status 200.
https://cloud.baidu.com/doc/qianfan-api/s/3m7of64lb (compatible)
https://cloud.baidu.com/doc/WENXINWORKSHOP/s/clntwmv7t (chat)
https://cloud.baidu.com/doc/WENXINWORKSHOP/s/alj562vvu (embeddings)
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS, RERANK
from mitmeter.usage.dialect import Part, Provider
from mitmeter.usage.prompt import Place, texts

SHOP = r"/wenxinworkshop/"
CONTENT = (
    Part("thinking", "reasoning_content"),
    Part("text", "result"),
    Part("tool", "function_call.name"),
    Part("arguments", "function_call.arguments"),
)

ERNIE = CHAT.but(
    api="ernie_chat",
    paths=(SHOP + r"chat/[^/]+",),
    path_model=SHOP + r"[a-z0-9]+/(?P<model>[^/]+)",
    finish=("finish_reason",),
    errors=("error", "error_msg"),
    parts=CONTENT,
    reply=CONTENT,
    prompt=CHAT.prompt.but(places=(Place("system", "system"), *CHAT.prompt.places), answer=()),
)
ERNIE_EMBEDDINGS = ERNIE.but(
    api="ernie_embeddings",
    operation="embeddings",
    paths=(SHOP + r"embeddings/[^/]+",),
    parts=(),
    reply=(),
    prompt=texts("input"),
)

PROVIDER = Provider(
    name="baidu",
    hosts=(r"qianfan\.baidubce\.com", r"qianfan\.[a-z0-9-]+\.baidubce\.com", r"aip\.baidubce\.com"),
    dialects=(
        ERNIE,
        ERNIE.but(
            api="ernie_completions",
            operation="text_completion",
            paths=(SHOP + r"(completions|image2text)/[^/]+",),
            prompt=texts("prompt"),
        ),
        ERNIE_EMBEDDINGS,
        ERNIE_EMBEDDINGS.but(
            api="ernie_rerank",
            operation="rerank",
            paths=(SHOP + r"reranker/[^/]+",),
            prompt=texts("query", "documents"),
        ),
        CHAT,
        EMBEDDINGS,
        RERANK.but(paths=(*RERANK.paths, r"/v2/rerankers")),
    ),
)
