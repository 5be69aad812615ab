"""Where a request says what the model is to read, and how the parts of its messages are written, as data.

Nothing is searched for: places are paths, and a part is what a shape of its own API says. What no shape explains is
kept as it was sent.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace


class Shape(Struct, frozen=True, eq=False):
    """How a part of a message is written.

    `kind` is that of a block, empty for what only marks something. A part has this shape if its `type` is one of
    `types` (where there are any) and the member in `where` has its value (absent is False), and then if there is
    something at one of `at` or `name`, unless `types` or `where` said enough.
    `at` are alternatives of where its content stands, the empty path is the part itself; of `name`, `call` (the id of a
    tool's call) and `media` (a type or a format) as well. `each` names the elements of a list in a message that are
    such parts. `encoded` is False where the content of an image, a sound or a file is text.
    """

    kind: str
    at: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    where: tuple[str, str | bool] | None = None
    name: tuple[str, ...] = ()
    call: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    each: str = ""
    encoded: bool = True


class Place(Struct, frozen=True):
    """Where something to read stands in a request, and whose it is.

    `turns` says that it is a list of messages, which may name their own role; else it is the content of one. `kind` is
    that of the strings in it.
    """

    role: str
    at: str
    turns: bool = False
    kind: str = "text"


class Prompt(Struct, frozen=True, kw_only=True, eq=False):
    """How the messages of an API are written, in requests and in whole replies.

    `places` are those of a request, in the order in which the model reads them, `answer` those of a response that is no
    stream. `summary` is the member in which a stream's last messages hold such a response. `within` are members that
    may hold all of a request or a response.
    `content` are the members in which a message holds its parts, `shapes` those of the parts, `beside` those of what
    stands in a message next to them. `speaker` is the member that says whose it is. `roles` renames what stands there,
    or as its `type` where it has none. The whole content of a message whose role is in `results` is what a tool
    returned, `call` says for which call.
    At `continues` stands what the server is to go on from, of which the request tells no more.
    """

    places: tuple[Place, ...] = ()
    answer: tuple[Place, ...] = ()
    summary: str = ""
    within: tuple[str, ...] = ()
    content: tuple[str, ...] = ("content",)
    shapes: tuple[Shape, ...] = ()
    beside: tuple[Shape, ...] = ()
    speaker: str = "role"
    roles: tuple[tuple[str, str], ...] = ()
    continues: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    call: tuple[str, ...] = ()

    def but(self, **changes: Any) -> "Prompt":
        """Return this prompt with some members changed."""
        return replace(self, **changes)


def texts(*places: str) -> Prompt:
    """Return the prompt of an API that takes texts of the user's, and nothing but those."""
    return Prompt(places=tuple(Place("user", at) for at in places))


def either(*prompts: Prompt) -> Prompt:
    """Return the prompt of an API that hands through the bodies of several."""
    joined: dict[str, Any] = {
        name: tuple(dict.fromkeys(one for prompt in prompts for one in getattr(prompt, name)))
        for name in Prompt.__struct_fields__
        if name not in ("summary", "speaker")
    }
    return Prompt(**joined)
