"""Perplexity: usage in every chunk, cumulative. Deep research counts citations and reasoning beside the rest.

What it searched and read (`citation_tokens`) comes on top of the prompt and what it thought (`reasoning_tokens`) on top
of the completion; the total leaves both out, which is flagged. An asynchronous answer
may be read many times.
https://docs.perplexity.ai/api-reference/chat-completions-post
https://docs.perplexity.ai/docs/agent-api/migrate-from-sonar (`/v1/agent`)
https://docs.perplexity.ai/docs/embeddings/quickstart
https://docs.perplexity.ai/docs/decisions/quickstart
https://docs.perplexity.ai/getting-started/pricing
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.decisions import DECISIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.apis.stored import retrieved
from mitmeter.usage.dialect import Counts, Figure, Provider

COUNTS = Counts(
    input_tokens=("prompt_tokens",),
    output_tokens=("completion_tokens",),
    reasoning_tokens=("reasoning_tokens",),
    total_tokens=("total_tokens",),
    beside_input=("citation_tokens",),
    beside_output=("reasoning_tokens",),
)

SONAR = CHAT.but(
    paths=(*CHAT.paths, r"/v1/sonar"),
    counts=COUNTS,
    usage=("usage", "response.usage"),
    model=("model", "response.model"),
)

AGENT = RESPONSES.but(
    paths=(*RESPONSES.paths, r"/v1/agent"),
    counts=RESPONSES.counts.also(
        cache_read_tokens=("input_tokens_details.cache_read_input_tokens",),
        cache_write_tokens=("input_tokens_details.cache_creation_input_tokens",),
    ),
)

PROVIDER = Provider(
    name="perplexity",
    hosts=(r"api\.perplexity\.ai",),
    dialects=(
        SONAR,
        retrieved(SONAR, r"/async/chat/completions/(?P<id>[^/]+)"),
        AGENT,
        retrieved(AGENT, r"/v1/(responses|agent)/(?P<id>[^/]+)"),
        DECISIONS,
        EMBEDDINGS.but(paths=(*EMBEDDINGS.paths, r"/v1/contextualizedembeddings")),
    ),
    costs=(Figure(at="cost.total_cost"),),
)
