"""The stand-in upstream of the fault suite."""

from collections.abc import Iterator

import pytest

from provider import Provider


@pytest.fixture(scope="module")
def upstream() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider
