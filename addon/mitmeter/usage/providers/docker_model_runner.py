"""Docker's model runner at the host by which containers reach it; elsewhere `/engines/v1` tells the engine alone.

https://docs.docker.com/ai/model-runner/api-reference/
"""

from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="docker_model_runner",
    hosts=(r"model-runner\.docker\.internal",),
)
