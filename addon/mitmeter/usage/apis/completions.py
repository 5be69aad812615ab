"""Text completions, the API before chat.

https://platform.openai.com/docs/api-reference/completions/object
"""

from mitmeter.usage.apis.chat import COUNTS
from mitmeter.usage.dialect import Dialect, Part
from mitmeter.usage.prompt import texts

TEXT = (Part("text", "choices[].text"),)

COMPLETIONS = Dialect(
    api="completions",
    operation="text_completion",
    paths=(r"(^|/)(v\d+|v|openai|inference|deployments/[^/]+)/completions", r"^/completions"),
    usage=("usage",),
    counts=COUNTS,
    finish=("choices[].finish_reason",),
    parts=TEXT,
    reply=TEXT,
    prompt=texts("prompt", "suffix"),
)
