"""Tencent's Hunyuan: its own API, all of whose actions stand at `/` under capitalised names, and the compatible ones.

A document stands in `Response`, also one that tells of an error. A stream counts in every event, cumulatively.
https://cloud.tencent.com/document/api/1729/105701 (ChatCompletions)
https://cloud.tencent.com/document/api/1729/102832 (GetEmbedding)
https://cloud.tencent.com/document/product/1729/111007 (compatible)
https://cloud.tencent.com/document/product/1772/115969 (LKEAP, compatible)
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Counts, Dialect, Part, Provider
from mitmeter.usage.prompt import Place, Prompt, Shape

ACTION = Dialect(
    api="action",
    operation="chat",
    paths=(r"^",),
    usage=("Usage", "Response.Usage"),
    counts=Counts(input_tokens=("PromptTokens",), output_tokens=("CompletionTokens",), total_tokens=("TotalTokens",)),
    model=("Model", "Response.Model"),
    request_model=("Model",),
    finish=("Choices[].FinishReason", "Response.Choices[].FinishReason"),
    response_id=("Id", "Response.Id"),
    errors=("error", "Response.Error", "Response.ErrorMsg", "ErrorMsg"),
    parts=(
        Part("thinking", "Choices[].Delta.ReasoningContent"),
        Part("text", "Choices[].Delta.Content"),
        Part("tool", "Choices[].Delta.ToolCalls[].Function.Name"),
        Part("arguments", "Choices[].Delta.ToolCalls[].Function.Arguments"),
    ),
    reply=(
        Part("thinking", "Response.Choices[].Message.ReasoningContent"),
        Part("text", "Response.Choices[].Message.Content"),
        Part("tool", "Response.Choices[].Message.ToolCalls[].Function.Name"),
        Part("arguments", "Response.Choices[].Message.ToolCalls[].Function.Arguments"),
    ),
    prompt=Prompt(
        places=(
            Place("user", "Messages", turns=True),
            Place("user", "Input"),
            Place("user", "InputList"),
        ),
        content=("Contents", "Content"),
        speaker="Role",
        results=("tool",),
        call=("ToolCallId",),
        shapes=(Shape("text", ("Text",)), Shape("image", ("ImageUrl.Url",))),
        beside=(
            Shape("thinking", ("ReasoningContent",)),
            Shape("tool", ("Function.Arguments",), name=("Function.Name",), call=("Id",), each="ToolCalls[]"),
        ),
    ),
)

PROVIDER = Provider(
    name="tencent",
    hosts=(
        r"(hunyuan|lkeap)(\.[a-z0-9-]+)?\.tencentcloudapi\.com",
        r"api\.(hunyuan|lkeap)\.cloud\.tencent\.com",
    ),
    dialects=(ACTION, CHAT, EMBEDDINGS),
)
