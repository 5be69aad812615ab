"""Azure OpenAI and Azure AI Foundry: deployments in the path, the model in the body.

https://learn.microsoft.com/azure/ai-services/openai/reference
https://learn.microsoft.com/rest/api/aifoundry/modelinference/
https://learn.microsoft.com/azure/machine-learning/how-to-authenticate-online-endpoint (`/score` is any model's)
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.media import IMAGE_EDITS, IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS
from mitmeter.usage.apis.realtime import REALTIME, RESPONSES_SOCKET
from mitmeter.usage.apis.responses import COMPACT, RESPONSES
from mitmeter.usage.apis.runs import RUN, RUNS
from mitmeter.usage.apis.stored import BATCH, BATCHES, RESPONSE
from mitmeter.usage.dialect import Clock, Figure, Provider

DEPLOYMENT = r"/openai/deployments/(?P<model>[^/]+)/"

APIS = (
    CHAT,
    COMPLETIONS,
    RESPONSES,
    RESPONSE,
    COMPACT,
    EMBEDDINGS.but(paths=(*EMBEDDINGS.paths, r"/models/images/embeddings")),
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    IMAGES,
    IMAGE_EDITS,
    REALTIME,
    RESPONSES_SOCKET,
    RUNS,
    RUN,
    BATCHES,
    BATCH,
)

PROVIDER = Provider(
    name="azure",
    convention="azure.ai.openai",
    hosts=(
        r".+\.openai\.azure\.com",
        r".+\.cognitiveservices\.azure\.com",
        r".+\.api\.cognitive\.microsoft\.com",
        r".+\.services\.ai\.azure\.com",
        r".+\.[a-z0-9]+\.(models|inference)\.ai\.azure\.com",
        r".+\.[a-z0-9]+\.inference\.ml\.azure\.com",
    ),
    dialects=tuple(dialect.but(path_model=DEPLOYMENT) for dialect in APIS),
    clocks=(Clock(at="usage.latency_checkpoint", unit=0.001, total_time="total_duration_ms"),),
    took=(Figure(header="x-envoy-upstream-service-time"), Figure(header="ms-azureml-model-time")),
)
