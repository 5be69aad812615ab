"""The README's table of providers, out of the registry; what was recorded of them, out of `../shared/corpus`.

Where the corpus is not there, its two columns stay as they are in the README. `--write` puts the table into the README.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import corpus
from mitmeter.usage.dialect import Counts, Dialect, Provider
from mitmeter.usage.registry import discover

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- providers -->", "<!-- /providers -->"
COLUMNS = ("provider", "hosts", "APIs", "cache", "reasoning", "its own", "framings seen", "cases")
NONE = "–"

type Seen = dict[str, tuple[str, str]]


def host(pattern: str) -> str:
    """A host's pattern as people write it: `*` for what may be anything; what may be left out is left out."""
    text = re.sub(r"\([^()]*\)\?", "", pattern.replace(r"\.", "."))
    text = re.sub(r"\[[^]]*\](\+|\{\d+\})?|\.\+", "*", re.sub(r"\(\*?([^()]*)\)\?", "", text))
    return re.sub(r"\(([^()]*)\)", lambda found: "{" + found[1].replace("|", ",") + "}", text)


def hosts(provider: Provider) -> str:
    named = [f"`{text}`" for text in dict.fromkeys(map(host, provider.hosts))]
    anywhere = not provider.hosts or any(dialect.anywhere for dialect in provider.dialects)
    return ", ".join([*named, *(["any host"] if anywhere else [])])


def counted(provider: Provider) -> list[Counts]:
    told = [dialect.counts for dialect in provider.dialects if dialect.consumes]
    return [one for counts in told for one in (counts, *counts.otherwise)]


def cache(provider: Provider) -> str:
    """Whether cached tokens stand inside the input count or beside it, by what the provider's APIs do."""
    kinds = {
        "beside" if one.cache_beside_input else "inside"
        for one in counted(provider)
        if one.cache_read_tokens and one.input_tokens
    }
    return ", ".join(sorted(kinds)) or NONE


def reasoning(provider: Provider) -> str:
    """The same of reasoning and output; `by total` where the reported total tells."""
    kinds = set()
    for one in counted(provider):
        if one.reasoning_tokens:
            beside = set(one.reasoning_tokens) & set(one.beside_output)
            kinds.add("beside" if beside else "by total" if one.reasoning_by_total else "inside")
    return ", ".join(sorted(kinds)) or NONE


def own(provider: Provider) -> str:
    """What the provider says beside counts: rates, times, prices."""
    clocks = [*provider.clocks, *(clock for dialect in provider.dialects for clock in dialect.clocks)]
    rated = any(
        clock.tokens_per_second or clock.prompt_per_second or clock.output_time or clock.token_gap_time
        for clock in clocks
    )
    timed = provider.took or any(clock.total_time for clock in clocks) or any(one.took for one in provider.dialects)
    priced = provider.costs or any(dialect.costs for dialect in provider.dialects)
    told = {"rates": rated, "time": timed, "price": priced}
    return ", ".join(name for name, is_told in told.items() if is_told) or NONE


def apis(dialects: tuple[Dialect, ...]) -> str:
    named = (f"{dialect.api} (ws)" if dialect.socket is not None else dialect.api for dialect in dialects)
    return ", ".join(dict.fromkeys(named)) or "those of others"


def seen() -> Seen:
    """By provider, the framings and the number of its cases in the corpus; as the README has them without a corpus."""
    if not corpus.FOLDER.is_dir():
        rows = [line.strip("| ").split(" | ") for line in written().splitlines()[2:]]
        return {cells[0]: (cells[-2], cells[-1]) for cells in rows}
    framings: dict[str, Counter[str]] = {}
    for case in corpus.cases():
        exchange = corpus.record(case)[0]
        framings.setdefault(exchange.provider or "", Counter())[case["framing"] or "none"] += 1
    return {name: (", ".join(sorted(kinds)), f"{kinds.total():,}") for name, kinds in framings.items()}


def table() -> str:
    """The table, in Markdown."""
    found = seen()
    lines = [COLUMNS, tuple("---" for _ in COLUMNS)]
    for provider in discover():
        told = (cache(provider), reasoning(provider), own(provider))
        recorded = found.get(provider.name, (NONE, "0"))
        lines.append((provider.name, hosts(provider), apis(provider.dialects), *told, *recorded))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def written() -> str:
    """The table as the README has it."""
    return README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


if __name__ == "__main__":
    shown = table()
    if "--write" in sys.argv[1:]:
        before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
        README.write_text(f"{before}{BEGIN}\n\n{shown}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    sys.stdout.write(shown + "\n")
