"""Nscale.

https://docs.nscale.com/docs/inference/serverless-models/current
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="nscale",
    hosts=(r"inference\.api\.nscale\.com",),
    dialects=(CHAT,),
)
