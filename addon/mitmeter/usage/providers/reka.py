"""Reka: chat at `/v1/chat`, whose `responses` are its choices and whose stream repeats the reply so far.

https://docs.reka.ai/chat/overview
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Part, Provider
from mitmeter.usage.prompt import Place

PROVIDER = Provider(
    name="reka",
    hosts=(r"api\.reka\.ai",),
    dialects=(
        CHAT,
        CHAT.but(
            api="reka_chat",
            paths=(r"/v1/chat",),
            finish=("responses[].finish_reason",),
            parts=(Part("text", "responses[].chunk.content"),),
            grows=True,
            prompt=CHAT.prompt.but(answer=(Place("assistant", "responses[].message", turns=True),)),
        ),
    ),
)
