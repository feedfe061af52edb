"""Values as JSON, for clients, watchers and files of this node. Names of files may be no UTF-8, and what is said of a
file holds its name. JSON cannot hold that: it is shown with escapes."""

from __future__ import annotations

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(enc_hook=str)


def encode(value: Any) -> bytes:
    """JSON. Text that is no UTF-8 is shown with escapes; this never raises for any text."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_shown(msgspec.to_builtins(value, enc_hook=str)))


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogateescape") if _is_of_bytes(value) else value.encode("utf-8", "replace")
        return raw.decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_shown(key): _shown(inner) for key, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value


def _is_of_bytes(text: str) -> bool:
    """Whether its odd characters stand for bytes of a name; others are halves of characters and stand for nothing."""
    return not any("\ud800" <= letter <= "\udfff" and not "\udc80" <= letter <= "\udcff" for letter in text)
