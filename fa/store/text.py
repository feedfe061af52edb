"""Text that is not UTF-8: names on a NAS are bytes, and Python carries them as `surrogateescape` strings.

sqlite3 refuses to bind those. SQLite itself keeps any bytes as TEXT, so they are bound as bytes and cast."""

from __future__ import annotations

from typing import Any

from fa.errors import Invalid


def text_of_bytes(raw: bytes) -> str:
    """The `text_factory` of every connection to the store."""
    return raw.decode("utf-8", "surrogateescape")


def with_raw_bytes(sql: str, parameters: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The statement and its parameters, with every string that may not be UTF-8 as bytes.

    `sql` has one `?` for each parameter and no other question mark. Raises `Invalid` for lone surrogates that stand for
    no byte: no file name gives those."""
    holes = sql.split("?")
    assert len(holes) == len(parameters) + 1, "one question mark for each parameter"
    bound = [_raw(value) for value in parameters]
    texts = (isinstance(value, str) and isinstance(raw, bytes) for value, raw in zip(parameters, bound, strict=True))
    marks = ["CAST(? AS TEXT)" if text else "?" for text in texts]
    return "".join(hole + mark for hole, mark in zip(holes, [*marks, ""], strict=True)), tuple(bound)


def _raw(value: Any) -> Any:
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Invalid(
            "A name or text holds half a character (a lone surrogate), so it cannot be kept; nothing was changed."
        ) from None
