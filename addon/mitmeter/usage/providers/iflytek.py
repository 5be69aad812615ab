"""iFlytek's Spark: over HTTP compatible, over a WebSocket in an envelope, where the last message counts.

https://www.xfyun.cn/doc/spark/X1http.html
https://www.xfyun.cn/doc/spark/Web.html (WebSocket)
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Part, Provider, Socket
from mitmeter.usage.prompt import Place

SPARK = CHAT.but(
    api="spark",
    methods=("GET",),
    paths=(r"^/(v\d+(\.\d+)?|chat|x\d+|[a-z]+-\d+k)(/[a-z0-9-]+)?",),
    usage=("payload.usage.text",),
    model=(),
    request_model=("parameter.chat.domain",),
    finish=(),
    response_id=("header.sid",),
    parts=(
        Part("thinking", "payload.choices.text[].reasoning_content"),
        Part("text", "payload.choices.text[].content"),
    ),
    prompt=CHAT.prompt.but(places=(Place("user", "payload.message.text", turns=True),), answer=()),
    sessions=(),
    turns=(),
    socket=Socket(ends=("payload.usage",), query_model=()),
)

PROVIDER = Provider(
    name="iflytek",
    hosts=(r"spark-api(-open|-n)?\.xf-yun\.com", r"maas-api\.[a-z0-9-]+\.xf-yun\.com"),
    dialects=(CHAT, SPARK),
)
