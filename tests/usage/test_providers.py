"""Which provider reads what; and, for APIs that nobody recorded, what is read of their documentation's examples."""

import json
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.usage import providers
from mitmeter.usage.registry import discover, find

ANY = "gpu-box.lan"
JSON = "application/json"
SSE = "text/event-stream"

CLAIMS = """
POST api.ai21.com /studio/v1/chat/completions ai21 chat
POST dashscope.aliyuncs.com /api/v1/services/aigc/text-generation/generation alibaba generation
POST dashscope-intl.aliyuncs.com /api/v1/services/aigc/multimodal-generation/generation alibaba generation
POST dashscope-us.aliyuncs.com /compatible-mode/v1/chat/completions alibaba chat
POST dashscope.aliyuncs.com /api/v1/services/embeddings/text-embedding/text-embedding alibaba embedding
POST dashscope.aliyuncs.com /api/v1/services/rerank/text-rerank/text-rerank alibaba text_rerank
POST api.anthropic.com /v1/messages anthropic messages
POST api.anthropic.com /v1/messages/count_tokens anthropic count_tokens
POST api.anthropic.com /v1/messages/batches anthropic batches
GET api.anthropic.com /v1/messages/batches/b1/results anthropic batches.results
POST me.openai.azure.com /openai/deployments/gpt/chat/completions azure chat
POST me.services.ai.azure.com /models/chat/completions azure chat
POST me.services.ai.azure.com /anthropic/v1/messages azure messages
POST llama.eastus2.models.ai.azure.com /v1/chat/completions azure chat
POST eastus.api.cognitive.microsoft.com /openai/deployments/gpt/embeddings azure embeddings
GET me.openai.azure.com /openai/v1/responses/resp_1 azure responses.retrieve
POST bedrock-runtime.us-east-1.amazonaws.com /model/amazon.nova-lite-v1%3A0/converse bedrock converse
POST inference.baseten.co /v1/chat/completions baseten chat
POST api.cerebras.ai /v1/chat/completions cerebras chat
POST chatgpt.com /backend-api/codex/responses chatgpt responses
POST chatgpt.com /backend-api/codex/responses/compact chatgpt responses.compact
POST gateway.ai.cloudflare.com /v1/account/gateway/openai/chat/completions cloudflare chat
POST api.cloudflare.com /client/v4/accounts/a/ai/run/@cf/meta/llama-3.1-8b-instruct cloudflare run
POST api.cohere.com /v2/chat cohere chat_v2
POST api.cohere.ai /v1/chat cohere chat_v1
POST api.cohere.com /v1/generate cohere generate_v1
POST api.cohere.com /v2/embed cohere embed
POST api.cohere.com /v2/rerank cohere rerank
POST api.cohere.com /v1/classify cohere classify
POST api.cohere.com /v2/parse cohere parse
POST api.mistral.ai /v1/chat/moderations mistral moderations
POST api.mistral.ai /v1/chat/classifications mistral classifications
POST gpu-box.lan /v2/chat cohere chat_v2
POST litellm.lan /cohere/v2/chat cohere chat_v2
POST litellm.lan /proxy/ollama/api/chat ollama native_chat
POST litellm.lan /proxy/openai/v1/chat/completions openai chat
POST litellm.lan /anthropic/v1/messages/ anthropic messages
POST litellm.lan /gemini/v1beta/models/g:streamGenerateContent gemini stream_generate_content
POST litellm.lan /bedrock/model/x/converse bedrock converse
POST API.MISTRAL.AI /v1/conversations mistral conversations
POST api.mistral.ai /v1/conversations/c1 mistral conversations
POST api.githubcopilot.com /chat/completions copilot chat
POST api.business.githubcopilot.com /responses copilot responses
POST copilot-proxy.githubusercontent.com /v1/engines/copilot-codex/completions copilot completions
POST managed-inference-api-proxy.crusoecloud.com /v1/chat/completions crusoe chat
POST dbc-1.cloud.databricks.com /serving-endpoints/chat/completions databricks chat
POST adb-1.2.azuredatabricks.net /serving-endpoints/llama/invocations databricks chat
POST dbc-1.cloud.databricks.com /serving-endpoints/anthropic/v1/messages databricks messages
POST api.deepinfra.com /v1/openai/chat/completions deepinfra chat
POST api.inceptionlabs.ai /v1/chat/completions inception chat
POST api.inceptionlabs.ai /v1/fim/completions inception fim
POST api.deepinfra.com /v1/inference/meta-llama/Llama-3-8b deepinfra inference
POST api.deepseek.com /beta/completions deepseek completions
POST api.deepseek.com /anthropic/v1/messages deepseek messages
POST api.doubleword.ai /v1/chat/completions doubleword chat
POST api.fireworks.ai /inference/v1/chat/completions fireworks chat
POST generativelanguage.googleapis.com /v1beta/models/gemini-2.5-flash:generateContent gemini generate_content
POST models.github.ai /inference/chat/completions github chat
POST models.inference.ai.azure.com /chat/completions github chat
POST api.groq.com /openai/v1/chat/completions groq chat
POST router.huggingface.co /together/v1/chat/completions huggingface chat
POST api.hyperbolic.xyz /v1/chat/completions hyperbolic chat
POST api.jina.ai /v1/embeddings jina embeddings
POST api.jina.ai /v1/rerank jina rerank
POST deepsearch.jina.ai /v1/chat/completions jina chat
POST gpu-box.lan /completion llamacpp completion
POST gpu-box.lan /infill llamacpp infill
POST gpu-box.lan /api/v1/chat lmstudio stateful_chat
POST api.minimax.io /anthropic/v1/messages minimax messages
POST api.mistral.ai /v1/chat/completions mistral chat
POST codestral.mistral.ai /v1/fim/completions mistral fim
POST api.mistral.ai /v1/ocr mistral ocr
POST api.moonshot.cn /v1/chat/completions moonshot chat
POST api.kimi.com /coding/v1/messages moonshot messages
POST api.tokenfactory.nebius.com /v1/chat/completions nebius chat
POST api.novita.ai /v3/openai/chat/completions novita chat
POST integrate.api.nvidia.com /v1/chat/completions nvidia chat
POST ollama.com /api/chat ollama native_chat
POST localhost /api/chat ollama native_chat
POST 127.0.0.1 /api/generate ollama native_generate
POST 127.0.0.1 /api/embed ollama native_embed
POST 127.0.0.1 /api/embeddings ollama native_embed
POST openwebui.lan /ollama/api/chat ollama native_chat
POST ollama.com /v1/chat/completions ollama chat
POST api.openai.com /v1/chat/completions openai chat
POST eu.api.openai.com /v1/responses openai responses
GET api.openai.com /v1/responses/resp_1 openai responses.retrieve
GET gpu-box.lan /proxy/v1/responses/resp_1 openai responses.retrieve
POST api.openai.com /v1/batches openai batches
GET api.openai.com /v1/batches/batch_1 openai batches.retrieve
GET me.openai.azure.com /openai/batches/batch_1 azure batches.retrieve
GET generativelanguage.googleapis.com /v1beta/interactions/i1 gemini interactions.retrieve
POST api.openai.com /v1/threads/thread_1/runs openai runs
POST api.openai.com /v1/threads/runs openai runs
POST api.openai.com /v1/threads/thread_1/runs/run_1/submit_tool_outputs openai runs
GET api.openai.com /v1/threads/thread_1/runs/run_1 openai runs.retrieve
POST gpu-box.lan /v1/chat/completions openai chat
POST gpu-box.lan /v1/rerank openai rerank
POST openrouter.ai /api/v1/chat/completions openrouter chat
POST openrouter.ai /api/v1/messages openrouter messages
POST openrouter.ai /api/v1/responses openrouter responses
POST oai.endpoints.kepler.ai.cloud.ovh.net /v1/chat/completions ovh chat
POST api.perplexity.ai /chat/completions perplexity chat
POST api.perplexity.ai /async/chat/completions perplexity chat
GET api.perplexity.ai /async/chat/completions/a1 perplexity chat.retrieve
POST gateway.pydantic.dev /proxy/openai/responses pydantic_gateway responses
POST api.replicate.com /v1/predictions replicate predictions
POST api.replicate.com /v1/models/meta/meta-llama-3-8b/predictions replicate predictions
GET api.replicate.com /v1/predictions/p1 replicate predictions.retrieve
POST api.sambanova.ai /v1/chat/completions sambanova chat
POST api.scaleway.ai /v1/chat/completions scaleway chat
POST gpu-box.lan /sdapi/v1/txt2img sdapi txt2img
POST gpu-box.lan /sdapi/v1/img2img sdapi img2img
POST gpu-box.lan /audioapi/v1/tasks/run sdapi audio_tasks
POST gpu-box.lan /generate sglang generate
POST api.siliconflow.cn /v1/chat/completions siliconflow chat
POST org-account.snowflakecomputing.com /api/v2/cortex/v1/chat/completions snowflake chat
POST org-account.snowflakecomputing.com /api/v2/cortex/inference:complete snowflake complete_inference
POST gpu-box.lan /generate_stream tgi generate_stream
POST api.together.xyz /v1/chat/completions together chat
POST api.upstage.ai /v1/chat/completions upstage chat
POST api.venice.ai /api/v1/chat/completions venice chat
POST runtime.sagemaker.us-east-1.amazonaws.com /endpoints/llama/invocations sagemaker invocations
POST runtime.sagemaker-fips.x-east-1.amazonaws.com /endpoints/m/invocations-response-stream sagemaker invocations_stream
POST vpce-0a1b-c2d.runtime.sagemaker.eu-west-1.vpce.amazonaws.com /endpoints/llama/invocations sagemaker invocations
POST api.llama.com /v1/chat/completions meta_llama completion_message
POST api.llama.com /compat/v1/chat/completions meta_llama chat
POST inference.generativeai.us-chicago-1.oci.oraclecloud.com /20231130/actions/chat oci action_chat
POST inference.generativeai.us-chicago-1.oci.oraclecloud.com /20231130/actions/rerankText oci action_rerank
POST inference.generativeai.us-chicago-1.oci.oraclecloud.com /openai/v1/responses oci responses
POST hunyuan.tencentcloudapi.com / tencent action
POST api.hunyuan.cloud.tencent.com /v1/chat/completions tencent chat
POST llm.api.cloud.yandex.net /foundationModels/v1/completionAsync yandex foundation_completion
POST llm.api.cloud.yandex.net /foundationModels/v1/tokenizeCompletion yandex foundation_tokenize
POST llm.api.cloud.yandex.net /v1/chat/completions yandex chat
POST aip.baidubce.com /rpc/2.0/ai_custom/v1/wenxinworkshop/chat/completions baidu ernie_chat
POST aip.baidubce.com /rpc/2.0/ai_custom/v1/wenxinworkshop/reranker/bce_reranker_base baidu ernie_rerank
POST qianfan.baidubce.com /v2/chat/completions baidu chat
POST qianfan.baidubce.com /v2/rerankers baidu rerank
POST clovastudio.stream.ntruss.com /testapp/v3/chat-completions/HCX-005 naver clova_chat
POST clovastudio.stream.ntruss.com /v1/openai/chat/completions naver chat
POST api.perplexity.ai /v1/agent perplexity responses
POST api.perplexity.ai /v1/sonar perplexity chat
GET api.perplexity.ai /v1/agent/resp_1 perplexity responses.retrieve
POST api.perplexity.ai /v1/decisions perplexity decisions
POST api.openai.com /v1/decisions openai decisions
POST generativelanguage.googleapis.com /v1beta/decisions gemini decisions
POST openrouter.ai /api/v1/decisions openrouter decisions
POST api.fireworks.ai /inference/v1/decisions fireworks decisions
POST aigw.portkey.ai /v1/decisions portkey decisions
POST api.typesafe.ai /v1/systemone typesafe systemone
POST gateway.lan /v1/systemone typesafe systemone
POST api.perplexity.ai /v1/contextualizedembeddings perplexity embeddings
POST coding-intl.dashscope.aliyuncs.com /apps/anthropic/v1/messages alibaba messages
POST ai.api.nvidia.com /v1/retrieval/nvidia/llama-3_2-nv-rerankqa-1b-v2/reranking nvidia rerank
POST api.aimlapi.com /v1/chat/completions aimlapi chat
POST api.aleph-alpha.com /complete aleph_alpha complete_prompt
POST api.aleph-alpha.com /semantic_embed aleph_alpha embed_prompt
POST api.nova.amazon.com /v1/chat/completions amazon_nova chat
POST api.arcee.ai /api/v1/chat/completions arcee chat
POST api.avian.io /v1/chat/completions avian chat
POST api.baichuan-ai.com /v1/chat/completions baichuan chat
POST llm.chutes.ai /v1/chat/completions chutes chat
POST api.clarifai.com /v2/ext/openai/v1/chat/completions clarifai chat
POST inference.do-ai.run /v1/chat/completions digitalocean chat
POST model-runner.docker.internal /engines/llama.cpp/v1/chat/completions docker_model_runner chat
POST api.featherless.ai /v1/completions featherless completions
POST api.friendli.ai /serverless/tools/v1/chat/completions friendli chat
POST gigachat.devices.sberbank.ru /api/v1/chat/completions gigachat chat
POST api.gmi-serving.com /v1/chat/completions gmi chat
POST ai-gateway.helicone.ai /v1/chat/completions helicone chat
POST anthropic.helicone.ai /v1/messages helicone messages
POST us.inference.heroku.com /v1/chat/completions heroku chat
POST a1.us-east-1.aws.endpoints.huggingface.cloud /embed huggingface embed_texts
POST a1.us-east-1.aws.endpoints.huggingface.cloud /predict huggingface predict_texts
POST maas-api.cn-huabei-1.xf-yun.com /v2/chat/completions iflytek chat
POST api.inference.net /v1/chat/completions inference_net chat
POST api.kilo.ai /api/gateway/chat/completions kilo chat
POST api.kluster.ai /v1/chat/completions kluster chat
POST gpu-box.lan /api/extra/generate/stream koboldcpp kobold_stream
POST gpu-box.lan /api/latest/generate koboldcpp kobold_generate
POST m.us-east.lepton.run /api/v1/chat/completions lepton chat
POST api.lingyiwanwu.com /v1/chat/completions lingyiwanwu chat
POST chat.maritaca.ai /api/chat/completions maritaca chat
POST chat.maritaca.ai /api/chat/inference maritaca chat_inference
POST api.meta.ai /v1/responses meta_ai responses
POST me--app-serve.modal.run /v1/chat/completions modal chat
POST api-inference.modelscope.cn /v1/chat/completions modelscope chat
POST api.morphllm.com /v1/rerank morph rerank
POST nano-gpt.com /api/v1/chat/completions nanogpt chat
POST inference-api.nousresearch.com /v1/chat/completions nous chat
POST inference.api.nscale.com /v1/chat/completions nscale chat
POST opencode.ai /zen/v1/messages opencode messages
POST api.parasail.io /v1/chat/completions parasail chat
POST api.poe.com /v1/responses poe responses
POST api.portkey.ai /v1/messages portkey messages
POST serving.app.predibase.com /t1/deployments/v2/llms/m/generate_stream predibase generate_stream
POST serving.app.predibase.com /t1/deployments/v2/llms/m/v1/chat/completions predibase chat
POST api.reka.ai /v1/chat reka reka_chat
POST instantapply.endpoint.relace.run /v1/code/apply relace code_apply
POST router.requesty.ai /v1/chat/completions requesty chat
POST api.sarvam.ai /v1/chat/completions sarvam chat
POST api.sensenova.cn /v1/llm/chat-completions sensenova llm_chat
POST api.sensenova.cn /compatible-mode/v1/chat/completions sensenova chat
POST api.stepfun.com /step_plan/v1/messages stepfun messages
POST gpu-box.lan /embed_sparse tei embed_sparse
POST gpu-box.lan /v2/models/llama/versions/1/generate_stream triton generate_model_stream
POST api.v0.dev /v1/chat/completions v0 chat
POST gpu-box.lan /pooling vllm pooling
POST ark.ap-southeast.bytepluses.com /api/v3/chat/completions volcengine chat
POST ark.cn-beijing.volces.com /api/v3/embeddings/multimodal volcengine embeddings
POST api.inference.wandb.ai /v1/chat/completions wandb chat
POST api.xiaomimimo.com /v1/chat/completions xiaomi chat
POST ai-gateway.vercel.sh /v1/chat/completions vercel chat
POST ai-gateway.vercel.sh /v3/ai/language-model vercel language_model
POST aiplatform.googleapis.com /v1/projects/p/locations/l/publishers/x/models/g:generateContent vertex generate_content
POST api.voyageai.com /v1/multimodalembeddings voyage embeddings
POST api.voyageai.com /v1/rerank voyage rerank
POST us-south.ml.cloud.ibm.com /ml/v1/text/generation_stream watsonx text_generation
POST us-south.ml.cloud.ibm.com /ml/v1/text/chat watsonx chat
POST us-south.ml.cloud.ibm.com /ml/v1/text/rerank watsonx rerank
POST llama.eastus2.inference.ml.azure.com /v1/chat/completions azure chat
POST eu-de.ml.cloud.ibm.com /ml/v1/deployments/d1/text/chat_stream watsonx chat
POST api.writer.com /v1/chat writer chat
POST api.x.ai /v1/chat/completions xai chat
POST us-east-1.api.x.ai /v1/responses xai responses
GET api.x.ai /v1/chat/deferred-completion/d1 xai deferred_chat
GET api.x.ai /v1/responses/r1 xai responses.retrieve
POST api.z.ai /api/paas/v4/chat/completions zai chat
POST open.bigmodel.cn /api/anthropic/v1/messages zai messages
"""

UNCLAIMED = """
GET api.openai.com /v1/models
GET api.openai.com /v1/responses
GET api.openai.com /v1/responses/resp_1/input_items
POST api.openai.com /v1/responses/resp_1/cancel
GET api.openai.com /v1/chat/completions
POST api.openai.com /v1/files
GET api.openai.com /v1/batches
POST api.openai.com /v1/batches/batch_1/cancel
POST api.openai.com /v1/threads/thread_1/messages
GET api.openai.com /v1/threads/thread_1/runs
GET api.anthropic.com /v1/messages/batches/b1
POST me.openai.azure.com /openai/files
POST chatgpt.com /backend-api/conversation
POST github.com /session
GET models.github.ai /catalog/models
GET ollama.com /api/tags
POST localhost /api/show
POST localhost /api/pull
GET gpu-box.lan /health
POST gpu-box.lan /tokenize
POST example.com /v1/chat
POST example.com /api/v1/generate
POST example.com /invoices/generate
GET example.com /generate
GET example.com /v1/responses/1
GET example.com /forms/responses/resp_1
POST example.com /v1/predictions
GET api.replicate.com /v1/predictions
POST api.cloudflare.com /client/v4/zones
POST org-account.snowflakecomputing.com /api/v2/statements
POST dbc-1.cloud.databricks.com /api/2.0/jobs/run-now
POST us-south.ml.cloud.ibm.com /ml/v1/text/tokenization
GET openrouter.ai /api/v1/generation
POST runtime.sagemaker.us-east-1.amazonaws.com /endpoints/llama/async-invocations
POST api.sagemaker.us-east-1.amazonaws.com /
POST aip.baidubce.com /rest/2.0/ocr/v1/general_basic
POST cvm.tencentcloudapi.com /
POST example.com /20231130/actions/chat
POST example.com /endpoints/llama/invocations
POST example.com /v1/agent
POST example.com /v1/classify
POST api.cohere.com /v1/tokenize
POST example.com /v1/decisions
POST llama.eastus2.inference.ml.azure.com /score
POST example.com /complete
POST example.com /v1/code/apply
POST example.com /v1/score
POST example.com /models/v2/models/m/generate
POST gpu-box.lan /v2/models/m/infer
POST gpu-box.lan /api/v1/generate
POST gpu-box.lan /embed
POST gpu-box.lan /predict
POST gpu-box.lan /score
POST gpu-box.lan /classify
"""


@pytest.mark.parametrize("claim", CLAIMS.split("\n")[1:-1])
def test_one_provider_and_api_claims(claim: str) -> None:
    method, host, path, provider, api = claim.split()
    match = find(method, host, path)
    assert match is not None
    assert (match.provider, match.dialect.api) == (provider, api)


@pytest.mark.parametrize("request_line", UNCLAIMED.split("\n")[1:-1])
def test_what_is_no_use_of_a_model_is_not_claimed(request_line: str) -> None:
    assert find(*request_line.split()) is None


def test_every_provider_file_is_tried_here_or_in_a_file_of_its_own() -> None:
    tried = {claim.split()[3] for claim in CLAIMS.split("\n")[1:-1]} | set(SHOWN)
    own = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    assert {provider.name for provider in discover()} - tried - own == set()


def test_a_provider_file_is_small_data_with_its_sources() -> None:
    for found in iter_modules(providers.__path__, f"{providers.__name__}."):
        module = import_module(found.name)
        assert "https://" in (module.__doc__ or ""), found.name
        assert len(Path(str(module.__file__)).read_text().splitlines()) <= 90, found.name


def read(
    host: str,
    path: str,
    *messages: Any,
    headers: dict[str, str] | None = None,
    asked: dict[str, Any] | None = None,
    method: str = "POST",
) -> Exchange:
    """Record one answer: one document, or an event stream of several messages."""
    streams = len(messages) > 1
    body = "".join(f"data: {json.dumps(message)}\n\n" for message in messages) if streams else json.dumps(messages[0])
    opening = Opening(
        flow_id="test",
        started=0.0,
        zero=0.0,
        method=method,
        url=f"https://{host}{path}",
        headers=(("content-type", JSON),),
        body=json.dumps({"model": "asked", **(asked or {})}).encode(),
    )
    recorder = Recorder(opening, find(method, host, path))
    sent = {"content-type": SSE if streams else JSON, **(headers or {})}
    recorder.answer(Answer(status=200, headers=tuple(sent.items())), 0.1)
    recorder.feed(body.encode(), 0.2)
    exchange, _ = recorder.close(Outcome.COMPLETE, 0.3)
    return exchange


def counts(exchange: Exchange) -> tuple[int | None, ...]:
    """Return input, output, cache read and reasoning tokens."""
    usage = exchange.usage
    return usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.reasoning_tokens


def rates(exchange: Exchange) -> tuple[float | None, float | None]:
    prompt, output = exchange.timing.prompt_per_second, exchange.timing.tokens_per_second
    return prompt and round(prompt, 3), output and round(output, 3)


PLAIN = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}

SHOWN: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "llamacpp": ({"server": "llama.cpp"}, {"usage": PLAIN}),
    "vllm": ({}, {"usage": PLAIN, "metrics": {"mean_itl_ms": 10.0}}),
    "tabbyapi": ({}, {"usage": {**PLAIN, "completion_tokens_per_sec": 50.0}}),
    "gpustack": ({}, {"usage": {**PLAIN, "time_per_output_token_ms": 14.3, "tokens_per_second": 69.8}}),
    "mistralrs": ({}, {"usage": {**PLAIN, "avg_compl_tok_per_sec": 16.4}}),
    "lmstudio": ({}, {"usage": PLAIN, "stats": {"tokens_per_second": 51.4, "time_to_first_token": 0.111}}),
    "litellm": ({"x-litellm-call-id": "1"}, {"usage": PLAIN}),
    "tgi": ({"x-compute-type": "gpu+optimized"}, {"usage": PLAIN}),
}


@pytest.mark.parametrize("engine", SHOWN)
def test_an_engine_shows_itself_on_an_unknown_host(engine: str) -> None:
    headers, document = SHOWN[engine]
    exchange = read(ANY, "/v1/chat/completions", document, headers=headers)
    assert exchange.provider == engine
    assert counts(exchange)[:2] == (10, 20)


def test_lmstudio_rest_version_0() -> None:
    exchange = read(ANY, "/api/v0/chat/completions", SHOWN["lmstudio"][1])
    assert (exchange.api, rates(exchange)) == ("chat", (None, 51.4))


def test_lmstudio_rest_version_1() -> None:
    stats = {
        "input_tokens": 329,
        "total_output_tokens": 268,
        "reasoning_output_tokens": 5,
        "tokens_per_second": 43.73,
        "time_to_first_token_seconds": 0.781,
    }
    document = {"model_instance_id": "openai/gpt-oss-20b", "output": [], "stats": stats, "response_id": "resp_1"}
    streamed = (
        {"type": "chat.start", "model_instance_id": "openai/gpt-oss-20b"},
        {"type": "message.delta", "content": "The current"},
        {"type": "chat.end", "result": document},
    )
    for exchange in (read(ANY, "/api/v1/chat", document), read(ANY, "/api/v1/chat", *streamed)):
        assert counts(exchange) == (329, 268, None, 5)
        assert rates(exchange) == (None, 43.73)
        assert (exchange.provider, exchange.model) == ("lmstudio", "openai/gpt-oss-20b")
        assert exchange.response_id == "resp_1"


def test_sglang_native_counts_in_every_event() -> None:
    def event(text: str, output: int, finish: Any) -> dict[str, Any]:
        meta = {
            "id": "g1",
            "prompt_tokens": 7,
            "completion_tokens": output,
            "cached_tokens": 5,
            "finish_reason": finish,
        }
        return {"text": text, "meta_info": meta}

    last = event("Hi there", 3, {"type": "stop", "matched": 2})
    for exchange in (read(ANY, "/generate", last), read(ANY, "/generate", event("Hi", 1, None), last)):
        assert counts(exchange) == (7, 3, 5, None)
        assert (exchange.provider, exchange.finish, exchange.response_id) == ("sglang", "stop", "g1")


def test_sglang_reasoning_at_the_top_of_usage() -> None:
    exchange = read(ANY, "/v1/chat/completions", {"usage": {**PLAIN, "reasoning_tokens": 12}})
    assert counts(exchange) == (10, 20, None, 12)


TGI = {"x-compute-type": "gpu+optimized", "x-prompt-tokens": "9", "x-generated-tokens": "4"}


def test_tgi_document_with_and_without_details() -> None:
    bare = read(ANY, "/generate", {"generated_text": "a b c d"}, headers=TGI)
    assert (bare.provider, counts(bare), bare.usage.source) == ("tgi", (9, 4, None, None), "headers")
    details = {"finish_reason": "length", "generated_tokens": 4}
    full = read(ANY, "/generate", {"generated_text": "a b c d", "details": details}, headers=TGI)
    assert (counts(full), full.usage.source, full.finish) == ((9, 4, None, None), "body", "length")


def test_tgi_stream() -> None:
    last = {
        "token": {"text": "!"},
        "generated_text": "hi!",
        "details": {"finish_reason": "eos_token", "generated_tokens": 2, "input_length": 6},
    }
    exchange = read(ANY, "/generate_stream", {"token": {"text": "hi"}, "details": None}, last)
    assert (counts(exchange), exchange.finish) == ((6, 2, None, None), "eos_token")


def test_ollama_durations_are_nanoseconds_and_absent_stays_unknown() -> None:
    document = {
        "model": "llama3.2",
        "message": {"role": "assistant", "content": "hello"},
        "done": True,
        "done_reason": "stop",
        "total_duration": 4883583458,
        "prompt_eval_count": 26,
        "prompt_eval_cached_count": 6,
        "prompt_eval_duration": 400_000_000,
        "eval_count": 290,
        "eval_duration": 5_000_000_000,
    }
    exchange = read(ANY, "/api/chat", document)
    assert counts(exchange) == (26, 290, 6, None)
    assert rates(exchange) == (50.0, 58.0)
    assert exchange.reported == {
        "usage": {"prompt_eval_count": 26, "eval_count": 290, "prompt_eval_cached_count": 6},
        "timings": {
            "total_duration": 4_883_583_458,
            "prompt_eval_duration": 400_000_000,
            "eval_duration": 5_000_000_000,
        },
    }
    del document["prompt_eval_count"]
    assert counts(read(ANY, "/api/chat", document))[0] is None


def test_ollama_embeddings() -> None:
    assert counts(read(ANY, "/api/embed", {"model": "m", "prompt_eval_count": 8}))[0] == 8
    assert read(ANY, "/api/embeddings", {"embedding": [0.1]}).usage.source is None


def test_watsonx_says_the_input_once_and_the_output_cumulatively() -> None:
    def event(given: int, output: int, stop: str) -> dict[str, Any]:
        result = {"generated_text": " a", "input_token_count": given, "generated_token_count": output}
        return {"model_id": "ibm/granite", "results": [{**result, "stop_reason": stop}]}

    host, path = "us-south.ml.cloud.ibm.com", "/ml/v1/text/generation_stream"
    exchange = read(host, path, event(4, 0, "not_finished"), event(0, 2, "not_finished"), event(0, 5, "max_tokens"))
    assert (counts(exchange), exchange.finish) == ((4, 5, None, None), "max_tokens")
    assert exchange.model == "ibm/granite"
    assert counts(read(host, "/ml/v1/text/embeddings", {"model_id": "e", "input_token_count": 3}))[0] == 3


def test_fireworks_headers_fill_in_what_the_body_leaves_out() -> None:
    headers = {"fireworks-prompt-tokens": "31", "fireworks-cached-prompt-tokens": "7"}
    usage = {"prompt_tokens": 31, "completion_tokens": 5, "total_tokens": 36}
    path = "/inference/v1/chat/completions"
    assert counts(read("api.fireworks.ai", path, {"usage": usage}, headers=headers)) == (31, 5, 7, None)
    detailed = {**usage, "prompt_tokens_details": {"cached_tokens": 8}}
    assert counts(read("api.fireworks.ai", path, {"usage": detailed}, headers=headers))[2] == 8
    assert read("api.fireworks.ai", path, {"choices": []}, headers=headers).usage.source == "headers"


def test_alibaba_native_counts_in_every_event() -> None:
    def event(output: int, finish: str) -> dict[str, Any]:
        choice = {"message": {"role": "assistant", "content": "x"}, "finish_reason": finish}
        usage = {"input_tokens": 22, "output_tokens": output, "total_tokens": 22 + output}
        cached = {"prompt_tokens_details": {"cached_tokens": 16}}
        return {"output": {"choices": [choice]}, "usage": {**usage, **cached}, "request_id": "r1"}

    path = "/api/v1/services/aigc/text-generation/generation"
    exchange = read("dashscope.aliyuncs.com", path, event(1, "null"), event(17, "stop"))
    assert (counts(exchange), exchange.finish) == ((22, 17, 16, None), "stop")
    assert (exchange.model, exchange.response_id) == ("asked", "r1")
    failed = {"code": "InvalidParameter", "message": "Range of input length", "request_id": "r2"}
    assert read("dashscope.aliyuncs.com", path, failed, failed).outcome is Outcome.ERROR


def test_perplexity_deep_research_thinks_and_reads_beside_the_rest() -> None:
    usage = {
        "prompt_tokens": 19,
        "completion_tokens": 498,
        "total_tokens": 517,
        "citation_tokens": 10175,
        "num_search_queries": 48,
        "reasoning_tokens": 95305,
    }
    exchange = read("api.perplexity.ai", "/chat/completions", {"usage": usage})
    assert counts(exchange) == (10194, 95803, None, 95305)
    assert exchange.anomalies == ("total_mismatch",)


def test_xai_chat_reasons_beside_the_completion() -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 303}
    details = {"completion_tokens_details": {"reasoning_tokens": 290}}
    assert counts(read("api.x.ai", "/v1/chat/completions", {"usage": {**usage, **details}})) == (12, 291, None, 290)


def test_total_is_input_where_nothing_is_generated() -> None:
    for host in ("api.jina.ai", "api.voyageai.com"):
        assert counts(read(host, "/v1/embeddings", {"usage": {"total_tokens": 6}}))[:2] == (6, None)
    pixels = {"text_tokens": 5, "image_pixels": 2000000, "total_tokens": 3576}
    assert counts(read("api.voyageai.com", "/v1/multimodalembeddings", {"usage": pixels}))[0] == 3576


def test_a_run_covers_its_steps() -> None:
    step = {"object": "thread.run.step", "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}
    run = {"id": "run_1", "object": "thread.run", "status": "completed", "model": "gpt-4o", "usage": PLAIN}
    exchange = read("api.openai.com", "/v1/threads/t/runs", {**run, "usage": None}, step, run)
    assert (counts(exchange)[:2], exchange.finish) == ((10, 20), "completed")


def test_replicate_counts_once_the_prediction_has_finished() -> None:
    metrics = {"input_token_count": 14, "output_token_count": 89, "tokens_per_second": 77.5, "predict_time": 1.2}
    document = {"id": "p1", "model": "meta/meta-llama-3-8b", "status": "succeeded", "error": None, "metrics": metrics}
    exchange = read("api.replicate.com", "/v1/models/meta/meta-llama-3-8b/predictions", document)
    assert (counts(exchange)[:2], rates(exchange)) == ((14, 89), (None, 77.5))


def test_vercel_language_model_of_either_version() -> None:
    older = {"inputTokens": 10, "outputTokens": 20, "reasoningTokens": 4, "cachedInputTokens": 2, "totalTokens": 30}
    newer = {"inputTokens": {"total": 10, "cacheRead": 2}, "outputTokens": {"total": 20, "reasoning": 4}}
    for usage in (older, newer):
        start, end = {"type": "text-delta", "id": "0", "delta": "a"}, {"type": "finish", "usage": usage}
        exchange = read("ai-gateway.vercel.sh", "/v3/ai/language-model", start, end)
        assert (counts(exchange), exchange.anomalies) == ((10, 20, 2, 4), ())


def test_deepinfra_and_cloudflare_native() -> None:
    status = {"inference_status": {"tokens_input": 11, "tokens_generated": 12, "cost": 0.0001}}
    assert counts(read("api.deepinfra.com", "/v1/inference/meta-llama/Llama-3-8b", status))[:2] == (11, 12)
    path = "/client/v4/accounts/a/ai/run/@cf/meta/llama-3.1-8b-instruct"
    exchange = read("api.cloudflare.com", path, {"result": {"response": "hi", "usage": PLAIN}, "success": True})
    assert counts(exchange)[:2] == (10, 20)


@pytest.mark.parametrize(
    ("path", "kept"), [("txt2img", (True, False)), ("img2img", (False, False))], ids=["txt2img", "img2img"]
)
def test_pictures_are_not_kept(path: str, kept: tuple[bool, bool]) -> None:
    match = find("POST", ANY, f"/sdapi/v1/{path}")
    assert match is not None
    assert (match.dialect.keep.request_body, match.dialect.keep.response_body) == kept
