"""Heroku's managed inference.

https://devcenter.heroku.com/articles/heroku-inference-api-v1-chat-completions
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="heroku",
    hosts=(r"[a-z]{2}\.inference\.heroku\.com",),
    dialects=(CHAT, EMBEDDINGS),
)
