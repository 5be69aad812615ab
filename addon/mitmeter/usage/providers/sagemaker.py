"""SageMaker endpoints: bodies of the container's own, and a stream of frames that are pieces of such a body.

Containers speak chat and completions, or plain generation, whose counts stand in `details` if the request asks for
them; one document may hold the answers to several inputs. The endpoint stands in the path. What is asked for in
tables, pictures or anything but JSON is another kind of model.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointWithResponseStream.html
https://docs.djl.ai/master/docs/serving/serving/docs/lmi/user_guides/lmi_input_output_schema.html
https://huggingface.github.io/text-generation-inference/ (`/invocations`)
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.generate import GENERATE
from mitmeter.usage.dialect import Part, Provider
from mitmeter.usage.prompt import either, texts

INVOCATIONS = CHAT.but(
    api="invocations",
    paths=(r"/endpoints/[^/]+/invocations",),
    asked_as=("application/json", "application/jsonlines"),
    path_model=r"/endpoints/(?P<model>[^/]+)/invocations",
    usage=("details", "usage"),
    counts=CHAT.counts.but(otherwise=(GENERATE.counts,)),
    finish=(*CHAT.finish, "details.finish_reason"),
    parts=(*CHAT.parts, *COMPLETIONS.parts, Part("text", "token.text")),
    reply=(*COMPLETIONS.reply, Part("text", "generated_text")),
    prompt=either(CHAT.prompt, texts("inputs", "prompt", "input")),
    several=True,
    error_header="x-amzn-errortype",
)

STREAM = INVOCATIONS.but(
    api="invocations_stream", paths=(r"/endpoints/[^/]+/invocations-response-stream",), several=False, streams=True
)

PROVIDER = Provider(
    name="sagemaker",
    convention="aws.sagemaker",
    hosts=(r"(.+\.)?runtime\.sagemaker(-fips)?\.[a-z0-9-]+\.((vpce\.)?amazonaws\.com(\.cn)?|api\.aws)",),
    dialects=(INVOCATIONS, STREAM),
)
