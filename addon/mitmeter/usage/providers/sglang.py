"""SGLang: `meta_info` at `/generate`; elsewhere `reasoning_tokens` at the top of the usage object.

`/generate` takes several prompts at once, and in a stream repeats the text so far.
https://docs.sglang.ai/basic_usage/native_api.html
https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/entrypoints/openai/usage_processor.py
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.generate import GENERATE
from mitmeter.usage.dialect import Clock, Provider

PROVIDER = Provider(
    name="sglang",
    dialects=(GENERATE.but(anywhere=True, several=True, grows=True), CHAT),
    clocks=(Clock(at="meta_info", output_tokens="completion_tokens"),),
)
