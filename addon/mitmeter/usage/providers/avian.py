"""Avian.

https://avian.io/docs
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="avian",
    hosts=(r"api\.avian\.io",),
    dialects=(CHAT,),
)
