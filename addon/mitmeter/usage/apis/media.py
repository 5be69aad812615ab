"""Audio and images: tokens where the model counts them; sound and pictures are not kept, of uploads the rest is.

https://platform.openai.com/docs/api-reference/audio
https://platform.openai.com/docs/api-reference/images
"""

from mitmeter.usage.apis.chat import COUNTS
from mitmeter.usage.dialect import Dialect, Keep, Part
from mitmeter.usage.prompt import Place, Prompt, texts

_NO_REPLY = Keep(response_body=False)
_NO_UPLOAD = Keep(request_body=False)

PROMPT = Prompt(
    places=(Place("user", "prompt"), Place("user", "images[].image_url", kind="image")),
    answer=(
        Place("assistant", "data[].revised_prompt"),
        Place("assistant", "data[].b64_json", kind="image"),
        Place("assistant", "data[].url", kind="image"),
    ),
)


def _image(*types: str) -> Part:
    return Part("media", "b64_json", types, medium="image")


SPEECH = Dialect(
    api="speech",
    operation="speech",
    paths=(r"/v?\d*/audio/speech", r"^/audio/speech"),
    usage=("usage",),
    counts=COUNTS,
    parts=(Part("media", "audio", ("speech.audio.delta",), medium="audio"),),
    prompt=texts("instructions", "input"),
    ends=("speech.audio.done",),
    keep=_NO_REPLY,
)

VOICES = SPEECH.but(api="voices", operation="list", paths=(r"/v1/audio/voices",), keep=_NO_UPLOAD, consumes=False)

TRANSCRIPTIONS = Dialect(
    api="transcriptions",
    operation="transcription",
    paths=(r"/audio/transcriptions",),
    usage=("usage",),
    counts=COUNTS,
    parts=(Part("text", "delta", ("transcript.text.delta",)),),
    reply=(Part("text", "text"),),
    prompt=texts("prompt"),
    ends=("transcript.text.done",),
    keep=_NO_UPLOAD,
)

TRANSLATIONS = TRANSCRIPTIONS.but(api="translations", operation="translation", paths=(r"/audio/translations",))

IMAGES = Dialect(
    api="images",
    operation="generate_content",
    paths=(r"/images/generations",),
    usage=("usage",),
    counts=COUNTS,
    parts=(_image("image_generation.partial_image", "image_generation.completed"),),
    prompt=PROMPT,
    ends=("image_generation.completed",),
    keep=_NO_REPLY,
)

IMAGE_EDITS = IMAGES.but(
    paths=(r"/images/(edits|variations)",),
    parts=(_image("image_edit.partial_image", "image_edit.completed"),),
    ends=("image_edit.completed",),
    keep=Keep(request_body=False, response_body=False),
)
