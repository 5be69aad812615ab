"""Forms: their parts, and what a capture keeps of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.usage.form import MOST, outline, parts
from mitmeter.usage.form import said as spoken
from mitmeter.usage.prompt import texts

SOUND = b"ID3\x04\x00\xff--x\r\n\r\n" * 1000


def form(*some: tuple[str, bytes], end: bytes = b"--\r\n") -> bytes:
    lines = [
        b"--x y\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (head.encode(), body) for head, body in some
    ]
    return b"".join(lines) + b"--x y" + end


UPLOAD = form(
    ('name="file"; filename="a \\"b\\".mp3"\r\nContent-Type: audio/mpeg', SOUND),
    ('name="model"', b"whisper-1"),
    ('name="timestamp_granularities[]"', b"word"),
    ('name="timestamp_granularities[]"', b"segment"),
    ('name="prompt"', "Grüße\r\n\r\nund Küsse".encode()),
)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(
            UPLOAD,
            [
                ("file", 'a "b".mp3', "audio/mpeg", len(SOUND)),
                ("model", None, None, 9),
                ("timestamp_granularities[]", None, None, 4),
                ("timestamp_granularities[]", None, None, 7),
                ("prompt", None, None, 21),
            ],
            id="an upload",
        ),
        pytest.param(form(("name=model", b"m")), [("model", None, None, 1)], id="without quotes"),
        pytest.param(form(('name="a"', b"")), [("a", None, None, 0)], id="empty"),
        pytest.param(form(('name="a"', b"1"), end=b"--"), [("a", None, None, 1)], id="no line's end at its end"),
        pytest.param(form(('name="a"; filename=""', b"")), [("a", "", None, 0)], id="no file was chosen"),
        pytest.param(form(("name=\"a\"; filename*=UTF-8''x", b"1")), [("a", "", None, 1)], id="an extended name"),
        pytest.param(form(('name="a"\r\nContent-Type: IMAGE/png', b"1")), [("a", None, "image/png", 1)], id="by type"),
        pytest.param(form(('name="a"; filename="C:\\a.wav"', b"1")), [("a", "C:\\a.wav", None, 1)], id="a path"),
        pytest.param(form(('name="a"', b"1"))[:-9], [("a", None, None, 3)], id="cut behind a part"),
        pytest.param(UPLOAD[:200], [("file", 'a "b".mp3', "audio/mpeg", 96)], id="cut in a file"),
        pytest.param(UPLOAD[:60], [], id="cut in a head"),
        pytest.param(b"--x\r\n\r\n", [], id="no head"),
        pytest.param(b'{"prompt": "--x\\r\\nContent-Disposition"}', [], id="JSON"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_parts(body: bytes, told: list[tuple[str, str | None, str | None, int]]) -> None:
    assert [(part.name, part.filename, part.media, part.size) for part in parts(body)] == told


def test_an_outline_has_the_fields_and_the_sizes_of_files() -> None:
    outlined = outline(UPLOAD)
    assert outlined == UPLOAD.replace(SOUND, b"[%d bytes left out]" % len(SOUND))
    assert outline(outlined) == outlined
    assert [part.size for part in parts(outlined)] == [part.size for part in parts(UPLOAD)]
    assert outline(b"{}") is None and outline(SOUND) is None


def test_what_is_said() -> None:
    for body in (UPLOAD, outline(UPLOAD) or b""):
        turn = spoken(texts("prompt"), body)
        assert turn is not None and turn.role == "user"
        fields = {"model": "whisper-1", "timestamp_granularities[]": ["word", "segment"]}
        assert [(one.kind, one.content, one.name, one.media) for one in turn.pieces] == [
            ("audio", len(SOUND), 'a "b".mp3', "audio/mpeg"),
            ("text", "Grüße\r\n\r\nund Küsse", None, None),
            ("other", fields, "form", None),
        ]


def test_parts_are_bounded() -> None:
    many = form(*[('name="a"', b"1")] * (MOST + 5))
    assert len(list(parts(many))) == MOST
    assert len(outline(many) or b"") < len(many)


@given(
    st.lists(st.sampled_from((b"--x", b"\r\n", b"\r\n\r\n", b"--", b"Content-Type: a/b", b"; name=", b'"', b"\xff")))
)
def test_nothing_raises(pieces: list[bytes]) -> None:
    body = b"--x\r\nContent-" + b"".join(pieces)
    outlined = outline(body)
    assert (outlined is None) == (next(parts(body), None) is None)
    spoken(texts("prompt"), body)
