"""Groq: `x_groq.usage` on the finish chunk always, `usage` beside it when asked for; durations in seconds.

https://console.groq.com/docs/api-reference
"""

from msgspec.structs import replace

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.media import SPEECH, TRANSCRIPTIONS, TRANSLATIONS
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Clock, Provider

PACE = Clock(at="usage", prompt_time="prompt_time", output_time="completion_time", total_time="total_time")
PACE_WITHOUT_USAGE = replace(PACE, at="x_groq.usage")

PROVIDER = Provider(
    name="groq",
    hosts=(r"api\.groq\.com",),
    dialects=(
        CHAT.but(usage=("x_groq.usage", "usage")),
        RESPONSES,
        EMBEDDINGS,
        SPEECH,
        TRANSCRIPTIONS,
        TRANSLATIONS,
    ),
    clocks=(PACE_WITHOUT_USAGE, PACE),
)
