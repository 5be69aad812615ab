"""Azure OpenAI and Azure AI Foundry: deployments in the path, the model in the body.

https://learn.microsoft.com/azure/ai-services/openai/reference
https://learn.microsoft.com/rest/api/aifoundry/modelinference/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.media import IMAGE_EDITS, IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS
from mitmeter.usage.apis.responses import COMPACT, RESPONSES
from mitmeter.usage.dialect import Provider

DEPLOYMENT = r"/openai/deployments/(?P<model>[^/]+)/"

PROVIDER = Provider(
    name="azure",
    hosts=(r".+\.openai\.azure\.com", r".+\.cognitiveservices\.azure\.com", r".+\.services\.ai\.azure\.com"),
    dialects=tuple(
        dialect.but(path_model=DEPLOYMENT)
        for dialect in (
            CHAT,
            COMPLETIONS,
            RESPONSES,
            COMPACT,
            EMBEDDINGS,
            SPEECH,
            TRANSCRIPTIONS,
            TRANSLATIONS,
            IMAGES,
            IMAGE_EDITS,
        )
    ),
)
