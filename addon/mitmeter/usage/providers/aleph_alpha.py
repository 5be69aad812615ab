"""Aleph Alpha: completions of a prompt that count at the root, in a stream in their summary; chat is compatible.

https://docs.aleph-alpha.com/api/complete/
https://docs.aleph-alpha.com/api/semantic-embed/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Counts, Dialect, Part, Provider
from mitmeter.usage.prompt import Place, Prompt, Shape

COMPLETE = Dialect(
    api="complete_prompt",
    operation="text_completion",
    paths=(r"^/complete",),
    usage=("",),
    counts=Counts(input_tokens=("num_tokens_prompt_total",), output_tokens=("num_tokens_generated",)),
    model=(),
    finish=("completions[].finish_reason", "finish_reason"),
    response_id=(),
    parts=(Part("text", "completion", ("stream_chunk",)),),
    reply=(Part("text", "completions[].completion"),),
    prompt=Prompt(
        places=(Place("user", "prompt"),),
        shapes=(Shape("text", ("data",), ("text",)), Shape("image", ("data",), ("image",))),
    ),
)

PROVIDER = Provider(
    name="aleph_alpha",
    hosts=(r"(inference-)?api\.([a-z0-9-]+\.)?aleph-alpha\.com",),
    dialects=(
        COMPLETE,
        COMPLETE.but(
            api="embed_prompt",
            operation="embeddings",
            paths=(r"^/(semantic_|batch_semantic_)?embed",),
            finish=(),
            parts=(),
            reply=(),
        ),
        CHAT,
        EMBEDDINGS,
    ),
)
