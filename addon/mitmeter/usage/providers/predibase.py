"""Predibase: generation in the shape of the engine that it grew from, below the path of a deployment, and chat.

https://docs.predibase.com/user-guide/inference/rest_api
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.generate import GENERATE, GENERATE_STREAM
from mitmeter.usage.dialect import Provider

LLMS = r"/deployments/v2/llms/"
MODEL = LLMS + r"(?P<model>[^/]+)/"

PROVIDER = Provider(
    name="predibase",
    hosts=(r"serving\.([a-z0-9-]+\.)?app\.predibase\.com",),
    dialects=(
        GENERATE.but(paths=(LLMS + "[^/]+/generate",), path_model=MODEL),
        GENERATE_STREAM.but(paths=(LLMS + "[^/]+/generate_stream",), path_model=MODEL),
        CHAT.but(path_model=MODEL),
        COMPLETIONS.but(path_model=MODEL),
    ),
)
