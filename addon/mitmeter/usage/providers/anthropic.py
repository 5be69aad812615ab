"""Anthropic, and every host that speaks its Messages API at the same paths.

https://docs.anthropic.com/en/api/messages
https://docs.anthropic.com/en/api/messages-count-tokens
https://docs.anthropic.com/en/api/complete (legacy; carries no usage)
https://docs.anthropic.com/en/api/creating-message-batches (made here, consumed later; its results are not metered)
"""

from mitmeter.usage.apis.messages import COUNT_TOKENS, MESSAGES
from mitmeter.usage.dialect import Dialect, Part, Provider

COMPLETE = Dialect(
    api="complete",
    operation="text_completion",
    paths=(r"/v1/complete",),
    finish=("stop_reason",),
    parts=(Part("text", "completion"),),
    reply=(Part("text", "completion"),),
)

BATCHES = Dialect(
    api="batches",
    operation="batch",
    paths=(r"/v1/messages/batches",),
    request_model=("requests[].params.model",),
    finish=("processing_status",),
    consumes=False,
)

PROVIDER = Provider(
    name="anthropic",
    hosts=(r"api\.anthropic\.com",),
    dialects=(MESSAGES.but(anywhere=True), COUNT_TOKENS.but(anywhere=True), COMPLETE, BATCHES),
)
