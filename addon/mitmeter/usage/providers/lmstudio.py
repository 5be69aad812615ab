"""LM Studio: its REST API. `stats` beside `usage` in version 0, in place of it in version 1; seconds. Chats are stored.

https://lmstudio.ai/docs/developer/rest/chat
https://lmstudio.ai/docs/developer/rest/streaming-events
https://lmstudio.ai/docs/developer/rest/endpoints
"""

from mitmeter.usage.dialect import Clock, Counts, Dialect, Part, Provider
from mitmeter.usage.prompt import Place, Prompt, Shape

STATS = Clock(at="stats", tokens_per_second="tokens_per_second")

STATEFUL_CHAT = Dialect(
    api="stateful_chat",
    operation="chat",
    paths=(r"^/api/v1/chat",),
    anywhere=True,
    usage=("stats", "result.stats"),
    counts=Counts(
        input_tokens=("input_tokens",),
        output_tokens=("total_output_tokens",),
        reasoning_tokens=("reasoning_output_tokens",),
    ),
    clocks=(STATS, Clock(at="result.stats", tokens_per_second="tokens_per_second")),
    model=("model_instance_id", "result.model_instance_id"),
    response_id=("response_id", "result.response_id", "thread_id"),
    parts=(
        Part("thinking", "content", ("reasoning.delta",)),
        Part("text", "content", ("message.delta",)),
        Part("tool", "tool", ("tool_call.arguments",)),
        Part("arguments", "arguments", ("tool_call.arguments",)),
    ),
    prompt=Prompt(
        places=(Place("system", "system_prompt"), Place("user", "input", turns=True)),
        answer=(Place("assistant", "output", turns=True),),
        continues=("previous_response_id",),
        shapes=(
            Shape("text", ("content",), ("message", "text")),
            Shape("thinking", ("content",), ("reasoning",)),
            Shape("tool", ("arguments",), ("tool_call",), name=("tool",)),
            Shape("image", ("data_url",), ("image",)),
        ),
    ),
    ends=("chat.end",),
    system=("system_prompt",),
    turns=("input",),
    stored=True,
)

PROVIDER = Provider(name="lmstudio", dialects=(STATEFUL_CHAT,), clocks=(STATS,))
