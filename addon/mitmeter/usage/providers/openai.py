"""OpenAI, and every host that speaks its APIs at the same paths.

A stored response or run that is read again, as those in the background are, consumes nothing; batches are not metered.
https://platform.openai.com/docs/api-reference
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS, MODERATIONS, RERANK
from mitmeter.usage.apis.media import IMAGE_EDITS, IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS, VOICES
from mitmeter.usage.apis.realtime import REALTIME, RESPONSES_SOCKET
from mitmeter.usage.apis.responses import COMPACT, COUNT, RESPONSES
from mitmeter.usage.apis.runs import RUN, RUNS
from mitmeter.usage.apis.stored import RESPONSE
from mitmeter.usage.dialect import Figure, Provider

SPOKEN_ELSEWHERE = (
    CHAT,
    COMPLETIONS,
    RESPONSES,
    COMPACT,
    COUNT,
    EMBEDDINGS,
    MODERATIONS,
    RERANK,
    SPEECH,
    VOICES,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    IMAGES,
    IMAGE_EDITS,
    REALTIME,
    RESPONSES_SOCKET,
)

PROVIDER = Provider(
    name="openai",
    hosts=(r"api\.openai\.com", r"[a-z]{2}\.api\.openai\.com"),
    dialects=(*(dialect.but(anywhere=True) for dialect in SPOKEN_ELSEWHERE), RESPONSE, RUNS, RUN),
    took=(Figure(header="openai-processing-ms"),),
)
