"""NVIDIA's Triton, by its extension for text. What it counts is up to the model: only if asked, and by these names.

Over a stream one backend counts the output anew in each event and another adds it up, so that it stays unknown there.
https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_generate.html
https://github.com/triton-inference-server/vllm_backend/blob/main/docs/additional_outputs.md
"""

from mitmeter.usage.dialect import Counts, Dialect, Part, Provider
from mitmeter.usage.prompt import texts

MODEL = r"^/v2/models/(?P<model>[^/]+)(/versions/[^/]+)?/"
TEXT = (Part("text", "text_output"), Part("text", "text_output[]"))
INPUT = Counts(input_tokens=("num_input_tokens",))

GENERATE = Dialect(
    api="generate_model",
    operation="text_completion",
    paths=(MODEL + "generate",),
    path_model=MODEL,
    anywhere=True,
    usage=("",),
    counts=INPUT.but(output_tokens=("num_output_tokens",)),
    model=("model_name",),
    request_model=(),
    finish=("finish_reason",),
    parts=TEXT,
    reply=TEXT,
    prompt=texts("text_input"),
)

PROVIDER = Provider(
    name="triton",
    dialects=(
        GENERATE,
        GENERATE.but(api="generate_model_stream", paths=(MODEL + "generate_stream",), counts=INPUT, streams=True),
    ),
)
