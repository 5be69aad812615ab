"""TypeSafe: decisions at `/v1/systemone`, where gateways and engines have them too.

https://docs.typesafe.ai/api
https://docs.typesafe.ai/models
"""

from mitmeter.usage.apis.decisions import DECISIONS, SYSTEM_ONE
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(name="typesafe", hosts=(r"api\.typesafe\.ai",), dialects=(SYSTEM_ONE.but(anywhere=True), DECISIONS))
