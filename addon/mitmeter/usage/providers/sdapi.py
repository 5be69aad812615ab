"""Image and audio engines that local model routers forward to: recognised by their paths, without token counts.

Pictures are kept neither in the request nor in the response.
https://github.com/AUTOMATIC1111/stable-diffusion-webui/wiki/API
https://github.com/mostlygeek/llama-swap
"""

from mitmeter.usage.dialect import Dialect, Keep, Provider

TEXT_TO_IMAGE = Dialect(
    api="txt2img",
    operation="generate_content",
    paths=(r"/sdapi/v1/txt2img",),
    anywhere=True,
    keep=Keep(response_body=False),
)

PROVIDER = Provider(
    name="sdapi",
    dialects=(
        TEXT_TO_IMAGE,
        TEXT_TO_IMAGE.but(
            api="img2img",
            paths=(r"/sdapi/v1/img2img",),
            keep=Keep(request_body=False, response_body=False),
        ),
        TEXT_TO_IMAGE.but(api="audio_tasks", paths=(r"/audioapi/v1/tasks/run",), keep=Keep()),
    ),
)
