"""Every recording of the corpus as a conversation."""

import base64
import json
import time
from collections.abc import Iterator

import pytest

import corpus
from mitmeter import transcript
from mitmeter.conversation import WHOLE, conversation, to_json
from mitmeter.usage.paths import path, walk
from mitmeter.wire.codings import Codings

pytestmark = pytest.mark.skipif(not corpus.FOLDER.is_dir(), reason=corpus.ABSENT)

SECONDS = 1.0
SPOKEN = ("chat", "generate_content", "text_completion")


def decoded(case: corpus.Case) -> bytes:
    named = [value for name, value in corpus.response_headers(case) if name.lower() == "content-encoding"]
    codings = Codings(named, output_limit=1 << 26, ratio_limit=1000)
    return codings.feed(base64.b64decode(case["response_body"] or "")) + codings.close()


TEXTS = (
    "choices[].message.content",
    "choices[].message.reasoning_content",
    "choices[].text",
    "content[].text",
    "content[].thinking",
    "output[].content[].text",
    "output[].summary[].text",
    "candidates[].content.parts[].text",
    "output.message.content[].text",
    "message.content[].text",
)


def told_texts(body: bytes) -> Iterator[str]:
    """The texts in a document, each by a path of its own."""
    try:
        document = json.loads(body)
    except ValueError:
        return
    for at in TEXTS:
        yield from (value for _, value in walk(document, path(at)) if isinstance(value, str))


def said_texts(body: bytes) -> Iterator[str]:
    """The strings of a request that stand where messages do, if their members say that they are texts."""
    try:
        document = json.loads(body)
    except ValueError:
        return
    for at in ("messages[].content", "messages[].content[].text", "contents[].parts[].text", "input[].content[].text"):
        yield from (value for _, value in walk(document, path(at)) if isinstance(value, str) and value)


def test_every_recording() -> None:
    wrong: list[str] = []
    read = silent = 0
    for case in corpus.cases():
        match = corpus.match(case)
        if match is None:
            continue
        asked, answered = corpus.request_body(case), decoded(case)
        kind = next((value for name, value in corpus.response_headers(case) if name.lower() == "content-type"), "")
        began = time.process_time()
        told = conversation(match.dialect, asked, answered, kind, WHOLE)
        if time.process_time() - began > SECONDS:
            wrong.append(f"{corpus.name(case)}: too slow")
        json.dumps(to_json(told)).encode()
        lines = [*transcript.asked(told), *transcript.answered(told)]
        wrong += [f"{corpus.name(case)}: {line[:40]!r} is long" for line in lines if len(line) > transcript.WIDTH]
        heard = "\n".join(block.text for block in told.reply)
        said = "\n".join(block.text for turn in told.turns for block in turn.blocks)
        document = answered.lstrip().startswith(b"{") and not case["streaming"]
        wanted = [text for text in told_texts(answered) if document and text not in heard]
        wrong += [f"{corpus.name(case)}: the reply lacks {text[:40]!r}" for text in wanted]
        lacking = [text for text in said_texts(asked) if text not in said]
        if match.dialect.operation in SPOKEN:
            wrong += [f"{corpus.name(case)}: the request lacks {text[:40]!r}" for text in lacking]
        counted = (case["expected"] or {}).get("output_tokens") or 0
        silent += counted > 1 and match.dialect.operation in SPOKEN and not told.reply
        read += 1
    assert "\n".join(wrong) == ""
    assert read > 3500
    assert silent <= 18, "replies of hidden reasoning, empty ones, and two recordings under another API's name"
