"""Portkey's gateway: the APIs that are known anywhere, and decisions.

https://portkey.ai/docs/api-reference/inference-api/introduction
https://portkey.ai/docs/api-reference/inference-api/decisions
"""

from mitmeter.usage.apis.decisions import DECISIONS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(name="portkey", hosts=(r"(api|aigw)\.portkey\.ai",), dialects=(DECISIONS,))
