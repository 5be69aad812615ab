"""Decisions: typed questions about one input, an answer with its probability for each; nothing is streamed.

`/systemone` is one vendor's name for it, which others took over with the shape. `/decisions` is a path in many trades.
https://developers.openai.com/api/reference/resources/decisions
"""

from mitmeter.usage.apis.chat import COUNTS
from mitmeter.usage.apis.responses import PROMPT
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.prompt import Place

DECISIONS = Dialect(
    api="decisions",
    operation="decide",
    paths=(r"(^|/)v\d+[a-z]*/decisions",),
    usage=("usage",),
    counts=COUNTS,
    response_id=(),
    prompt=PROMPT.but(
        places=(Place("user", "input", turns=True), Place("user", "state"), Place("user", "questions")),
        answer=(Place("assistant", "answers"),),
    ),
)

SYSTEM_ONE = DECISIONS.but(api="systemone", paths=(r"(^|/)v\d+/systemone",))
