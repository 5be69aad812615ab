"""What a response's head says of limits: how much is left, and when to come again. One set of rules for every provider.

https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
https://learn.microsoft.com/azure/ai-services/openai/how-to/quota#retry-after (retry-after-ms)
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

from mitmeter.exchange import Headers

MOST = 32
LONGEST = 128
NAMES = re.compile(r"rate-?limit|call-limit")
# A number with or without units, a moment, true or false, or structured fields made of such: never a key or a name.
_PLAIN = re.compile(
    r"(?:\d{1,18}(?:\.\d{1,18})?(?:ms|us|µs|ns|[smhd])?){1,4}|\d{4}-\d\d-\d\dT[\d:.]{1,18}(?:Z|[+-]\d\d:\d\d)|true|false",
    re.IGNORECASE,
)
_ITEM = r'(?:"?[a-z][a-z-]{0,15}"?(?:=\d{1,18})?|\d{1,18})'
_FIELDS = re.compile(rf"(?=.*=\d){_ITEM}(?:[ ,;]+{_ITEM})*", re.IGNORECASE)
STRUCTURED = ("ratelimit", "ratelimit-policy", "x-ratelimit")


def limits(headers: Headers) -> dict[str, str] | None:
    """Return the rate-limit headers as they were sent, by lower-case name; None where there are none.

    At most 32, and only those whose values are measures: a header may carry the key that it limits.
    """
    found: dict[str, str] = {}
    for field, value in headers:
        if "imit" in field and len(value) <= LONGEST and len(found) < MOST and (name := _limits(field, value)):
            found[name] = value
    return found or None


@lru_cache(maxsize=1024)
def _limits(field: str, value: str) -> str | None:
    """Return the lower-case name of a header of limits whose value is a measure."""
    name = field.lower()
    shape = _FIELDS if name in STRUCTURED else _PLAIN
    measures = NAMES.search(name) and (shape.fullmatch(value) or _PLAIN.fullmatch(value))
    return name if measures else None


def retry_after(headers: Headers, now: float) -> float | None:
    """Return the seconds to wait that the server asks for; `now` is the time of its answer, in epoch seconds.

    A moment is by the server's own clock, which is in its `Date`.
    """
    told = {name.lower(): value.strip() for name, value in headers if "etry-" in name}
    if not told:
        return None
    for name, unit in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = told.get(name, "")
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
            return round(float(value) * unit, 3)
    moment = _moment(told.get("retry-after", ""))
    if moment is None:
        return None
    sent = (_moment(value) for name, value in headers if name.lower() == "date")
    return round(max(0.0, moment - next((one for one in sent if one is not None), now)), 3)


def _moment(date: str) -> float | None:
    """Return the epoch seconds of a date as HTTP writes it, None where it is none."""
    try:
        moment = parsedate_to_datetime(date[:LONGEST])
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
