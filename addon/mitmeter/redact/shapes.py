"""Where secrets that are known by their shape stand in bytes."""

from functools import lru_cache

from mitmeter.redact.pii import PII
from mitmeter.redact.rules import RULES, Rule
from mitmeter.scan import Scanner

LOOKED_BACK = 8192
CUT = 4096
SHORTEST = 12

type Span = tuple[int, int, bytes]


@lru_cache(maxsize=2)
def _rules(pii: bool) -> tuple[tuple[Rule, ...], Scanner]:
    rules = (*RULES, *PII) if pii else RULES
    return rules, Scanner([rule.sign for rule in rules])


def marker(name: str) -> bytes:
    """Return what stands in the place of a secret."""
    return b"[REDACTED:%s]" % name.encode()


def _begin(rule: Rule, data: bytes, end: int) -> int:
    """Return where to match a rule whose sign ends at `end`, -1 where what began it is out of reach."""
    if not rule.width:
        low = max(0, end - rule.lead)
        return data.rfind(rule.anchor, low, end) if rule.anchor else low
    start = end - rule.width
    if rule.left:
        low = max(0, start - LOOKED_BACK)
        return low + len(data[low:start].rstrip(rule.left))
    return start


def _found(rule: Rule, data: bytes, end: int) -> tuple[int, int] | None:
    start = _begin(rule, data, end)
    if start < 0:
        return None
    if rule.anchor or (rule.width and not rule.left):
        found = rule.pattern.match(data, start)
    else:
        candidates = rule.pattern.finditer(data, start, end + rule.reach)
        found = next((one for one in candidates if one.end() >= end), None)
    if found is None or (rule.check is not None and not rule.check(found[0])):
        return None
    return found.span(1 if rule.part else 0)


def find_shapes(data: bytes, pii: bool = False, cut: bool = False) -> list[Span]:
    """Return (start, end, marker) of each secret; `cut` says that the data may end in the middle of one."""
    rules, scanner = _rules(pii)
    spans: dict[tuple[int, int], int] = {}
    done: dict[int, int] = {}
    for number, end in scanner.find(data):
        if end > done.get(number, 0) and (span := _found(rules[number], data, end)) is not None:
            spans[span] = min(number, spans.get(span, number))
            done[number] = span[1]
    found = [(*span, marker(rules[number].name)) for span, number in spans.items()]
    return found + _cut_short(data) if cut else found


@lru_cache(maxsize=1)
def _openings() -> tuple[tuple[Rule, ...], Scanner]:
    """Return the rules of what may be cut short, and what finds their anchors."""
    rules = tuple(rule for rule in RULES if rule.cut is not None)
    return rules, Scanner([rule.anchor for rule in rules], literal=True)


def is_clear(lines: bytes, pii: bool = False) -> bool:
    """Say whether no secret stands in any of these lines, each of which may end in the middle of one.

    The answer may be no too often.
    """
    if _rules(pii)[1].find(lines):
        return False
    rules, scanner = _openings()
    for number, end in scanner.find(lines):
        rule, stop = rules[number], lines.find(b"\n", end)
        at, stop = end - len(rule.anchor), stop if stop >= 0 else len(lines)
        if rule.cut is not None and rule.cut.match(lines, at, stop):
            return False
    return True


def _cut_short(data: bytes) -> list[Span]:
    """Return the spans of secrets that the end of the data has cut short."""
    tail = data[-CUT:]
    shift = len(data) - len(tail)
    rules, scanner = _openings()
    spans: list[Span] = []
    for number, end in dict(scanner.find(tail)).items():
        rule = rules[number]
        at = end - len(rule.anchor)
        found = rule.cut.match(tail, at) if rule.cut is not None else None
        if found is not None and len(found[0]) >= SHORTEST:
            spans.append((shift + at, shift + found.end(), marker(rule.name)))
    return spans
