"""A conversation as lines of text: wrapped, nothing invisible in it, the arguments of tools spelled out. Pure.

What was resent is a line a turn, what is new is there in full, as far as the conversation holds it.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from rich.cells import cell_len

from mitmeter.conversation import Conversation, Turn
from mitmeter.summary import printable
from mitmeter.usage.block import ENCODED, Block, described

WIDTH = 78
RULE = 60
TAB = 4
SAMPLE = 1000
INDENT = "  "
DEEPEST = 12
SHORT = 400
LEAST = 16

# Controls but line ends and tabs, marks that turn the direction of writing, what has no width (but joiners, of which
# emoji and scripts are made), halves of characters, and tags, in which text for models is hidden from people.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """Return the text with escapes such as `\\x1b` in place of what cannot be seen, or changes how the rest is."""
    if text.isprintable():
        return text
    return _UNSEEN.sub(_escape, text.replace("\r\n", "\n"))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def wrapped(text: str) -> Iterator[str]:
    """Yield the lines of a text, each of at most `WIDTH` columns, broken at spaces where there are any."""
    for line in visible(text).split("\n"):
        line = line.expandtabs(TAB) if "\t" in line else line
        width = WIDTH if line.isascii() else max(1, WIDTH * SAMPLE // _columns(line))
        start = 0
        while len(line) - start > width:
            space = line.rfind(" ", start + width // 2, start + width)
            end = start + width if space < 0 else space + 1
            yield line[start:end].rstrip(" ")
            start = end
        yield line[start:] if start else line


def _columns(line: str) -> int:
    """Return the columns that a thousand characters of the line take."""
    sample = line[:SAMPLE]
    return max(SAMPLE, cell_len(sample) * SAMPLE // len(sample))


def spelled_out(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield a value out of JSON as lines: `name: value`, a text of several lines below its name."""
    pairs: Iterable[tuple[str, Any]]
    if isinstance(value, dict) and value and depth < DEEPEST:
        pairs = ((f"{name}:", inner) for name, inner in value.items())
    elif isinstance(value, list) and value and depth < DEEPEST:
        pairs = (("-", inner) for inner in value)
    else:
        yield from _scalar(value).split("\n")
        return
    for name, inner in pairs:
        lines = spelled_out(inner, depth + 1)
        first = next(lines, "")
        rest = list(lines)
        if rest or (isinstance(inner, dict | list) and inner):
            yield name
            yield from (INDENT + line for line in (first, *rest))
        else:
            yield f"{name} {first}"


def _scalar(value: Any) -> str:
    """Return a text as it is, unless it could be taken for something else."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not value or (len(value) < SHORT and value[0] in '-0123456789"[{tfn'):
        try:
            json.loads(value)
        except ValueError:
            return value if value else '""'
        return json.dumps(value, ensure_ascii=False)
    return value


def arguments(text: str) -> Iterator[str]:
    """Yield the arguments of a tool's call, as they are where they are no JSON."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield text
        return
    if value not in ({}, None):
        yield from spelled_out(value)


def of_block(block: Block) -> Iterator[str]:
    """Yield a block under its kind."""
    title = printable(" ".join(filter(None, (block.kind.replace("_", " "), block.name))), RULE)
    yield ""
    yield f"── {title} {'─' * (RULE - len(title))}"
    if block.kind in ENCODED and not block.text:
        yield from wrapped(described(block))
    elif block.kind == "tool":
        for line in arguments(block.text):
            yield from wrapped(line)
    else:
        yield from wrapped(block.text)
    if block.cut:
        yield f"[… {block.cut:,} more characters]"


def turn(said: Turn) -> Iterator[str]:
    """Yield a turn in full under its role."""
    yield ""
    role = printable(said.role, RULE)
    yield f"━━ {role} {'━' * (RULE - len(role))}"
    for number, block in enumerate(said.blocks):
        lines = of_block(block)
        if number == 0 and (block.kind == "text" or (block.kind == "tool_result" and said.role == "tool")):
            next(lines)
            next(lines)
        yield from lines


def in_a_line(said: Turn) -> str:
    """Return a turn that was resent in a line, with how much there is of it; what was only thought comes last."""
    blocks = sorted(said.blocks, key=lambda block: block.kind == "thinking")
    share = max(LEAST, (WIDTH - LEAST) // max(1, len(blocks)))
    words = " · ".join(_word(block, share) for block in blocks)
    size = sum(len(block.text) + block.cut for block in said.blocks)
    role = f"{printable(said.role, 9):<9} "
    tail = f" … {size:,} characters" if len(words) > WIDTH - len(role) or size > len(words) else ""
    return role + printable(words, WIDTH - len(role) - len(tail)) + tail


def _word(block: Block, share: int) -> str:
    if block.kind in ENCODED and not block.text:
        return described(block)
    text = visible(block.text[:share])
    if block.kind == "tool":
        word = f"{block.name}({text})"
    else:
        word = text if block.kind == "text" else f"[{block.kind.replace('_', ' ')}] {text}"
    return word if len(word) <= share else f"{word[: share - 1]}…"


def asked(told: Conversation) -> list[str]:
    """Return the turns of a request: first a line for each that was resent, then what is new."""
    resent = [one for one in told.turns if not one.new]
    fresh = [one for one in told.turns if one.new]
    lines = ["", _heading("resent", resent), *map(in_a_line, resent), "", _heading("new", fresh)] if resent else []
    for one in fresh:
        lines += turn(one)
    return lines + _missing(told)


def _heading(name: str, turns: list[Turn]) -> str:
    title = f"{name}: {len(turns)} turn{'' if len(turns) == 1 else 's'}"
    return f"══ {title} {'═' * (RULE - len(title))}"


def answered(told: Conversation) -> list[str]:
    """Return the reply."""
    lines: list[str] = []
    for block in told.reply:
        lines += of_block(block)
    return lines + _missing(told)


def _missing(told: Conversation) -> list[str]:
    lines = [line for what in told.left_out for line in wrapped(f"[left out: {what}]")]
    return ["", *lines] if lines else []
