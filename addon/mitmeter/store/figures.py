"""Sums, histograms and courses over time of the rows that are wanted, made of `Facts`."""

from functools import partial
from typing import Any

from mitmeter.store.facts import NAMED, Facts
from mitmeter.store.filters import TEXTS, Filter
from mitmeter.store.histogram import histogram
from mitmeter.store.ordered import MANY, ordered

# What histograms are made of, by the names that they have in an answer.
MEASURED = {
    "prompt_histogram": "prompt_per_second",
    "gen_histogram": "tokens_per_second",
    "first_token_histogram": "first_token_ms",
    "duration_histogram": "duration_ms",
}
GROUPS = ("model", "provider", "host", "outcome", "operation", "session", "client", "credential")

CHOSEN = TEXTS | {"status": "status"}

type Sums = dict[str | None, dict[str, Any]]

_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_SUMMED = ("requests", "errors", "aborted", *_TOKENS, "cost_usd")
_COURSE = ("requests", "input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens")
_NEWEST = 20_000
_LISTED = 200


def prepare(facts: Facts) -> bool:
    """Do a part of what makes sums over all rows quick; whether nothing is left to do."""
    if not facts.cover_more():
        return False
    return len(facts) <= MANY or all(facts.index(column) for column in MEASURED.values())


def measured(facts: Facts, name: str, wanted: Filter) -> dict[str, Any] | None:
    """The histogram of that name of MEASURED; values of 0 and below say nothing of a speed."""
    with ordered(facts, MEASURED[name], wanted) as values:
        return histogram(values)


def by_model(facts: Facts, wanted: Filter) -> list[dict[str, Any]]:
    """The sums of each model, that with the most requests first; None where no row says anything."""
    sums = facts.remembered("models", wanted, partial(_by_model, facts), _more)
    return sorted(sums.values(), key=lambda group: (-group["requests"], group["model"] or ""))


def _by_model(facts: Facts, wanted: Filter) -> Sums:
    condition, values = facts.where(wanted)
    names = dict(facts.connection.execute("SELECT name, id FROM names"))
    failed, cut = (
        ", ".join(str(names.get(name, -1)) for name in outcomes)
        for outcomes in (("error", "unreachable"), ("client_aborted", "upstream_aborted"))
    )
    query = f"""
        SELECT (SELECT name FROM names WHERE id = model), count(*), sum(outcome IN ({failed})), sum(outcome IN ({cut})),
        {", ".join(f"sum({column})" for column in (*_TOKENS, "cost_usd"))}
        FROM facts WHERE {condition} GROUP BY model
    """
    found = facts.connection.execute(query, values)
    return {row[0]: dict(zip(("model", *_SUMMED), row, strict=True)) for row in found}


def _more(before: Sums, newer: Sums) -> Sums:
    together = {name: [sums[name] for sums in (before, newer) if name in sums] for name in before | newer}
    return {name: {"model": name, **added(groups)} for name, groups in together.items()}


def added(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """The sums over all groups; None where none says anything."""
    return {name: _sum([group[name] for group in groups]) for name in _SUMMED}


def _sum(values: list[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def span(facts: Facts, wanted: Filter) -> tuple[float, float] | None:
    """When the first and the last of the rows began, None without any; epoch seconds."""
    condition, values = facts.where(wanted)
    first, last = facts.connection.execute(
        f"SELECT min(started), max(started) FROM facts WHERE {condition}", values
    ).fetchone()
    return None if first is None else (first, last)


def course(
    facts: Facts, wanted: Filter, by: str, since: float, until: float, buckets: int, top: int
) -> list[dict[str, Any]]:
    """Sums in buckets from `since` until `until`, by one of GROUPS: the `top` with the most tokens, then the rest."""
    condition, values = facts.where(wanted)
    width = (until - since) / buckets
    query = f"""
        SELECT {TEXTS[by]}, min(CAST((started - ?) / ? AS INTEGER), ?), count(*),
        {", ".join(f"ifnull(sum({column}), 0)" for column in _COURSE[1:])}
        FROM facts WHERE started >= ? AND started <= ? AND {condition} GROUP BY 1, 2
    """
    found = facts.connection.execute(query, (since, width, buckets - 1, since, until, *values)).fetchall()
    series: dict[int | None, dict[str, list[int]]] = {}
    for number, bucket, *sums in found:
        lines = series.setdefault(number, {name: [0] * buckets for name in _COURSE})
        for name, value in zip(_COURSE, sums, strict=True):
            lines[name][bucket] += value
    names = dict(facts.connection.execute("SELECT id, name FROM names"))
    named = {None if number is None else names[number]: lines for number, lines in series.items()}
    ranked = sorted(named.items(), key=lambda item: (-sum(map(sum, list(item[1].values())[:3])), item[0] or ""))
    told = [{"name": name, "rest": False, **lines} for name, lines in ranked[:top]]
    if rest := [lines for _, lines in ranked[top:]]:
        joined = {name: [sum(at) for at in zip(*(lines[name] for lines in rest), strict=True)] for name in _COURSE}
        told.append({"name": None, "rest": True, **joined})
    return told


def choices(facts: Facts) -> dict[str, list[Any]]:
    """What the newest rows have for values, by filter: those of the most rows first."""
    first = facts.last_id - _NEWEST + 1
    facts.cover(first)
    told: dict[str, list[Any]] = {}
    for name, column in CHOSEN.items():
        shown = f"(SELECT name FROM names WHERE names.id = {column})" if column in NAMED else column
        query = f"""
            SELECT {shown} FROM (SELECT {column}, count(*) AS rows FROM facts WHERE id >= ? AND {column} IS NOT NULL
            GROUP BY 1 ORDER BY rows DESC LIMIT ?)
        """
        told[name] = [value for (value,) in facts.connection.execute(query, (first, _LISTED))]
    return told
