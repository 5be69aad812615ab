"""Interactions: an input of steps, `steps` in return; counts are totals, and thoughts come on top of the output.

https://ai.google.dev/api/interactions-api
"""

from mitmeter.usage.apis.responses import GOING_ON
from mitmeter.usage.apis.stored import retrieved
from mitmeter.usage.dialect import Counts, Dialect, Part, replaces
from mitmeter.usage.prompt import Place, Prompt, Shape

_STEP = ("index",)

INTERACTIONS = Dialect(
    api="interactions",
    operation="chat",
    paths=(r"/v\d+(alpha|beta)?\d*/interactions",),
    anywhere=True,
    usage=("usage", "interaction.usage"),
    counts=Counts(
        input_tokens=("total_input_tokens",),
        output_tokens=("total_output_tokens",),
        cache_read_tokens=("total_cached_tokens",),
        reasoning_tokens=("total_thought_tokens",),
        total_tokens=("total_tokens",),
        beside_input=("total_tool_use_tokens",),
        beside_output=("total_thought_tokens",),
    ),
    fold=replaces,
    model=("model", "interaction.model"),
    request_model=("model", "agent"),
    finish=("status", "interaction.status"),
    service_tier=("service_tier", "interaction.service_tier"),
    response_id=("id", "interaction.id"),
    parts=(
        Part("thinking", "delta.content.text", (), _STEP),
        Part("text", "delta.text", (), _STEP, ("type", "text")),
        Part("tool", "step.name", (), _STEP),
        Part("arguments", "delta.arguments", (), _STEP),
        Part("media", "delta.data", (), _STEP),
    ),
    prompt=Prompt(
        answer=(Place("assistant", "steps", turns=True),),
        continues=("previous_interaction_id",),
        places=(Place("system", "system_instruction"), Place("user", "input", turns=True)),
        roles=(("user_input", "user"), ("model_output", "assistant"), ("model", "assistant")),
        shapes=(
            Shape("text", ("text",), ("text",)),
            Shape("thinking", ("summary",), ("thought",)),
            Shape("tool", ("arguments",), ("function_call",), name=("name",), call=("id",)),
            Shape("tool_result", ("result",), ("function_result",), call=("call_id", "name")),
            *(Shape(kind, ("data", "uri"), (kind,), media=("mime_type",)) for kind in ("image", "audio")),
            Shape("file", ("data", "uri"), ("document",), media=("mime_type",)),
            Shape("media", ("data", "uri"), ("video",), media=("mime_type",)),
        ),
    ),
    type_at="event_type",
    ends=("interaction.completed", "interaction.complete"),
    system=("system_instruction",),
    turns=("input",),
    stored=True,
    unsettled=GOING_ON,
)
INTERACTION = retrieved(INTERACTIONS, r"/v\d+(alpha|beta)?\d*/interactions/(?P<id>[^/]+)", anywhere=True)
