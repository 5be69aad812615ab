"""vLLM. `metrics` comes with --enable-per-request-metrics; its `tokens_per_second` mixes prompt and decode time.

`/pooling` is nobody else's; `/score` and `/classify` could be, also below `/v1`, and are not read.
https://docs.vllm.ai/en/latest/features/per_request_metrics.html
https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html#pooling-api
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Clock, Provider

PROVIDER = Provider(
    name="vllm",
    dialects=(
        CHAT.but(counts=CHAT.counts.also(cache_write_tokens=("prompt_tokens_details.created_cache_tokens",))),
        EMBEDDINGS.but(api="pooling", paths=(r"^/pooling",), anywhere=True),
    ),
    clocks=(
        Clock(
            at="metrics",
            unit=0.001,
            prompt_time="time_to_first_token_ms",
            token_gap_time="mean_itl_ms",
            draft_tokens="speculative_decoding.num_draft_tokens",
            draft_accepted_tokens="speculative_decoding.num_accepted_draft_tokens",
        ),
    ),
)
