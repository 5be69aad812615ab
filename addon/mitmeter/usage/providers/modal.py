"""Modal: a host for each app, of which those that serve models speak the APIs that are known anywhere.

https://modal.com/docs/examples/llm_inference
https://modal.com/library
"""

from mitmeter.usage.dialect import Provider

PROVIDER = Provider(name="modal", hosts=(r"[a-z0-9.-]+\.modal\.(run|direct)",))
