"""Weights & Biases' inference.

https://docs.wandb.ai/guides/inference/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="wandb",
    hosts=(r"api\.inference\.wandb\.ai",),
    dialects=(CHAT,),
)
