"""GitHub Copilot: the APIs stand at the root, `reasoning_tokens` at the top of the usage object.

Inline completions go to a host of their own, with the engine in the path.
https://docs.github.com/en/copilot/reference/copilot-allowlist-reference
https://github.com/microsoft/vscode-copilot-chat
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

ENGINE = r"/v1/engines/(?P<model>[^/]+)/completions"

PROVIDER = Provider(
    name="copilot",
    prices="github-copilot",
    hosts=(r"(api|proxy)(\..+)?\.githubcopilot\.com", r"copilot-proxy\.githubusercontent\.com"),
    dialects=(CHAT, RESPONSES, MESSAGES, EMBEDDINGS, COMPLETIONS.but(paths=(ENGINE,), path_model=ENGINE)),
)
