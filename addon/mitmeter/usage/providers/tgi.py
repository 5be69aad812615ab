"""Hugging Face's Text Generation Inference: `/generate_stream`, and the engine behind a `/generate`, by its headers.

https://github.com/huggingface/text-generation-inference/blob/main/router/src/server.rs
https://huggingface.github.io/text-generation-inference/
"""

from mitmeter.usage.apis.generate import GENERATE, GENERATE_STREAM
from mitmeter.usage.dialect import Figure, Provider, Sign

PROVIDER = Provider(
    name="tgi",
    dialects=(GENERATE_STREAM.but(anywhere=True), GENERATE),
    signs=(Sign(header="x-compute-type"),),
    took=(Figure(header="x-total-time"),),
)
