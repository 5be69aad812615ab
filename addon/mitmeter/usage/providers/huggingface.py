"""Hugging Face's router and endpoints: the APIs that are known anywhere, in the shape of the provider that it chose.

https://huggingface.co/docs/inference-providers
https://huggingface.co/docs/inference-endpoints
"""

from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="huggingface",
    hosts=(
        r"router\.huggingface\.co",
        r"api-inference\.huggingface\.co",
        r".+\.endpoints\.huggingface\.cloud",
    ),
)
