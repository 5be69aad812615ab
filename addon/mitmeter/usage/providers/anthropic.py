"""Anthropic, and every host that speaks its Messages API at the same paths.

https://docs.anthropic.com/en/api/messages
https://docs.anthropic.com/en/api/messages-count-tokens
https://docs.anthropic.com/en/api/complete (legacy; carries no usage)
https://docs.anthropic.com/en/api/creating-message-batches (made here; what it took stands in its results)
"""

from mitmeter.usage.apis.messages import COUNT_TOKENS, MESSAGES
from mitmeter.usage.apis.stored import retrieved
from mitmeter.usage.dialect import Dialect, Part, Provider, summed
from mitmeter.usage.prompt import Place, texts

COMPLETE = Dialect(
    api="complete",
    operation="text_completion",
    paths=(r"/v1/complete",),
    finish=("stop_reason",),
    parts=(Part("text", "completion"),),
    reply=(Part("text", "completion"),),
    prompt=texts("prompt"),
)

BATCHES = Dialect(
    api="batches",
    operation="batch",
    paths=(r"/v1/messages/batches",),
    request_model=("requests[].params.model",),
    finish=("processing_status",),
    consumes=False,
)

# A line for each request of the batch, with a message that is read as a whole.
RESULTS = retrieved(
    MESSAGES,
    r"/v1/messages/batches/(?P<id>[^/]+)/results",
    api="batches.results",
    usage=("result.message.usage",),
    model=("result.message.model",),
    finish=(),
    service_tier=("result.message.usage.service_tier",),
    response_id=(),
    errors=("error",),
    parts=(),
    prompt=MESSAGES.prompt.but(places=(), answer=(Place("assistant", "result.message.content"),)),
    fold=summed,
)

PROVIDER = Provider(
    name="anthropic",
    hosts=(r"api\.anthropic\.com",),
    dialects=(MESSAGES.but(anywhere=True), COUNT_TOKENS.but(anywhere=True), COMPLETE, BATCHES, RESULTS),
)
