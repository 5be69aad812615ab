"""vLLM. `metrics` comes with --enable-per-request-metrics; its `tokens_per_second` mixes prompt and decode time.

https://docs.vllm.ai/en/latest/features/per_request_metrics.html
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Clock, Provider

PROVIDER = Provider(
    name="vllm",
    dialects=(CHAT.but(counts=CHAT.counts.also(cache_write_tokens=("prompt_tokens_details.created_cache_tokens",))),),
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
