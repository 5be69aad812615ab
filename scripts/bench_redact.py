"""How fast redaction reads bodies of 1 MB that hold no secret, with and without a key of the exchange's own."""

import base64
import json
import sys
import time
import timeit
from random import Random

from mitmeter.redact import Redactor
from mitmeter.redact.policy import Policy

SIZE = 1_000_000
BAR = 500
HEAD = (("authorization", f"Bearer {Random(7).randbytes(40).hex()}"), ("user-agent", "bench"))


def words(chance: Random, number: int) -> str:
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    return " ".join("".join(chance.choices(letters, k=chance.randint(1, 9))) for _ in range(number))


def bodies() -> dict[str, tuple[bytes, bool]]:
    """A body of each kind, and whether it is a stream."""
    chance = Random(1)
    prose = words(chance, SIZE // 6)
    said = {"model": "m", "messages": [{"role": "user", "content": prose[:SIZE]}]}
    image = {"messages": [{"content": base64.b64encode(chance.randbytes(SIZE * 3 // 4)).decode()}]}
    numbers = {"data": [{"embedding": [chance.uniform(-1, 1) for _ in range(SIZE // 21)]}]}
    head = (
        b'data: {"id":"chatcmpl-AbCdEfGhIjKlMnOpQrSt","object":"chat.completion.chunk","choices":[{"index":0,"delta":'
    )
    tail = b'},"finish_reason":null}]}\n\n'
    events = [
        head + json.dumps({"content": " " + word}, separators=(",", ":")).encode() + tail for word in prose.split()
    ]
    return {
        "a prompt": (json.dumps(said).encode(), False),
        "an image": (json.dumps(image).encode(), False),
        "embeddings": (json.dumps(numbers).encode(), False),
        "plain text": (prose[:SIZE].encode(), False),
        "a stream": (b"".join(events[: SIZE // len(events[0])]), True),
    }


def rate(redactor: Redactor, body: bytes, stream: bool) -> float:
    """MB a second of CPU, the best of several runs."""
    taken = (
        min(timeit.repeat(lambda: redactor.body(body, stream=stream), number=5, repeat=9, timer=time.thread_time)) / 5
    )
    return len(body) / taken / 1e6


def main() -> None:
    plain, keyed = Redactor((), "https://h/p"), Redactor(HEAD, "https://h/p")
    personal = Redactor(HEAD, "https://h/p", policy=Policy(pii=True))
    lines = [f"redaction of bodies without secrets, MB/s; the bar is {BAR}", ""]
    lines.append(f"{'body':<12}{'kB':>7}{'shapes':>9}{'+ a key':>9}{'+ pii':>9}")
    for name, (body, stream) in bodies().items():
        rates = [rate(redactor, body, stream) for redactor in (plain, keyed, personal)]
        lines.append(f"{name:<12}{len(body) // 1000:>7}" + "".join(f"{one:>9,.0f}" for one in rates))
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
