"""How a request of one message with its history is written, which one vendor's models take directly and on a cloud.

https://docs.cohere.com/v1/reference/chat
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-cohere-command-r-plus.html
"""

from mitmeter.usage.prompt import Place, Prompt, Shape

DOCUMENT = Shape("file", ("document.data.text", "document.data"), ("document",), name=("document.id",), encoded=False)

HISTORY = Prompt(
    places=(
        Place("system", "preamble"),
        Place("user", "chat_history", turns=True),
        Place("user", "message"),
        Place("tool", "tool_results"),
    ),
    content=("message", "tool_results"),
    roles=(("USER", "user"), ("CHATBOT", "assistant"), ("SYSTEM", "system"), ("TOOL", "tool")),
    shapes=(Shape("tool_result", ("outputs",), call=("call.name",)),),
    beside=(Shape("tool", ("parameters",), name=("name",), each="tool_calls[]"),),
)
