"""OVHcloud AI Endpoints.

https://help.ovhcloud.com/csm/en-public-cloud-ai-endpoints-getting-started?id=kb_article_view&sysparm_article=KB0065401
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="ovh",
    prices="ovhcloud",
    hosts=(r".+\.endpoints\.kepler\.ai\.cloud\.ovh\.net",),
    dialects=(
        CHAT,
        COMPLETIONS,
        EMBEDDINGS,
    ),
)
