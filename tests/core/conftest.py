from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.core.book import Book, books


@pytest.fixture(params=["memory", "sqlite"])
def book(request: pytest.FixtureRequest) -> Iterator[Book]:
    yield from books(request.param)
