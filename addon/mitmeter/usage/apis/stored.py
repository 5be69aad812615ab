"""What an earlier call had made, read again by its id, with the usage of that call in it each time: it counts once.

What is made in the background shows its usage only here.
https://platform.openai.com/docs/api-reference/responses/get
https://platform.openai.com/docs/guides/background
https://platform.openai.com/docs/api-reference/batch/object
"""

from typing import Any

from mitmeter.usage.apis.chat import COUNTS
from mitmeter.usage.apis.responses import GOING_ON, RESPONSES
from mitmeter.usage.dialect import Dialect


def retrieved(made: Dialect, *paths: str, **changes: Any) -> Dialect:
    """Return the dialect of reading again what `made` had made; the group `id` of each path names it."""
    again = made.but(
        api=f"{made.api}.retrieve",
        operation="retrieve",
        methods=("GET",),
        paths=paths,
        stored=True,
        unsettled=GOING_ON,
        anywhere=False,
    )
    return again.but(**changes)


RESPONSE = retrieved(RESPONSES, r"/v\d+/responses/(?P<id>[^/]+)", r"/openai/responses/(?P<id>[^/]+)")
RESPONSE_ANYWHERE = retrieved(RESPONSES, r"/v\d+/responses/(?P<id>resp_[^/]+)", anywhere=True)

BATCHES = Dialect(
    api="batches",
    operation="batch",
    paths=(r"/v\d+/batches", r"^/openai/batches"),
    usage=("usage",),
    counts=COUNTS,
    request_model=(),
    finish=("status",),
    errors=("error", "errors"),
    stored=True,
    unsettled=GOING_ON,
)
BATCH = retrieved(BATCHES, r"/v\d+/batches/(?P<id>[^/]+)", r"^/openai/batches/(?P<id>[^/]+)")
