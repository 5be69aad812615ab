"""Relace: code to be merged into code, and the compatible API of its other models.

https://docs.relace.ai/api-reference/instant-apply/apply
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Part, Provider
from mitmeter.usage.prompt import texts

APPLY = CHAT.but(
    api="code_apply",
    paths=(r"/v\d+/(code/)?apply",),
    finish=(),
    parts=(),
    reply=(Part("text", "mergedCode"),),
    prompt=texts("instruction", "initial_code", "edit_snippet"),
)

PROVIDER = Provider(
    name="relace", hosts=(r"[a-z0-9-]+\.endpoint\.relace\.run", r"api\.relace\.(run|ai)"), dialects=(APPLY, CHAT)
)
