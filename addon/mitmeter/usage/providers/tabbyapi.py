"""TabbyAPI: its rates stand inside the usage object.

https://github.com/theroyallab/tabbyAPI/wiki
"""

from mitmeter.usage.dialect import Clock, Provider

PROVIDER = Provider(
    name="tabbyapi",
    clocks=(
        Clock(
            at="usage",
            prompt_per_second="prompt_tokens_per_sec",
            tokens_per_second="completion_tokens_per_sec",
        ),
    ),
)
