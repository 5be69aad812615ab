"""StepFun.

https://platform.stepfun.com/docs/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="stepfun",
    hosts=(r"api\.stepfun\.(com|ai)",),
    dialects=(CHAT, MESSAGES),
)
