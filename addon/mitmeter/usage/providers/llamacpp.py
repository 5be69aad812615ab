"""llama.cpp's server, and the engines that wrap it.

`timings` comes with every answer, asked for or not; `prompt_n` leaves out the `cache_n` tokens taken from the cache.
`tokens_cached` is the fill of the slot, not a cache hit. `/completion` takes several prompts at once; `/infill` may
answer with an array whose last element counts.
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/server-task.cpp
"""

from mitmeter.usage.dialect import Clock, Counts, Dialect, Part, Provider, Sign
from mitmeter.usage.prompt import texts

TIMINGS = Clock(
    at="timings",
    unit=0.001,
    new_input_tokens="prompt_n",
    output_tokens="predicted_n",
    cache_read_tokens="cache_n",
    prompt_per_second="prompt_per_second",
    tokens_per_second="predicted_per_second",
    draft_tokens="draft_n",
    draft_accepted_tokens="draft_n_accepted",
)

COMPLETION = Dialect(
    api="completion",
    operation="text_completion",
    paths=(r"^/completion", r"^(/upstream/.+)?/completion"),
    anywhere=True,
    usage=("", "usage"),
    counts=Counts(
        input_tokens=("prompt_tokens", "tokens_evaluated"),
        output_tokens=("completion_tokens", "tokens_predicted"),
    ),
    clocks=(TIMINGS,),
    finish=("stop_type",),
    response_id=(),
    several=True,
    parts=(Part("text", "content"),),
    reply=(Part("text", "content"),),
    prompt=texts("input_extra[].text", "input_prefix", "prompt", "input_suffix"),
)

PROVIDER = Provider(
    name="llamacpp",
    dialects=(
        COMPLETION,
        COMPLETION.but(api="infill", several=False, paths=(r"^/infill.*", r"^/upstream/.+/infill")),
    ),
    clocks=(TIMINGS,),
    signs=(Sign(header="server", contains="llama.cpp"),),
)
