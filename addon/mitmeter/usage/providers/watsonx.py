"""IBM watsonx.ai: counts in `results[]`. In a stream the output count is cumulative, the input is said once and then 0.

https://cloud.ibm.com/apidocs/watsonx-ai#text-generation
https://cloud.ibm.com/apidocs/watsonx-ai#text-chat
https://cloud.ibm.com/apidocs/watsonx-ai#text-rerank
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Counts, Dialect, Part, Provider, highest
from mitmeter.usage.prompt import texts

TEXT = r"/ml/v1/(text|deployments/[^/]+/text)/"
DEPLOYMENT = r"/ml/v1/deployments/(?P<model>[^/]+)/text/"
MODEL = ("model_id", "model")

GENERATION = Dialect(
    api="text_generation",
    operation="text_completion",
    paths=(TEXT + "generation(_stream)?",),
    usage=("results[]",),
    counts=Counts(input_tokens=("input_token_count",), output_tokens=("generated_token_count",)),
    fold=highest,
    model=MODEL,
    request_model=MODEL,
    path_model=DEPLOYMENT,
    finish=("results[].stop_reason",),
    parts=(Part("text", "results[].generated_text"),),
    reply=(Part("text", "results[].generated_text"),),
    prompt=texts("input"),
)

EMBEDDING = EMBEDDINGS.but(
    paths=(TEXT + "embeddings",),
    usage=("",),
    counts=Counts(input_tokens=("input_token_count",)),
    model=MODEL,
    request_model=MODEL,
    prompt=texts("inputs"),
)

PROVIDER = Provider(
    name="watsonx",
    convention="ibm.watsonx.ai",
    hosts=(r"[a-z0-9-]+\.ml\.cloud\.ibm\.com",),
    dialects=(
        GENERATION,
        CHAT.but(paths=(TEXT + "chat(_stream)?",), model=MODEL, request_model=MODEL, path_model=DEPLOYMENT),
        EMBEDDING,
        EMBEDDING.but(
            api="rerank", operation="rerank", paths=(TEXT + "rerank",), prompt=texts("query", "inputs[].text")
        ),
    ),
)
