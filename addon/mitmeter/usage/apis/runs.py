"""Runs of the Assistants API: the run's usage covers its steps, and comes when the run has finished.

In a stream `thread.run.step.completed` says what a step took and `thread.run.completed`, later, what all took, so the
last one stands. Without a stream the run is asked for again and again; what it took counts once.
https://platform.openai.com/docs/api-reference/runs/object
https://platform.openai.com/docs/api-reference/assistants-streaming/events
"""

from mitmeter.usage.apis.chat import COUNTS, PROMPT
from mitmeter.usage.apis.responses import GOING_ON
from mitmeter.usage.apis.stored import retrieved
from mitmeter.usage.dialect import Dialect, Part, replaces
from mitmeter.usage.prompt import Place, Shape

_RUN = r"/threads/[^/]+/runs/[^/]+"

RUNS = Dialect(
    api="runs",
    operation="chat",
    paths=(r"/threads/runs", r"/threads/[^/]+/runs", _RUN + "/submit_tool_outputs"),
    usage=("usage",),
    counts=COUNTS,
    fold=replaces,
    finish=("status",),
    errors=("error", "last_error"),
    prompt=PROMPT.but(
        places=(
            Place("system", "instructions"),
            Place("system", "additional_instructions"),
            Place("user", "thread.messages", turns=True),
            Place("user", "additional_messages", turns=True),
            Place("tool", "tool_outputs"),
        ),
        shapes=(*PROMPT.shapes, Shape("tool_result", ("output",), call=("tool_call_id",))),
    ),
    parts=(
        Part("text", "delta.content[].text.value"),
        Part("tool", "delta.step_details.tool_calls[].function.name"),
        Part("arguments", "delta.step_details.tool_calls[].function.arguments"),
    ),
    stored=True,
    unsettled=GOING_ON,
)

RUN = retrieved(RUNS, r"/threads/[^/]+/runs/(?P<id>[^/]+)")
