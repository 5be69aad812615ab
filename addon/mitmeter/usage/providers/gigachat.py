"""GigaChat: what came from a cache is counted beside the prompt and outside the total; embeddings count each text.

https://developers.sber.ru/docs/ru/gigachat/api/reference/rest/post-chat
https://developers.sber.ru/docs/ru/gigachat/api/reference/rest/post-embeddings
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Counts, Provider

PRECACHED = ("precached_prompt_tokens",)

PROVIDER = Provider(
    name="gigachat",
    hosts=(r"gigachat(-preview)?\.devices\.sberbank\.ru", r"api\.giga\.chat"),
    dialects=(
        CHAT.but(
            counts=Counts(
                input_tokens=("prompt_tokens",),
                output_tokens=("completion_tokens",),
                cache_read_tokens=PRECACHED,
                total_tokens=("total_tokens",),
                cache_beside_input=True,
                total_without=PRECACHED,
            )
        ),
        EMBEDDINGS.but(usage=("",), counts=Counts(input_tokens=("data[].usage.prompt_tokens",))),
    ),
)
