"""DigitalOcean: serverless inference, and agents at hosts of their own below `/api/v1`.

https://docs.digitalocean.com/products/gradient-ai-platform/how-to/use-serverless-inference/
https://docs.digitalocean.com/products/gradient-ai-platform/how-to/use-agents/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="digitalocean",
    hosts=(r"inference\.do-ai\.run", r"[a-z0-9-]+\.agents\.do-ai\.run"),
    dialects=(CHAT, RESPONSES),
)
