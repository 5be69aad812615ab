"""Hugging Face's router: the shape of the provider that it chose.

https://huggingface.co/docs/inference-providers
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.dialect import Provider

COUNTS = CHAT.counts.also(cache_read_tokens=("cached_tokens",))

PROVIDER = Provider(
    name="huggingface",
    hosts=(r"router\.huggingface\.co", r"api-inference\.huggingface\.co", r".+\.endpoints\.huggingface\.cloud"),
    dialects=(CHAT.but(counts=COUNTS), COMPLETIONS.but(counts=COUNTS)),
)
