"""The names whose values stay: headers and query parameters that are known to hold no credential.

Everything else keeps its name alone. Names follow RFC 9110 and the IANA registry of fields
(https://www.iana.org/assignments/http-fields), the providers' own pages and what the recordings in `../shared/corpus`
hold. Names of accounts (organization, project, workspace) are no one else's business and are not listed.
"""

import re

HEADERS = frozenset(
    (
        # content and its negotiation
        *("accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges", "accept-patch"),
        *("content-type", "content-length", "content-encoding", "content-language", "content-disposition"),
        *("content-location", "content-range", "content-md5", "content-digest", "transfer-encoding", "te", "trailer"),
        *("range", "vary", "prefer", "preference-applied", "expect", "priority", "x-content-type-options"),
        # connection and hops
        *("connection", "proxy-connection", "keep-alive", "upgrade", "host", "via", "alt-svc", "max-forwards"),
        *("http2-settings", "sec-websocket-version", "sec-websocket-extensions", "upgrade-insecure-requests"),
        *("x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip"),
        *("x-forwarded-for", "forwarded", "origin", "referer", "location", "link", "allow", "server", "date", "dnt"),
        *("x-powered-by", "x-served-by", "x-backend", "x-upstream", "x-hostname", "x-proxy"),
        # caching
        *("age", "cache-control", "etag", "expires", "last-modified", "pragma", "if-match", "if-none-match"),
        *("if-modified-since", "if-unmodified-since", "if-range", "x-cache", "x-cache-hits", "x-cache-status"),
        *("x-cache-key", "cf-cache-status", "x-bt-cached", "surrogate-control", "cdn-cache-control"),
        # who asks with what
        *("user-agent", "x-app", "x-title", "x-client-name", "x-client-version", "x-goog-api-client", "http-referer"),
        *("x-amz-user-agent", "x-ms-useragent", "x-together-client-user-agent", "originator", "version", "claude-code"),
        *("x-goog-request-params", "x-server-timeout", "x-api-call-start", "x-api-call-end", "x-api-received"),
        # ids of a request, a trace, a conversation
        *("request-id", "x-request-id", "x-correlation-id", "correlation-id", "x-trace-id", "x-debug-trace-id"),
        *("traceparent", "traceresponse", "x-cloud-trace-context", "x-amzn-requestid", "x-amzn-trace-id", "b3"),
        *("x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-client-request-id", "x-ms-client-request-id", "cf-ray"),
        *("x-ms-request-id", "apim-request-id", "x-amz-cf-id", "x-amz-request-id", "x-amz-id-2", "cf-placement"),
        *("amz-sdk-request", "amz-sdk-invocation-id", "mistral-correlation-id", "x-kong-request-id", "x-ds-trace-id"),
        *("x-generation-id", "inference-id", "idempotency-key", "x-session-id", "session-id", "session_id"),
        *("x-claude-code-session-id", "x-claude-code-agent-id", "conversation_id", "conversation-id", "x-message-id"),
        *("x-parent-session-id", "x-opencode-session", "x-opencode-request", "x-initiator", "x-interaction-id"),
        # limits and advice
        *("retry-after", "retry-after-ms", "x-should-retry", "x-ratelimit", "x-max-retry-attempts-reached"),
        *("x-api-warning", "warning", "deprecation", "sunset", "www-authenticate", "proxy-authenticate"),
        # clocks, counts and costs
        *("server-timing", "timing-allow-origin", "x-runtime", "x-response-time", "x-process-time", "x-queue-time"),
        *("x-total-time", "x-inference-time", "x-validation-time", "x-time-per-token", "x-compute-time"),
        *("x-compute-type", "x-compute-characters", "x-compression-token-time", "ms-azureml-model-time"),
        *("num-tokens", "num_tokens", "num-chars", "num_chars", "prompt-token-len", "sampling-token-len"),
        *("x-prompt-tokens", "x-envoy-upstream-service-time", "x-kong-proxy-latency", "x-kong-upstream-latency"),
        *(
            "req-cost-time",
            "req-arrive-time",
            "resp-start-time",
            "cmp-upstream-response-duration",
            "x-request-accepted-at",
        ),
        *("pydantic-ai-gateway-price-estimate", "x-endpoint-monthly-call-limit", "x-trial-endpoint-call-limit"),
        *("x-trial-endpoint-call-remaining", "x-goog-quota-remaining", "x-accel-expires", "x-accel-buffering"),
        # where, by whom and how it was served
        *("x-ms-region", "x-groq-region", "x-ppl-region", "x-ms-deployment-name", "x-ms-rai-invoked", "provider"),
        *("x-ms-is-spilled-over", "azureml-model-session", "azureai-fe-is-streaming", "azureai-fe-offer-type"),
        *("azureai-requested-tier", "azureai-processed-tier", "x-gemini-service-tier", "x-inference-version"),
        *("x-build-commit", "x-build-time", "x-data-retention", "x-zero-data-retention", "x-model", "x-model-id"),
        *(
            "x-amzn-errortype",
            "x-amz-date",
            "x-amz-target",
            "x-amz-content-sha256",
            "x-amz-cf-pop",
            "x-openai-proxy-wasm",
        ),
        *("x-envoy-decorator-operation", "x-fern-language", "x-fern-sdk-name", "x-fern-sdk-version"),
        *("x-openrouter-title", "skip-error-remapping", "x-xai-model-address", "system-fingerprint"),
        # browsers and their policies
        *("strict-transport-security", "content-security-policy", "content-security-policy-report-only", "nel"),
        *("x-frame-options", "x-xss-protection", "x-robots-tag", "referrer-policy", "permissions-policy", "report-to"),
        *("cross-origin-opener-policy", "cross-origin-resource-policy", "cross-origin-embedder-policy", "expect-ct"),
        *("reporting-endpoints", "x-dns-prefetch-control", "x-download-options", "sec-gpc", "x-requested-with"),
    )
)

FAMILIES = re.compile(
    r"access-control-(?:allow|expose|max|request)-[a-z-]+"
    r"|sec-(?:fetch|ch)-[a-z-]+"
    r"|x-stainless-(?:arch|async|helper|helper-method|lang|os|package-version|poll-helper|raw-response|read-timeout"
    r"|retry-count|runtime|runtime-version|stream-helper|timeout)"
    r"|openai-(?:beta|model|processing-ms|version|poll-after-ms)"
    r"|anthropic-(?:beta|version|dangerous-direct-browser-access|fast-[a-z-]+|priority-[a-z-]+|ratelimit-[a-z-]+)"
    r"|x-amzn-bedrock-[a-z-]+"
    r"|fireworks-[a-z-]*(?:tokens?|time|duration|latency|length|rate|count|sampling|prompt|queue|model|server)[a-z-]*"
    r"|x-litellm-(?:version|call-id|model-id|model-group|model-region|response-[a-z-]+|attempted-[a-z-]+|max-[a-z-]+"
    r"|overhead-[a-z-]+|timeout|stream-timeout)"
    r"|(?:[a-z0-9]+-)*rate-?limit(?:bysize)?-[a-z0-9-]+"
    r"|x-(?:metrics|compute|inference|queue)-[a-z-]+"
    r"|x-[a-z-]+-(?:latency|duration|ms|time)"
)

# Standards' and providers' parameters: versions, paging, formats, what a realtime endpoint is asked for, and the parts
# of a signed address that are not its credential or signature (SigV4, SAS).
QUERY = frozenset(
    (
        *(
            "api-version",
            "api_version",
            "version",
            "v",
            "beta",
            "model",
            "model_id",
            "deployment",
            "stream",
            "alt",
            "$alt",
        ),
        *("limit", "order", "after", "before", "after_id", "before_id", "page", "page_size", "pagesize", "per_page"),
        *("offset", "top", "skip", "count", "n", "include", "include[]", "fields", "purpose", "type", "format", "lang"),
        *(
            "language",
            "region",
            "timeout",
            "encoding",
            "sample_rate",
            "channels",
            "voice",
            "output_format",
            "dimensions",
        ),
        *("interim_results", "punctuate", "smart_format", "diarize", "intent", "prettyprint", "details", "verbose"),
        *("optimize_streaming_latency", "starting_after", "starting-after", "return_tokens", "echo", "task", "tools"),
        *("x-amz-algorithm", "x-amz-date", "x-amz-expires", "x-amz-signedheaders"),
        *("x-goog-algorithm", "x-goog-date", "x-goog-expires", "x-goog-signedheaders"),
        *("se", "st", "sp", "sv", "sr", "spr"),
    )
)


def is_harmless(name: str) -> bool:
    """Say whether a header of this lower-case name is known to hold no credential."""
    return name in HEADERS or FAMILIES.fullmatch(name) is not None
