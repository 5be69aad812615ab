"""How an API writes usage, as data; and how its snapshots fold.

Rules that hold for every dialect:

- Nothing on the wire is a delta: usage objects are snapshots. Three folds are known. `OVERLAY`: each non-null member of
  a later snapshot wins over the earlier one, because APIs report the input side at the start and the output side at
  the end, and send explicit nulls between. `REPLACE`: the last snapshot that holds any count stands alone, because
  the API recomputes all of it and leaves out what has become empty. `HIGHEST`: an overlay in which no count falls,
  because the API says the input once and 0 from then on.
- A count is looked up at exact paths inside the folded usage object, the first non-null alternative wins.
- Cached tokens are inside the input count or beside it, reasoning inside the output count or beside it; which of them
  is a property of the API (`cache_beside_input`) or told by the reported total (`reasoning_by_total`).
- What an engine says of its own speed (`Clock`) is read from where the engine puts it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mitmeter.usage.prompt import Prompt

type Snapshot = dict[str, Any]
type Fold = Callable[[Snapshot, Snapshot], Snapshot]


def overlay(earlier: Snapshot, later: Snapshot) -> Snapshot:
    """Fold two snapshots: every non-null member of the later one wins, nested objects likewise."""
    merged = dict(earlier)
    for name, value in later.items():
        known = merged.get(name)
        if isinstance(value, dict) and isinstance(known, dict):
            merged[name] = overlay(known, value)
        elif value is not None or name not in merged:
            merged[name] = value
    return merged


def replaces(earlier: Snapshot, later: Snapshot) -> Snapshot:
    """Fold two snapshots: the later one stands alone, unless it holds no count at all."""
    return later if any(isinstance(value, int) for value in later.values()) else earlier


def highest(earlier: Snapshot, later: Snapshot) -> Snapshot:
    """Fold two snapshots as `overlay` does, but a count never falls: a later one may be given as 0."""
    merged = overlay(earlier, later)
    for name, known in earlier.items():
        if isinstance(known, int) and isinstance(merged[name], int) and merged[name] < known:
            merged[name] = known
    return merged


def summed(earlier: Snapshot, later: Snapshot) -> Snapshot:
    """Fold two snapshots of different responses, where one body hands out the answers of many: the counts add."""
    merged = dict(earlier)
    for name, value in later.items():
        known = merged.get(name)
        if isinstance(value, dict) and isinstance(known, dict):
            merged[name] = summed(known, value)
        elif isinstance(value, int | float) and isinstance(known, int | float):
            merged[name] = known + value
        elif isinstance(value, list) and isinstance(known, list):
            merged[name] = [*known, *value]
        elif value is not None:
            merged[name] = value
    return merged


def union(first: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Join two lists of alternatives without repeating any."""
    return tuple(dict.fromkeys((*first, *more)))


class Counts(Struct, frozen=True, kw_only=True):
    """Where each count stands inside a usage object; alternatives in the order in which they are tried.

    `beside_output` are counts that come on top of the output, `total_without` those that the total leaves out;
    `billed_apart` names a list of extra model calls inside
    one exchange, and the `type`s of those whose tokens the top-level counts leave out. A place with `[]` counts what
    stands there together. `priced` are counts with a price of their own, by the names that `mitmeter.prices` has for
    them. `otherwise` are other vocabularies, where an API hands through the bodies of several: the
    input side, and the output side, is that of the first vocabulary that has it.
    """

    input_tokens: tuple[str, ...] = ()
    output_tokens: tuple[str, ...] = ()
    cache_read_tokens: tuple[str, ...] = ()
    cache_write_tokens: tuple[str, ...] = ()
    reasoning_tokens: tuple[str, ...] = ()
    total_tokens: tuple[str, ...] = ()
    cache_beside_input: bool = False
    reasoning_by_total: bool = False
    beside_input: tuple[str, ...] = ()
    beside_output: tuple[str, ...] = ()
    total_without: tuple[str, ...] = ()
    billed_apart: str | None = None
    billed_apart_types: tuple[str, ...] = ()
    priced: tuple[tuple[str, str], ...] = ()
    otherwise: tuple["Counts", ...] = ()

    def places(self) -> tuple[str, ...]:
        """Return every place that is looked at."""
        apart = ("billed_apart_types", "priced", "otherwise")
        values = [getattr(self, name) for name in self.__struct_fields__ if name not in apart]
        named = [value for value in values if isinstance(value, tuple)] + [other.places() for other in self.otherwise]
        return (*(place for value in named for place in value), *filter(None, (self.billed_apart,)))

    def but(self, **changes: Any) -> "Counts":
        """Return these counts with some members changed."""
        return replace(self, **changes)

    def also(self, **alternatives: tuple[str, ...]) -> "Counts":
        """Return these counts with more places to look at, after the known ones."""
        return replace(self, **{name: union(getattr(self, name), more) for name, more in alternatives.items()})


class Clock(Struct, frozen=True, kw_only=True, eq=False):
    """An engine's own timings: an object at `at`, and where in it each figure stands.

    Rates are tokens per second. `..._time` are durations in `unit` seconds, from which a rate follows when the engine
    gives none: for the prompt over the tokens that were not cached, for the output over `token_gap_time` (the mean
    gap between tokens) or `output_time`. `total_time` is all that the server says it took. `new_input_tokens` counts
    what was evaluated, without what came from the cache. `counts` says that these counts overrule the usage object.
    """

    at: str
    unit: float = 1.0
    new_input_tokens: str | None = None
    output_tokens: str | None = None
    cache_read_tokens: str | None = None
    prompt_per_second: str | None = None
    tokens_per_second: str | None = None
    prompt_time: str | None = None
    output_time: str | None = None
    token_gap_time: str | None = None
    total_time: str | None = None
    draft_tokens: str | None = None
    draft_accepted_tokens: str | None = None

    def places(self) -> tuple[str, ...]:
        """Return every place that is looked at."""
        return _places(self)


@cache
def _places(clock: Clock) -> tuple[str, ...]:
    values = {name: getattr(clock, name) for name in clock.__struct_fields__ if name != "at"}
    return tuple(value for value in values.values() if isinstance(value, str))


class Figure(Struct, frozen=True, kw_only=True):
    """A number in a response's `header`, or `at` a place in its usage object; `unit` is what one of it is worth."""

    header: str = ""
    at: str = ""
    unit: float = 1.0


class Part(Struct, frozen=True, eq=False):
    """Where generated content stands: `kind` is `text`, `thinking`, `tool` (a tool's name), `arguments`, `media`, or
    `result`, what a tool of the server's own returned.

    `types` limits it to messages whose `type` member is one of these. `key` names members that tell which block of
    the reply it belongs to, before what the `[]` of the path add. `where` is a member beside the piece and the value
    that it has (if it is absent, False). A `whole` piece is no delta: each message begins a block of its own. `medium`
    is what media are: `image`, `audio` or, if more than one, `media`.
    """

    kind: str
    at: str
    types: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    where: tuple[str, str | bool] | None = None
    whole: bool = False
    medium: str = "media"


class Keep(Struct, frozen=True):
    """Which parts of an exchange its capture holds; of a request's body that it does not, if a form, all but files."""

    request_headers: bool = True
    request_body: bool = True
    response_headers: bool = True
    response_body: bool = True


class Socket(Struct, frozen=True, kw_only=True):
    """How responses follow each other on one WebSocket connection.

    A client message of a type in `asks` (any, where there is none) asks for a response. A server message of a type in
    `begins` (any, where there is none) may begin it, and with `cuts` ends one that is still open; one of the dialect's
    `ends`, or with something true at a path in `ends` here, ends it. `by_member` says that messages are told apart by
    the names of their members instead of a `type`. `usage_trails` says that the usage may come in a message of its own
    after the end, `errors_end` that an error event ends a response too (else it is about something else). `thread` is
    where messages name the response that they belong to, if several may be under way.

    `model` is where messages outside of responses name the model, `query_model` the query parameters that do,
    `model_within` what stands before its name. `aside` reads the messages (its `ends`) that are each another model's
    whole response, whose name stands at `aside_model`.
    """

    asks: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    cuts: bool = True
    by_member: bool = False
    usage_trails: bool = False
    errors_end: bool = True
    thread: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    query_model: tuple[str, ...] = ("model",)
    model_within: str = ""
    aside: "Dialect | None" = None
    aside_model: tuple[str, ...] = ()

    def places(self) -> tuple[str, ...]:
        """Return every place that is looked at."""
        named = (*self.asks, *self.begins) if self.by_member else ()
        return (*named, *self.ends, *self.thread, *self.model, *self.aside_model)


class Dialect(Struct, frozen=True, kw_only=True, eq=False):
    """How one API of one provider writes what a meter wants to know.

    `paths` are regular expressions searched in the request path, anchored at its end. `anywhere` lets the path alone
    decide on hosts that nobody claims. `asked_as` are the media types of its requests, if others are not for it (one
    without a type is). `usage` lists where usage objects stand, the strongest last; the empty path is
    the document itself, of which only what `counts` names is taken (a `Clock` may stand there as well). `listed` says
    that they are lists of objects, and which members of those are the name and the value of a count.
    `usage_headers` are read where the body has no usage, and with `headers_fill` for what it leaves out.
    `parts` are the generated pieces of a message in a stream, `reply` those of a whole document of which `prompt` does
    not tell more: it says how messages are written, in the request and in whole replies.
    `streams` says that every request asks for a stream, `grows` that its messages may repeat all of the reply so far.
    `several` says that one request may hold several prompts: each answer's messages have its `index`, or it stands at
    its place in an array, and what the answers say of themselves is summed.
    `envelope` names a member whose base64 text is the message.
    `ends` are the `type`s (or what stands at `type_at`, or names of events, or whole payloads) after which a stream is
    complete even if its reader hangs up. `error_header` names a header that begins with the error's type.
    `costs` are where a provider names its own price, in US dollars, and `took` how long it worked, in milliseconds.
    `sessions` are where a request names the conversation that it belongs to, `system` and `turns` where its system
    prompt and its messages stand.
    `consumes` is False for an endpoint that counts tokens without using any. `stored` says that an answer may be read
    again: its tokens count once, with the first exchange that has shown them. The group `id` of a path names the
    answer, and `unsettled` are the `finish`es of one that is still being made, whose usage is not its last.
    `socket` is set where the API is spoken over a WebSocket. `prices` is the provider's name in lists of prices, where
    this API has its own.
    """

    api: str
    operation: str
    paths: tuple[str, ...]
    methods: tuple[str, ...] = ("POST",)
    anywhere: bool = False
    asked_as: tuple[str, ...] = ()
    usage: tuple[str, ...] = ()
    listed: tuple[str, str] | None = None
    usage_headers: tuple[tuple[str, str], ...] = ()
    headers_fill: bool = False
    counts: Counts = Counts()
    fold: Fold = overlay
    clocks: tuple[Clock, ...] = ()
    model: tuple[str, ...] = ("model",)
    request_model: tuple[str, ...] = ("model",)
    path_model: str | None = None
    finish: tuple[str, ...] = ()
    service_tier: tuple[str, ...] = ("service_tier",)
    response_id: tuple[str, ...] = ("id",)
    errors: tuple[str, ...] = ("error",)
    parts: tuple[Part, ...] = ()
    reply: tuple[Part, ...] = ()
    prompt: Prompt = Prompt()
    ends: tuple[str, ...] = ()
    type_at: str = "type"
    streams: bool = False
    grows: bool = False
    several: bool = False
    envelope: str | None = None
    error_header: str | None = None
    keep: Keep = Keep()
    costs: tuple[Figure, ...] = ()
    took: tuple[Figure, ...] = ()
    consumes: bool = True
    stored: bool = False
    unsettled: tuple[str, ...] = ()
    socket: Socket | None = None
    sessions: "tuple[Named, ...]" = ()
    system: tuple[str, ...] = ()
    turns: tuple[str, ...] = ()
    prices: str = ""

    def but(self, **changes: Any) -> "Dialect":
        """Return this dialect with some members changed: how a provider differs from the API that it follows."""
        return replace(self, **changes)


class Named(Struct, frozen=True):
    """Where a request names its conversation: a place in the body, and what its text has to look like.

    Where the `pattern` has groups, the first that matched is the id.
    """

    at: str
    pattern: str = r".+"


class Sign(Struct, frozen=True):
    """Something by which a response tells which engine made it: a header's value, or an object in the body."""

    header: str | None = None
    contains: str = ""


class Provider(Struct, frozen=True, kw_only=True):
    """A provider or engine: its hosts and dialects, its clock, and where it says what a call cost and how long it took.

    `hosts` are regular expressions that match the whole host name. An engine that people run themselves has no host;
    its `signs` and `clocks` tell it apart on any host. `sessions` are where its clients name their conversation.
    `convention` is its name in OpenTelemetry's GenAI conventions and `prices` in lists of prices, where it is another.
    """

    name: str
    hosts: tuple[str, ...] = ()
    dialects: tuple[Dialect, ...] = ()
    clocks: tuple[Clock, ...] = ()
    signs: tuple[Sign, ...] = ()
    costs: tuple[Figure, ...] = ()
    took: tuple[Figure, ...] = ()
    sessions: tuple[Named, ...] = ()
    convention: str = ""
    prices: str = ""
