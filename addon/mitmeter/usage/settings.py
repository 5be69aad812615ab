"""The numbers by which a request steers the model, at the places that APIs have for them; by the conventions' names.

https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md
"""

from typing import Any

from mitmeter.usage.paths import dig, path

_WITHIN = ("generationConfig", "inferenceConfig", "options", "parameters")
_NAMES: dict[str, tuple[str, ...]] = {
    "max_tokens": (
        *("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens", "maxTokens", "num_predict"),
        *("n_predict", "max_new_tokens"),
    ),
    "temperature": ("temperature",),
    "top_p": ("top_p", "topP"),
    "top_k": ("top_k", "topK"),
    "frequency_penalty": ("frequency_penalty", "frequencyPenalty"),
    "presence_penalty": ("presence_penalty", "presencePenalty"),
    "seed": ("seed",),
    "choice.count": ("n", "candidateCount"),
}
_WHOLE = frozenset(("max_tokens", "top_k", "seed", "choice.count"))
_PLACES = tuple(
    (name, tuple(path(place) for member in members for place in (member, *(f"{at}.{member}" for at in _WITHIN))))
    for name, members in _NAMES.items()
)

# The members of a request that are looked at.
MEMBERS = frozenset((*_WITHIN, *(member for members in _NAMES.values() for member in members)))


def settings(document: dict[str, Any]) -> dict[str, Any]:
    """Return those that a request sets."""
    if MEMBERS.isdisjoint(document):
        return {}
    found: dict[str, Any] = {}
    for name, places in _PLACES:
        for place in places:
            value = dig(document, place) if place[0] in document else None
            if (kept := _kept(name, value)) is not None:
                found[name] = kept
                break
    return found


def _kept(name: str, value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int if name in _WHOLE else int | float):
        return None
    if name == "choice.count" and value == 1:
        return None
    return value if name in _WHOLE else float(value)
