"""Rows and questions by chance, of every kind that is stored; the same for the same seed."""

import math
import random
from collections.abc import Callable, Sequence

from mitmeter.exchange import Client, Exchange, Outcome, Sizes, Timing, Usage
from mitmeter.store.filters import TEXTS, Filter

START = 1_795_341_600.0
MINUTE, DAY, YEAR_2100 = 60.0, 86_400.0, 4_102_444_800.0
# Wildcards, quotes, escapes and placeholders of both stores, and letters of many bytes.
NAMES = (
    *("one", "two", "One", "o*e", "100%", "a_b", "aXb", "a\\b", "a\\%b", "it's", 'say "x"', "größe", "模型", "emoji😀"),
    *("[x]", "[!x]", "x' OR 1=1 --", "tab\there", "new\nline", "{p0:String}", "`b`", "\\", "\\N", "0", "NULL", "%s"),
)


class Dice(random.Random):
    """Draws what rows and questions are made of, of which a fleet's rows have some kinds."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._unknown = self.choice((0.0, 0.1, 0.4, 0.9))
        self._times = self.sample((self._at_an_edge, self._in_an_hour, self._in_days, self._far_off), 2)
        kinds = (lambda: round(self.random() * 1e4, 3), lambda: 12.5, lambda: 100 + self.random() * 1e-9, self._odd)
        self._speeds = [self.sample(kinds, 2) for _ in range(4)]
        self._names = self.sample(NAMES, 6)

    def _at_an_edge(self) -> float:
        edge = START // DAY * DAY + self.choice((0, MINUTE, 3600, DAY, 2 * DAY)) * self.randrange(4)
        return edge + self.choice((0.0, 0.0, 1e-6, -1e-6, 0.5, 59.999999))

    def _in_an_hour(self) -> float:
        return START + self.random() * 3600

    def _in_days(self) -> float:
        return START + self.random() * 300 * DAY

    def _far_off(self) -> float:
        return self.choice((0.0, 1.0, -1.0, -1e6, YEAR_2100 - 0.5, YEAR_2100, YEAR_2100 + 1, 2.0**32 + 5, 1e10, 1e11))

    def _odd(self) -> float:
        return self.choice(
            (0.0, -1.0, 5e-324, 1e-12, 2.0**-24, 2.0**40, 1e15, 1e150, 1.7e300, 10 ** self.uniform(-9, 9))
        )

    def known[T](self, *values: T) -> T | None:
        return None if self.random() < self._unknown else self.choice(values)

    def exchange(self, number: int) -> Exchange:
        """Return the exchange of that number, of some time."""
        tokens = [self.known(0, 1, self.randrange(5000), 2**50) for _ in range(7)]
        lasted, began, read, wrote = ([self.known(self.choice(kinds)()) for _ in "123"] for kinds in self._speeds)
        return Exchange(
            flow_id=f"flow '{number}\\",
            started=self.choice(self._times)(),
            method="POST",
            host=self.choice(self._names[:3]),
            path=self.choice(self._names[2:]),
            provider=self.known("openai", "anthropic", self._names[0]),
            operation=self.known("chat", "embed"),
            model=self.known(*self._names),
            request_model=self.known(*self._names),
            stream=self.random() < 0.5,
            status=self.known(200, 404, 429, 500, 7),
            content_type=self.known("application/json"),
            outcome=self.choice(list(Outcome)),
            error=self.known("x" * 100_000, "nö\x00", "line\nbreak"),
            finish=self.known("stop", self._names[1]),
            usage=Usage(
                **dict(zip(Usage.__struct_fields__, tokens, strict=False)), source=self.known("body", "headers")
            ),
            timing=Timing(
                duration_ms=lasted[0],
                headers_ms=lasted[1],
                first_byte_ms=lasted[2],
                first_token_ms=began[0],
                prompt_per_second=read[0],
                tokens_per_second=wrote[0],
            ),
            sizes=Sizes(request_bytes=self.randrange(10**6), response_bytes=self.randrange(10**6)),
            credential=self.known("k_00000000", "k_00000001"),
            client=Client(address=self.known("127.0.0.1", "::1"), agent=self.known(*self._names)),
            anomalies=tuple(self.sample(("a", "b'\\", "ü"), self.randrange(3))),
            reported=self.known({"a": [1, 2.5, None, "é\\n"], "b": {"c": 2**60}}),
            cost_usd=self.known(0.0, 0.001, self.random()),
            session=self.known("s_0", "s_1", "s_2"),
        )

    def time(self, rows: Sequence[Exchange]) -> float:
        """Return a time at a row, at an edge near it, or anywhere."""
        at = self.choice(rows).started
        edges = [side(at / width) * width for side in (math.floor, math.ceil) for width in (MINUTE, DAY)]
        return self.choice((at, at, math.nextafter(at, math.inf), at + self.uniform(-1e5, 1e5), *edges, START + 9e7))

    def wanted(self, rows: Sequence[Exchange]) -> Filter:
        """Return what to look for, of which there is often something."""
        names = self.choice((list(TEXTS), ["model", "provider", "host", "credential"]))
        parts: dict[str, object] = {name: self._texts() for name in self.sample(names, self.choice((0, 0, 1, 1, 2)))}
        numbers: dict[str, Callable[[], object]] = {
            "since": lambda: self.time(rows),
            "until": lambda: self.time(rows),
            "status": lambda: (self.choice((2, 4, 200, 7)),),
            "idents": lambda: tuple(self.choices(range(1, len(rows) + 3), k=3)),
            "first": lambda: self.randrange(len(rows)),
            "last": lambda: self.randrange(len(rows)),
        }
        often = {"since": 0.35, "until": 0.35}
        parts |= {name: draw() for name, draw in numbers.items() if self.random() < often.get(name, 0.1)}
        return Filter(**parts)  # type: ignore[arg-type]  # each part is of its field's type

    def _texts(self) -> tuple[str, ...]:
        some = (*self._names, "openai", "complete", "chat", "k_00000000", "s_1", "127.0.0.1")
        text = self.choice(some)
        at = self.randrange(len(text))
        wild = (text[:at] + "?" + text[at + 1 :], text[:at] + "*", "*" + text[at:], "*", "?" * len(text), "**", "")
        return (self.choice((text, text, *wild)), *self.choices(some, k=self.randrange(2)))
