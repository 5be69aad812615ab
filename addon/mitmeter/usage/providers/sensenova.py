"""SenseNova: its own chat, all of whose answer stands in `data`, and the compatible API below `/compatible-mode`.

https://platform.sensenova.cn/doc?path=/chat/ChatCompletions/ChatCompletions.md
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Part, Provider
from mitmeter.usage.prompt import Place

LLM = CHAT.but(
    api="llm_chat",
    paths=(r"/v1/llm/chat-completions",),
    usage=("data.usage",),
    finish=("data.choices[].finish_reason",),
    response_id=("data.id",),
    parts=(Part("thinking", "data.choices[].reasoning_content"), Part("text", "data.choices[].delta")),
    reply=(Part("text", "data.choices[].message"),),
    prompt=CHAT.prompt.but(places=(Place("user", "messages", turns=True),), answer=()),
)

PROVIDER = Provider(name="sensenova", hosts=(r"api\.sensenova\.(cn|com)",), dialects=(LLM, CHAT))
