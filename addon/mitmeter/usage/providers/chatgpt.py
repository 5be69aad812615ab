"""The backend of ChatGPT that Codex talks to when it is signed in with an account: the Responses API.

https://github.com/openai/codex/tree/main/codex-rs
"""

from mitmeter.usage.apis.realtime import RESPONSES_SOCKET
from mitmeter.usage.apis.responses import COMPACT, RESPONSES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="chatgpt",
    hosts=(r"chatgpt\.com",),
    dialects=(
        RESPONSES.but(paths=(r"^/backend-api/codex/responses",)),
        RESPONSES_SOCKET.but(paths=(r"^/backend-api/codex/responses",)),
        COMPACT.but(paths=(r"^/backend-api/codex/responses/compact",)),
    ),
)
