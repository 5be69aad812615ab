"""Gemini's own API, its OpenAI-compatible and its Interactions API, and Code Assist, which wraps responses.

https://ai.google.dev/api/generate-content
https://ai.google.dev/api/embeddings
https://googleapis.github.io/js-genai/release_docs/types/gaos_models_decisions_create-decision-response.CreateDecisionResponse.html
https://ai.google.dev/gemini-api/docs/openai (thoughts are only in the total, which is flagged)
https://github.com/google-gemini/gemini-cli/blob/main/packages/core/src/code_assist/converter.ts
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.decisions import DECISIONS
from mitmeter.usage.apis.generate_content import COUNT, EMBED, GENERATE, STREAM, dialect
from mitmeter.usage.apis.interactions import INTERACTION, INTERACTIONS
from mitmeter.usage.apis.live import LIVE
from mitmeter.usage.apis.predict import PREDICT
from mitmeter.usage.dialect import Provider

ASSIST = dialect("response.").but(
    paths=(r"/v\d+internal:generateContent",),
    anywhere=True,
    request_model=("model",),
    path_model=None,
)

PROVIDER = Provider(
    name="gemini",
    convention="gcp.gemini",
    prices="google",
    hosts=(r"generativelanguage\.googleapis\.com", r"([a-z-]+-)?cloudcode-pa(\.[a-z]+)?\.googleapis\.com"),
    dialects=(
        *(known.but(anywhere=True) for known in (GENERATE, STREAM, EMBED, COUNT)),
        PREDICT,
        INTERACTIONS,
        INTERACTION,
        DECISIONS.but(counts=INTERACTIONS.counts, model=()),
        ASSIST,
        ASSIST.but(api="stream_generate_content", paths=(r"/v\d+internal:streamGenerateContent",), streams=True),
        COUNT.but(paths=(r"/v\d+internal:countTokens",), anywhere=True),
        LIVE.but(anywhere=True),
        CHAT,
    ),
)
