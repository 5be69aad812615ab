"""DeepInfra: compatible APIs below `/v1/openai`, and its own `inference` with counts in `inference_status`.

https://deepinfra.com/docs/openai_api
https://deepinfra.com/docs/inference
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Counts, Dialect, Figure, Part, Provider
from mitmeter.usage.prompt import texts

INFERENCE = Dialect(
    api="inference",
    operation="text_completion",
    paths=(r"/v1/inference/[^/]+/[^/]+",),
    path_model=r"/v1/inference/(?P<model>[^/]+/[^/]+)",
    usage=("inference_status",),
    counts=Counts(input_tokens=("tokens_input",), output_tokens=("tokens_generated",)),
    response_id=("request_id",),
    parts=(Part("text", "token.text"),),
    reply=(Part("text", "results[].generated_text"),),
    prompt=texts("input"),
)

PROVIDER = Provider(
    name="deepinfra",
    hosts=(r"api\.deepinfra\.com",),
    dialects=(CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, INFERENCE),
    costs=(Figure(at="estimated_cost"), Figure(at="cost")),
)
