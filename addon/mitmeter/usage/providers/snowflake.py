"""Snowflake Cortex: compatible APIs below `/api/v2/cortex/v1`, and `inference:complete`, which streams events.

https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api
https://docs.snowflake.com/en/developer-guide/snowflake-rest-api/reference/cortex-inference
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="snowflake",
    hosts=(r".+\.snowflakecomputing\.(com|cn)",),
    dialects=(
        CHAT,
        CHAT.but(api="complete_inference", paths=(r"/api/v2/cortex/inference:complete",)),
        EMBEDDINGS.but(api="embed_inference", paths=(r"/api/v2/cortex/inference:embed",)),
        MESSAGES,
    ),
)
