"""mistral.rs: its rates and seconds stand inside the usage object.

https://github.com/EricLBuehler/mistral.rs/blob/master/mistralrs-core/src/response.rs
"""

from mitmeter.usage.dialect import Clock, Provider

PROVIDER = Provider(
    name="mistralrs",
    clocks=(
        Clock(
            at="usage",
            prompt_per_second="avg_prompt_tok_per_sec",
            tokens_per_second="avg_compl_tok_per_sec",
            prompt_time="total_prompt_time_sec",
            output_time="total_completion_time_sec",
            total_time="total_time_sec",
        ),
    ),
)
