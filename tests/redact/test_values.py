"""Known values in bodies of every size, since those that are large are looked through in another way."""

import random

import pytest

from mitmeter.redact import Redactor
from mitmeter.redact.values import LARGE, MANY, RUN, Known, _pieces

KEYS = {
    "a word": "hunter22",
    "a short key": "sk-0123456789abc",
    "a key": "zz-" + "".join(random.Random(1).choices("abcdefghijkLMNOPQRST0123456789", k=45)),
    "a long key": "eyJ" + "".join(random.Random(2).choices("abcdefghijkLMNOPQRST0123456789-_", k=900)),
}
SIZES = (100, LARGE - 100, LARGE, 4 * LARGE)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key", KEYS)
def test_an_echo_is_found_wherever_it_stands(key: str, size: int) -> None:
    secret, filler = KEYS[key].encode(), b"lorem ipsum " * (size // 12)
    redactor = Redactor((("Authorization", f"Bearer {KEYS[key]}"),), "https://h/")
    for at in (0, len(filler) // 2, len(filler)):
        body = redactor.body(filler[:at] + secret + filler[at:])
        assert body == filler[:at] + b"[REDACTED]" + filler[at:]


@pytest.mark.parametrize("key", [name for name, key in KEYS.items() if len(key) > RUN])
def test_a_part_of_it_is_found_in_a_large_body(key: str) -> None:
    filler, whole = b"lorem ipsum " * (LARGE // 12 + 1), KEYS[key].encode()
    redactor = Redactor((("Authorization", f"Bearer {KEYS[key]}"),), "https://h/")
    for at in range(0, len(whole) - RUN + 1, 3):
        assert redactor.body(filler + whole[at : at + RUN] + filler) == filler + b"[REDACTED]" + filler


def test_in_large_bodies_pieces_are_many_where_there_are_that_many() -> None:
    for key in KEYS.values():
        known = Known(frozenset((key,)))
        at_most = len(_pieces(known._forms, 1))
        assert len(known._many) >= MANY or at_most < MANY
