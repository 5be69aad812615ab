"""The Live API: a conversation on one WebSocket; each turn of the model is a response.

Messages have no type: the member says what it is. A turn ends when it is complete, or with a call of a tool, whose
result asks for the next one. Usage comes in a turn's last message or alone after it; its total leaves thoughts out.

https://ai.google.dev/api/live
https://ai.google.dev/gemini-api/docs/live-guide#token-count
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/multimodal-live
"""

from mitmeter.usage.apis.generate_content import COUNTS, PROMPT
from mitmeter.usage.dialect import Dialect, Part, Socket, replaces
from mitmeter.usage.prompt import Place, Shape

_TURN = "serverContent.modelTurn.parts[]."

LIVE = Dialect(
    api="live",
    operation="chat",
    paths=(
        r"/ws/google\.ai\.generativelanguage\.[^/]+\.GenerativeService\.BidiGenerateContent(Constrained)?",
        r"/ws/google\.cloud\.aiplatform\.[^/]+\.LlmBidiService/BidiGenerateContent",
    ),
    methods=("GET",),
    usage=("usageMetadata",),
    counts=COUNTS.but(total_without=("thoughtsTokenCount",)),
    fold=replaces,
    model=(),
    request_model=(),
    finish=("serverContent.turnCompleteReason",),
    service_tier=("usageMetadata.trafficType",),
    response_id=(),
    parts=(
        Part("thinking", f"{_TURN}text", where=("thought", True)),
        Part("text", f"{_TURN}text", where=("thought", False)),
        Part("media", f"{_TURN}inlineData.data", medium="audio"),
        Part("text", f"{_TURN}executableCode.code"),
        Part("text", "serverContent.outputTranscription.text"),
        Part("tool", "toolCall.functionCalls[].name", whole=True),
        Part("arguments", "toolCall.functionCalls[].args", whole=True),
    ),
    prompt=PROMPT.but(
        within=(),
        places=(
            Place("system", "setup.systemInstruction"),
            Place("user", "clientContent.turns", turns=True),
            Place("user", "client_content.turns", turns=True),
            Place("user", "realtimeInput.text"),
            Place("user", "realtimeInput.audio"),
            Place("user", "realtimeInput.video"),
            Place("user", "realtimeInput.mediaChunks"),
            Place("tool", "toolResponse.functionResponses"),
            Place("tool", "tool_response.function_responses"),
        ),
        shapes=(
            *PROMPT.shapes,
            Shape("media", ("data",), media=("mimeType",)),
            Shape("tool_result", ("response",), call=("id", "name")),
        ),
    ),
    socket=Socket(
        asks=("clientContent", "client_content", "toolResponse", "tool_response"),
        begins=("serverContent", "toolCall"),
        ends=("serverContent.turnComplete", "toolCall"),
        cuts=False,
        by_member=True,
        usage_trails=True,
        model=("setup.model",),
        model_within="models/",
    ),
)
