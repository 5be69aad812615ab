"""Vertex AI and Firebase AI: the model in the path, other vendors' bodies handed through by `rawPredict`.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/use-partner-models
https://cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview
https://firebase.google.com/docs/ai-logic
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.generate_content import COUNT, EMBED, GENERATE, MODEL, STREAM, paths
from mitmeter.usage.apis.live import LIVE
from mitmeter.usage.apis.messages import COUNT_TOKENS, MESSAGES
from mitmeter.usage.apis.predict import PREDICT
from mitmeter.usage.dialect import Provider
from mitmeter.usage.prompt import either

COUNT_RAW = COUNT_TOKENS.but(paths=(r"/models/count-tokens:rawPredict",))

RAW = MESSAGES.but(
    api="raw_predict",
    paths=paths("rawPredict"),
    counts=MESSAGES.counts.but(otherwise=(CHAT.counts,)),
    path_model=MODEL,
    finish=(*MESSAGES.finish, *CHAT.finish),
    parts=(*MESSAGES.parts, *CHAT.parts),
    prompt=either(MESSAGES.prompt, CHAT.prompt),
)

PROVIDER = Provider(
    name="vertex",
    convention="gcp.vertex_ai",
    prices="google",
    hosts=(
        r"([a-z0-9-]+-)?aiplatform\.googleapis\.com",
        r"aiplatform\.[a-z0-9.-]+\.googleapis\.com",
        r"firebasevertexai\.googleapis\.com",
        r"[a-z0-9-]+\.[a-z0-9-]+\.prediction\.vertexai\.goog",
    ),
    dialects=(
        GENERATE,
        STREAM,
        EMBED,
        COUNT,
        PREDICT,
        COUNT_RAW,
        RAW.but(anywhere=True),
        RAW.but(api="stream_raw_predict", paths=paths("streamRawPredict"), anywhere=True),
        LIVE,
        CHAT,
    ),
)
