"""predict: instances in, predictions out; embeddings count each instance, images and films count nothing.

Models of text count in `metadata`, and an endpoint that is asked for chat answers with a whole completion.
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text (`tokenMetadata`)
https://cloud.google.com/vertex-ai/generative-ai/docs/open-models/vllm/use-vllm (`chatCompletions`)
"""

from mitmeter.usage.apis.chat import COUNTS
from mitmeter.usage.apis.generate_content import MODEL, paths
from mitmeter.usage.dialect import Counts, Dialect, Keep
from mitmeter.usage.prompt import texts

PREDICT = Dialect(
    api="predict",
    operation="predict",
    paths=paths("predict", "predictLongRunning"),
    usage=("", "metadata.tokenMetadata", "predictions.usage"),
    counts=COUNTS.but(
        otherwise=(
            Counts(
                input_tokens=(
                    "inputTokenCount.totalTokens",
                    "predictions[].embeddings.statistics.token_count",
                ),
                output_tokens=("outputTokenCount.totalTokens",),
            ),
        )
    ),
    model=(),
    request_model=(),
    path_model=MODEL,
    prompt=texts("instances[].prompt", "instances[].content"),
    keep=Keep(response_body=False),
)
