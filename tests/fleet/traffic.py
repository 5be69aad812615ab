"""A meter_dir of exchanges of every kind, with conversations that resend their history; no network."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from mitmeter.exchange import Answer, Client, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.shelf import Shelf, private_folder, secret_of
from mitmeter.usage.registry import find

START = 1_795_341_600.0
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
OUTCOMES = (*(Outcome.COMPLETE,) * 5, Outcome.CLIENT_ABORTED, Outcome.UPSTREAM_ABORTED)

type Item = tuple[Exchange, Redacted]


def items(number: int, secret: bytes, *, seed: int = 1, every: float = 7.3) -> Iterator[Item]:
    """Yield so many exchanges, one after the other, `every` seconds."""
    dice = random.Random(seed)
    turns: dict[int, list[dict[str, str]]] = {}
    for at in range(number):
        talk = dice.randrange(max(1, number // 12))
        history = turns.setdefault(talk, [])
        history.append({"role": "user", "content": f"Größe {seed}/{talk}: " + words(dice, 60)})
        path = (CHAT, MESSAGES)[talk % 2]
        status = dice.choice((200, 200, 200, 200, 429, 500))
        document = {
            "model": ("one", "two", None)[talk % 3],
            "usage": {"prompt_tokens": 100 + at, "input_tokens": at, "completion_tokens": 5, "output_tokens": 5},
            "text": words(dice, 40),
        }
        history.append({"role": "assistant", "content": str(document["text"])})
        head = (("content-type", "application/json"), ("authorization", f"Bearer k{talk % 4}"))
        opening = Opening(
            flow_id=f"{seed}-flow-{at}",
            started=START + at * every + dice.random(),
            zero=5.0,
            method="POST",
            url=f"https://h{talk % 3}.invalid{path}",
            headers=head,
            body=json.dumps({"model": "asked", "messages": history[:-1]}, ensure_ascii=False).encode(),
            client=Client(address="127.0.0.1", agent="t/1" if at % 2 else None),
        )
        recorder = Recorder(opening, find("POST", f"h{talk % 3}.invalid", path), secret=secret)
        took = 0.1 + dice.random()
        if at % 17 != 5:
            recorder.answer(Answer(status=status, headers=(("content-type", "application/json"),)), 5.05)
            recorder.feed(
                json.dumps(document if status == 200 else {"error": {"message": "nö \x00"}}).encode(), 5 + took
            )
        yield recorder.close(dice.choice(OUTCOMES), 5 + took, "gone")


def words(dice: random.Random, number: int) -> str:
    return " ".join(f"{dice.getrandbits(24):06x}" for _ in range(number))


def fill(folder: Path, number: int, *, seed: int = 1, together: int = 20, every: float = 7.3) -> None:
    """Write exchanges into a meter_dir, as a worker does; what has a later `seed` lies in a later segment."""
    private_folder(folder)
    with Shelf(folder) as shelf:
        batch: list[Item] = []
        for item in items(number, secret_of(folder), seed=seed, every=every):
            batch.append(item)
            if len(batch) == together:
                shelf.write(batch, START + seed, {"lagged": 1})
                batch = []
        shelf.write(batch, START + seed, {})
