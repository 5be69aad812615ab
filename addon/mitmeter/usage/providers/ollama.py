"""Ollama: its own API beside the compatible ones. Counts and nanoseconds stand in the last line or document itself.

A count that is 0 is left out (Go's `omitempty`), so absent stays unknown. The service at ollama.com gives no durations
but the total. `/api/embeddings` counts nothing.
https://docs.ollama.com/api/usage
https://docs.ollama.com/api/chat
https://docs.ollama.com/api/generate
https://docs.ollama.com/api/embed
"""

from mitmeter.usage.apis.chat import CHAT, PROMPT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Clock, Counts, Dialect, Part, Provider
from mitmeter.usage.prompt import Place, Shape, texts

DURATIONS = Clock(
    at="", unit=1e-9, prompt_time="prompt_eval_duration", output_time="eval_duration", total_time="total_duration"
)

NATIVE_CHAT = Dialect(
    api="native_chat",
    operation="chat",
    paths=(r"(^(/upstream/.+)?|/ollama)/api/chat",),
    anywhere=True,
    usage=("",),
    counts=Counts(
        input_tokens=("prompt_eval_count",),
        output_tokens=("eval_count",),
        cache_read_tokens=("prompt_eval_cached_count",),
    ),
    clocks=(DURATIONS,),
    finish=("done_reason",),
    response_id=(),
    parts=(
        Part("thinking", "message.thinking"),
        Part("text", "message.content"),
        Part("tool", "message.tool_calls[].function.name"),
        Part("arguments", "message.tool_calls[].function.arguments"),
    ),
    turns=("messages",),
    prompt=PROMPT.but(
        answer=(Place("assistant", "message", turns=True),),
        call=("tool_call_id", "tool_name", "name"),
        beside=(*PROMPT.beside, Shape("image", ("",), each="images[]")),
    ),
)

NATIVE_GENERATE = NATIVE_CHAT.but(
    api="native_generate",
    operation="text_completion",
    paths=(r"(^(/upstream/.+)?|/ollama)/api/generate",),
    parts=(Part("thinking", "thinking"), Part("text", "response")),
    reply=(Part("thinking", "thinking"), Part("text", "response")),
    prompt=PROMPT.but(
        places=(Place("system", "system"), Place("user", "prompt"), Place("user", "images", kind="image")),
        answer=(),
    ),
)

NATIVE_EMBED = NATIVE_CHAT.but(
    api="native_embed",
    operation="embeddings",
    paths=(r"(^(/upstream/.+)?|/ollama)/api/embed(dings)?",),
    clocks=(),
    parts=(),
    prompt=texts("input", "prompt"),
)

PROVIDER = Provider(
    name="ollama",
    hosts=(r"(api\.)?ollama\.com",),
    dialects=(NATIVE_CHAT, NATIVE_GENERATE, NATIVE_EMBED, CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES),
)
