"""Replicate: a prediction's `metrics`, there once it has finished, each time that it is read.

The names of the counts come from its documentation, not from a recording.
https://replicate.com/docs/reference/http
"""

from mitmeter.usage.apis.responses import GOING_ON
from mitmeter.usage.apis.stored import retrieved
from mitmeter.usage.dialect import Clock, Counts, Dialect, Part, Provider
from mitmeter.usage.prompt import Place, Prompt

PREDICTIONS = Dialect(
    api="predictions",
    operation="generate_content",
    paths=(r"/v1/predictions", r"/v1/(models|deployments)/[^/]+/[^/]+/predictions"),
    usage=("metrics",),
    counts=Counts(input_tokens=("input_token_count",), output_tokens=("output_token_count",)),
    clocks=(Clock(at="metrics", tokens_per_second="tokens_per_second", total_time="predict_time"),),
    request_model=("model", "version"),
    path_model=r"/v1/(models|deployments)/(?P<model>[^/]+/[^/]+)/predictions",
    finish=("status",),
    reply=(Part("text", "output[]"), Part("text", "output")),
    stored=True,
    unsettled=GOING_ON,
    prompt=Prompt(places=(Place("system", "input.system_prompt"), Place("user", "input.prompt"))),
)

PROVIDER = Provider(
    name="replicate",
    hosts=(r"api\.replicate\.com",),
    dialects=(PREDICTIONS, retrieved(PREDICTIONS, r"/v1/predictions/(?P<id>[^/]+)")),
)
