"""OpenAI, and every host that speaks its APIs at the same paths.

A response, run or batch that is made in the background shows its usage when it is read again, where it counts once.
https://platform.openai.com/docs/api-reference
https://developers.openai.com/api/docs/guides/decisions
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.decisions import DECISIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS, MODERATIONS, RERANK
from mitmeter.usage.apis.media import IMAGE_EDITS, IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS, VOICES
from mitmeter.usage.apis.realtime import REALTIME, RESPONSES_SOCKET
from mitmeter.usage.apis.responses import COMPACT, COUNT, RESPONSES
from mitmeter.usage.apis.runs import RUN, RUNS
from mitmeter.usage.apis.stored import BATCH, BATCHES, RESPONSE, RESPONSE_ANYWHERE
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

STORED = (RESPONSE_ANYWHERE, RESPONSE, RUNS, RUN, BATCHES, BATCH)

PROVIDER = Provider(
    name="openai",
    hosts=(r"api\.openai\.com", r"[a-z]{2}\.api\.openai\.com"),
    dialects=(
        *(dialect.but(anywhere=True) for dialect in SPOKEN_ELSEWHERE),
        *STORED,
        DECISIONS.but(prices="openai-decisions"),
    ),
    took=(Figure(header="openai-processing-ms"),),
)
