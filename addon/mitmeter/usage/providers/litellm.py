"""LiteLLM's proxy, on any host: it shows itself in the headers of every answer and speaks the APIs of others.

https://docs.litellm.ai/docs/proxy/response_headers
https://docs.litellm.ai/docs/proxy/request_headers
"""

from mitmeter.usage.dialect import Figure, Named, Provider, Sign

PROVIDER = Provider(
    name="litellm",
    signs=(Sign(header="x-litellm-version"), Sign(header="x-litellm-call-id"), Sign(header="x-litellm-model-id")),
    costs=(Figure(header="x-litellm-response-cost"),),
    took=(Figure(header="x-litellm-response-duration-ms"),),
    sessions=(Named("litellm_session_id"), Named("metadata.session_id")),
)
