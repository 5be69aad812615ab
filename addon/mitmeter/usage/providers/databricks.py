"""Databricks: usage in every chunk, `completion_tokens` null until the last. The endpoint's name stands in the path.

https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

SERVING = r"/serving-endpoints"

PROVIDER = Provider(
    name="databricks",
    hosts=(r".+\.cloud\.databricks\.com", r".+\.gcp\.databricks\.com", r".+\.azuredatabricks\.net"),
    dialects=(
        CHAT,
        CHAT.but(paths=(SERVING + "/[^/]+/invocations",), path_model=SERVING + "/(?P<model>[^/]+)/invocations"),
        COMPLETIONS.but(paths=(SERVING + "/completions",)),
        EMBEDDINGS.but(paths=(SERVING + "/embeddings",)),
        RESPONSES.but(paths=(SERVING + "/responses",)),
        MESSAGES,
    ),
)
