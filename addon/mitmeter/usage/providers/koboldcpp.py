"""KoboldCpp: its own API, where no path is anybody else's. A stream counts nothing.

`/api/v1/generate` could be anybody's and is not read.
https://lite.koboldai.net/koboldcpp_api
https://github.com/LostRuins/koboldcpp/blob/concedo/koboldcpp.py
"""

from mitmeter.usage.dialect import Counts, Dialect, Part, Provider
from mitmeter.usage.prompt import Place, Prompt

GENERATE = Dialect(
    api="kobold_generate",
    operation="text_completion",
    paths=(r"^/api/latest/generate",),
    anywhere=True,
    usage=("",),
    counts=Counts(input_tokens=("results[].prompt_tokens",), output_tokens=("results[].completion_tokens",)),
    finish=("results[].finish_reason", "finish_reason"),
    response_id=(),
    reply=(Part("text", "results[].text"),),
    prompt=Prompt(places=(Place("system", "memory"), Place("user", "prompt"), Place("user", "images", kind="image"))),
)

PROVIDER = Provider(
    name="koboldcpp",
    dialects=(
        GENERATE,
        GENERATE.but(
            api="kobold_stream",
            paths=(r"^/api/extra/generate/stream",),
            usage=(),
            parts=(Part("text", "token"),),
            streams=True,
        ),
        GENERATE.but(
            api="kobold_tokencount",
            operation="count_tokens",
            paths=(r"^/api/extra/tokencount",),
            usage=(),
            reply=(),
            consumes=False,
        ),
    ),
)
