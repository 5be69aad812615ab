"""predict: instances in, predictions out; embeddings count each instance, images and films count nothing.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api
"""

from mitmeter.usage.apis.generate_content import MODEL, paths
from mitmeter.usage.dialect import Counts, Dialect, Keep
from mitmeter.usage.prompt import texts

PREDICT = Dialect(
    api="predict",
    operation="predict",
    paths=paths("predict", "predictLongRunning"),
    usage=("",),
    counts=Counts(input_tokens=("predictions[].embeddings.statistics.token_count",)),
    model=(),
    request_model=(),
    path_model=MODEL,
    prompt=texts("instances[].prompt", "instances[].content"),
    keep=Keep(response_body=False),
)
