"""Cerebras: `time_info` in seconds, in the document or the last chunk.

https://inference-docs.cerebras.ai/api-reference/chat-completions
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.dialect import Clock, Provider

PROVIDER = Provider(
    name="cerebras",
    hosts=(r"api\.cerebras\.ai",),
    dialects=(CHAT, COMPLETIONS),
    clocks=(Clock(at="time_info", prompt_time="prompt_time", output_time="completion_time", total_time="total_time"),),
)
