"""What an earlier call produced and is only read again, with the usage of that call in it: not consumed twice.

https://platform.openai.com/docs/api-reference/responses/get
https://platform.openai.com/docs/guides/background
"""

from mitmeter.usage.apis.responses import RESPONSES

RESPONSE = RESPONSES.but(
    api="responses.retrieve",
    operation="retrieve",
    methods=("GET",),
    paths=(r"/v\d+/responses/[^/]+", r"/openai/responses/[^/]+"),
    consumes=False,
)
