"""Folded usage objects and engine timings -> Usage.

Absent stays None. Arithmetic that does not add up is named in `anomalies`, never repaired: the reported total decides
only whether reasoning stands inside or beside the output, where the dialect says that it may.
"""

import re
from functools import lru_cache
from typing import Any

from mitmeter.exchange import Source, Usage
from mitmeter.usage.dialect import Clock, Counts, Snapshot
from mitmeter.usage.paths import EACH, Path, dig, path, walk

# Integers beyond it are not the same in every reader of JSON (RFC 8259, section 6), and no count of tokens.
MOST = 2**53
_AMOUNT = re.compile(r"(?:^|\bdur=)\s*(\d{1,18}(?:\.\d{1,18})?(?:e-?\d{1,2})?)\s*(?:$|[,;])", re.IGNORECASE)


def whole(value: Any) -> int | None:
    """Read a count up to 2**53: an int, a float (cut to its whole part) or a string of digits; else None."""
    if isinstance(value, str) and len(value) < 20 and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MOST else None


def number(value: Any) -> float | None:
    """Read a duration or rate: a finite number above zero, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < float("inf") else None


def amount(value: Any) -> float | None:
    """Read a price or a duration, 0 included: a number, its text, or the `dur=` of a Server-Timing header."""
    if isinstance(value, str) and len(value) < 256:
        found = _AMOUNT.search(value)
        value = float(found.group(1)) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 2**63 else None


def plus(*values: int | None) -> int | None:
    """Add what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@lru_cache(maxsize=1024)
def _compiled(alternatives: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(map(path, alternatives))


class Tally:
    """The counts of one usage object, with what is odd about them."""

    def __init__(self, counts: Counts, snapshot: Snapshot) -> None:
        self.anomalies: list[str] = []
        self._snapshot = snapshot
        self.input = self._first(counts.input_tokens)
        self.output = self._first(counts.output_tokens)
        self.cache_read = self._first(counts.cache_read_tokens)
        self.cache_write = self._first(counts.cache_write_tokens)
        self.reasoning = self._first(counts.reasoning_tokens)
        self.total = self._first(counts.total_tokens)
        if counts.billed_apart is not None:
            self._add_billed_apart(counts)
        if counts.cache_beside_input and self.input is not None:
            self.input = plus(self.input, self.cache_read, self.cache_write)
        for beside in counts.beside_input:
            self.input = plus(self.input, self._first((beside,)))
        for beside in counts.beside_output:
            self.output = plus(self.output, self._first((beside,)))
        self._check(counts)
        for other in counts.otherwise:
            self._fill(Tally(other, snapshot))

    def _first(self, alternatives: tuple[str, ...]) -> int | None:
        snapshot = self._snapshot
        for steps in _compiled(alternatives):
            if not steps or steps[0] not in snapshot:
                continue
            value = self._at(steps)
            if (count := whole(value)) is not None:
                return count
            if value is not None:
                self._flag("not_a_count")
        return None

    def _at(self, steps: Path) -> Any:
        if EACH not in steps:
            return dig(self._snapshot, steps)
        return plus(*(whole(value) for _, value in walk(self._snapshot, steps)))

    def _fill(self, other: "Tally") -> None:
        """Take the sides that are not known from another vocabulary."""
        if self.input is None and other.input is not None:
            self.input, self.cache_read, self.cache_write = other.input, other.cache_read, other.cache_write
        if self.output is None and other.output is not None:
            self.output, self.reasoning = other.output, other.reasoning
        if self.total is None and other.total is not None:
            self.total = other.total
            self.anomalies += [anomaly for anomaly in other.anomalies if anomaly not in self.anomalies]

    def _flag(self, anomaly: str) -> None:
        if anomaly not in self.anomalies:
            self.anomalies.append(anomaly)

    def _add_billed_apart(self, counts: Counts) -> None:
        calls = dig(self._snapshot, path(counts.billed_apart or ""))
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict) and call.get("type") in counts.billed_apart_types:
                apart = Tally(Counts(**{name: getattr(counts, name) for name in _PLAIN}), call)
                self.input = plus(self.input, apart.input)
                self.output = plus(self.output, apart.output)
                self.cache_read = plus(self.cache_read, apart.cache_read)
                self.cache_write = plus(self.cache_write, apart.cache_write)

    def _check(self, counts: Counts) -> None:
        if self.total is not None and self.input is not None:
            self._check_total(counts, self.total, self.input, self.output or 0)
        if (self.reasoning or 0) > (self.output or 0) and self.output is not None:
            self._flag("reasoning_exceeds_output")
        if (self.cache_read or 0) > (self.input or 0) and self.input is not None:
            self._flag("cache_exceeds_input")

    def _check_total(self, counts: Counts, total: int, given: int, output: int) -> None:
        if total == given + output:
            return
        if counts.reasoning_by_total and self.reasoning and total == given + output + self.reasoning:
            self.output = output + self.reasoning
        elif total + (plus(*(self._first((place,)) for place in counts.total_without)) or 0) != given + output:
            self._flag("total_mismatch")


_PLAIN = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


class Pace:
    """What an engine's timings object says, in tokens, seconds and tokens per second."""

    def __init__(self, clock: Clock, timings: Snapshot) -> None:
        def figure(name: str | None) -> Any:
            return dig(timings, path(name)) if name else None

        def seconds(name: str | None) -> float | None:
            value = number(figure(name))
            return None if value is None else value * clock.unit

        self.new_input = whole(figure(clock.new_input_tokens))
        self.output = whole(figure(clock.output_tokens))
        self.cache_read = whole(figure(clock.cache_read_tokens))
        drafted, accepted = whole(figure(clock.draft_tokens)), whole(figure(clock.draft_accepted_tokens))
        both = drafted is not None and accepted is not None
        self.drafted = drafted if both else None
        self.accepted = accepted if both else None
        self.prompt_per_second = number(figure(clock.prompt_per_second))
        self.tokens_per_second = number(figure(clock.tokens_per_second))
        self.prompt_seconds = seconds(clock.prompt_time)
        self.output_seconds = seconds(clock.output_time)
        self.gap_seconds = seconds(clock.token_gap_time)
        self.total_seconds = seconds(clock.total_time)

    @property
    def speaks(self) -> bool:
        """Whether it says anything at all."""
        return any(figure is not None for figure in vars(self).values())

    def rates(self, usage: Usage) -> tuple[float | None, float | None]:
        """Return (prompt, output) tokens per second, the engine's own or from its durations and the counts."""
        prompt, output = self.prompt_per_second, self.tokens_per_second
        if prompt is None and self.prompt_seconds and usage.input_tokens is not None:
            new = usage.input_tokens - (usage.cache_read_tokens or 0)
            prompt = new / self.prompt_seconds if new > 0 else None
        if output is None and self.gap_seconds:
            output = 1 / self.gap_seconds
        if output is None and self.output_seconds and usage.output_tokens:
            output = usage.output_tokens / self.output_seconds
        return prompt, output


def together(usages: list[Usage]) -> Usage:
    """Add up the counts of several answers; what none of them says stays None."""
    names = [name for name in Usage.__struct_fields__ if name != "source"]
    counts = {name: plus(*(getattr(usage, name) for usage in usages)) for name in names}
    return Usage(**counts, source=next((usage.source for usage in usages if usage.source), None))


def usage_of(tally: Tally | None, paces: list[Pace], source: Source) -> Usage:
    """Combine a usage object's counts with an engine's timings; the engine's own counts overrule.

    An engine that counts only what it evaluated says how much came from its cache beside it, or the usage object does.
    """
    known = Usage()
    if tally is not None:
        known = Usage(
            input_tokens=tally.input,
            output_tokens=tally.output,
            cache_read_tokens=tally.cache_read,
            cache_write_tokens=tally.cache_write,
            reasoning_tokens=tally.reasoning,
            total_tokens=tally.total,
        )
    given, output, cached = known.input_tokens, known.output_tokens, known.cache_read_tokens
    drafted = accepted = None
    timed = False
    for pace in paces:
        cached = cached if pace.cache_read is None else pace.cache_read
        given = given if pace.new_input is None else pace.new_input + (cached or 0)
        output = output if pace.output is None else pace.output
        if pace.drafted is not None:
            drafted, accepted = pace.drafted, pace.accepted
        timed = timed or pace.new_input is not None or pace.output is not None
    counted = any(count is not None for count in (given, output, cached, known.total_tokens))
    told: Source | None = source if tally is not None else "timings" if timed else None
    return Usage(
        input_tokens=given,
        output_tokens=output,
        cache_read_tokens=cached,
        cache_write_tokens=known.cache_write_tokens,
        reasoning_tokens=known.reasoning_tokens,
        total_tokens=known.total_tokens,
        draft_tokens=drafted,
        draft_accepted_tokens=accepted,
        source=told if counted else None,
    )
