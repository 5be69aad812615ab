"""A key in every form in which it may be said again, wherever an exchange may say it: nothing of it is left."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from msgspec import to_builtins

from mitmeter.archive.record import encode
from mitmeter.exchange import Answer, Headers, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.usage.registry import find

KEY = 'Zk9+Qp/3x"T7-aa\\be_Rw8VbN2'
RUN = 12
JSON = json.dumps(KEY)[1:-1]
FORMS: dict[str, str] = {
    "plain": KEY,
    "JSON": JSON,
    "JSON within JSON": json.dumps(JSON)[1:-1],
    "JSON with slashes escaped": JSON.replace("/", "\\/"),
    "URL": quote(KEY, safe=""),
    "URL, lower case": quote(KEY, safe="").replace("%2B", "%2b").replace("%2F", "%2f").replace("%5C", "%5c"),
    "URL path": quote(KEY),
    "form": quote_plus(KEY),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of user and key": base64.b64encode(f"user:{KEY}".encode()).decode(),
    "base64 within more": base64.b64encode(f'{{"key": "{KEY}", "a": 1}}'.encode()).decode(),
    "base64, URL": base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
    "hex": KEY.encode().hex(),
    "HEX": KEY.encode().hex().upper(),
    "a part": KEY[3:20],
}
SENT: dict[str, Headers] = {
    "bearer": (("Authorization", f"Bearer {KEY}"),),
    "basic": (("Authorization", f"Basic {base64.b64encode(f'user:{KEY}'.encode()).decode()}"),),
    "cookie": (("Cookie", f"a=1; s={KEY}"),),
    "header": (("X-Api-Key", KEY),),
}
CHAT = "/v1/chat/completions"


def left(headers: Headers, form: str) -> list[str]:
    """The forms of which a run is left in what the sinks get of exchanges that say this one everywhere."""
    inner = form if "\\" in form and '"' not in form.replace('\\"', "") else json.dumps(form)[1:-1]
    path = f"/{quote(form, safe='%')}{CHAT}"
    bodies = (
        (401, "application/json", f'{{"error":{{"message":"no {inner}","type":"{inner}","code":"{inner}"}}}}'),
        (
            200,
            "application/json",
            f'{{"model":"{inner}","id":"{inner}","choices":[{{"message":{{"content":"{inner}"}}}}]}}',
        ),
        (
            200,
            "text/event-stream",
            f'data: {{"choices":[{{"delta":{{"content":"{inner}"}},"finish_reason":"{inner}"}}]}}\n\n',
        ),
    )
    sinks = b""
    for status, kind, body in bodies:
        asked = f'{{"model":"{inner}","messages":[{{"content":"{inner}"}}]}}'.encode()
        opening = Opening(
            flow_id="f", started=1e9, zero=0.0, method="POST", url=f"https://h{path}", headers=headers, body=asked
        )
        recorder = Recorder(opening, find("POST", "h", CHAT), secret=b"s" * 32)
        told = (("content-type", kind), ("Server", form), ("X-Ratelimit-Limit", form), ("Location", f"/{form}"))
        recorder.answer(Answer(status=status, reason=form, headers=told), 0.1)
        recorder.feed(body.encode(), 0.2)
        recorder.trailers((("X-Trailer", form), ("Server-Timing", form)))
        exchange, capture = recorder.close(Outcome.COMPLETE, 0.3, f"lost {form}")
        sinks += encode(1, capture, to_builtins(exchange)) + repr(to_builtins(exchange)).encode()
    return [
        name
        for name, one in FORMS.items()
        if any(one[at : at + RUN].encode() in sinks for at in range(len(one) - RUN + 1))
        and name != "base64 within more"
    ]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sent", SENT)
def test_nothing_of_it_is_left(sent: str, form: str) -> None:
    assert left(SENT[sent], FORMS[form]) == []
