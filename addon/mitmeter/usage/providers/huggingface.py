"""Hugging Face's router and endpoints: the APIs that are known anywhere, in the shape of the provider that it chose.

An endpoint is an engine of one model: its paths for bare texts are read here too.
https://huggingface.co/docs/inference-providers
https://huggingface.co/docs/inference-endpoints
"""

from mitmeter.usage.apis.embed import EMBED, PREDICT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="huggingface",
    hosts=(
        r"router\.huggingface\.co",
        r"api-inference\.huggingface\.co",
        r".+\.endpoints\.huggingface\.cloud",
    ),
    dialects=(EMBED, PREDICT),
)
