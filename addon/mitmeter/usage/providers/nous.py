"""Nous Research.

https://portal.nousresearch.com/api-docs
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="nous",
    hosts=(r"inference-api\.nousresearch\.com",),
    dialects=(CHAT, COMPLETIONS),
)
