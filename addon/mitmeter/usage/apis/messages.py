"""The Messages API: cached tokens come on top of `input_tokens`, stream events overlay each other.

https://docs.anthropic.com/en/api/messages
https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from mitmeter.usage.dialect import Counts, Dialect, Named, Part
from mitmeter.usage.prompt import Place, Prompt, Shape

_BLOCK = ("index",)

COUNTS = Counts(
    input_tokens=("input_tokens",),
    output_tokens=("output_tokens",),
    cache_read_tokens=("cache_read_input_tokens",),
    cache_write_tokens=("cache_creation_input_tokens",),
    reasoning_tokens=("output_tokens_details.thinking_tokens",),
    cache_beside_input=True,
    billed_apart="iterations",
    billed_apart_types=("compaction",),
    priced=(
        ("cache_write_5m_tokens", "cache_creation.ephemeral_5m_input_tokens"),
        ("cache_write_1h_tokens", "cache_creation.ephemeral_1h_input_tokens"),
        ("web_searches", "server_tool_use.web_search_requests"),
    ),
)

_RESULTS = ("bash_code_execution", "code_execution", "mcp", "text_editor_code_execution", "tool_search")
_FETCHED = ("web_fetch", "web_search")
_SOURCE = ("source.data", "source.url", "source.file_id", "source.content")

PROMPT = Prompt(
    places=(Place("system", "system"), Place("user", "messages", turns=True)),
    answer=(Place("assistant", "content"),),
    shapes=(
        Shape("text", ("text",), ("text",)),
        Shape("thinking", ("thinking",), ("thinking",)),
        Shape("thinking", (), ("redacted_thinking",)),
        Shape("tool", ("input",), ("tool_use", "server_tool_use", "mcp_tool_use"), name=("name",), call=("id",)),
        Shape(
            "tool_result",
            ("content",),
            ("tool_result", *(f"{name}_tool_result" for name in (*_RESULTS, *_FETCHED))),
            call=("tool_use_id",),
        ),
        Shape("image", _SOURCE, ("image",), media=("source.media_type",)),
        Shape("file", _SOURCE, ("document",), name=("title",), media=("source.media_type",)),
        Shape("file", ("content",), ("search_result",), name=("title",), encoded=False),
        Shape("file", ("file_id",), ("container_upload",)),
        Shape("text", ("content",), ("compaction",)),
    ),
)

MESSAGES = Dialect(
    api="messages",
    operation="chat",
    paths=(r"(^|/)(v\d+|v)/messages",),
    usage=("usage", "message.usage"),
    counts=COUNTS,
    model=("model", "message.model"),
    finish=("stop_reason", "delta.stop_reason", "message.stop_reason"),
    service_tier=("usage.service_tier", "message.usage.service_tier"),
    response_id=("message.id", "id"),
    parts=(
        Part("thinking", "delta.thinking", ("content_block_delta",), _BLOCK),
        Part("text", "content_block.text", ("content_block_start",), _BLOCK),
        Part("text", "delta.text", ("content_block_delta",), _BLOCK),
        Part("tool", "content_block.name", ("content_block_start",), _BLOCK),
        Part("arguments", "delta.partial_json", ("content_block_delta",), _BLOCK),
        Part("result", "content_block.content", ("content_block_start",), _BLOCK),
    ),
    prompt=PROMPT,
    ends=("message_stop",),
    # One text for user, account and session, whose parts are told apart in either of two ways.
    sessions=(Named("metadata.user_id", r'_session_(.+)|"session_id"\s*:\s*"([^"]+)"'),),
    system=("system",),
    turns=("messages",),
)

COUNT_TOKENS = MESSAGES.but(
    api="count_tokens",
    operation="count_tokens",
    paths=(r"(^|/)(v\d+|v)/messages/count_tokens",),
    consumes=False,
)
