"""Lepton: a host for each deployment.

https://docs.nvidia.com/dgx-cloud/lepton/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="lepton",
    hosts=(r"[a-z0-9.-]+\.lepton\.run",),
    dialects=(CHAT, COMPLETIONS),
)
