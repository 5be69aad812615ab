"""GPUStack: its rates stand inside the usage object, in tokens per second and milliseconds.

https://docs.gpustack.ai/latest/integrations/openai-compatible-apis/
"""

from mitmeter.usage.dialect import Clock, Provider

PROVIDER = Provider(
    name="gpustack",
    clocks=(
        Clock(
            at="usage",
            unit=0.001,
            prompt_per_second="prompt_tokens_per_second",
            tokens_per_second="tokens_per_second",
            token_gap_time="time_per_output_token_ms",
        ),
    ),
)
