"""Answers that are not what was asked for, as errors: by the ``code`` of ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fa import errors
from fa.errors import FaError


class Unreachable(FaError):
    """No node answers at the addresses that were tried."""

    code = "unreachable"
    status = 503


class TimedOut(FaError):
    """It did not happen in the time given; what was begun goes on."""

    code = "timeout"
    status = 504


class JobFailed(FaError):
    """The work was done and ended without what was asked for."""

    code = "job-failed"
    status = 500


class BadAnswer(FaError):
    """What answered is not a node of fa, or one of another version."""

    code = "bad-answer"
    status = 502


def _kinds() -> list[type[FaError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FaError)]


def kind_of(code: str, status: int) -> type[FaError]:
    """The class for a problem: by its code, else (a newer server) by its HTTP status, else `FaError`."""
    kinds = _kinds()
    by_code = [kind for kind in kinds if kind.code == code]
    by_status = [kind for kind in kinds if kind.status == status]
    return (by_code or by_status or [FaError])[0]


def problem(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> FaError:
    """The error that an answer with ``status`` >= 400 tells; ``body`` may be anything.

    A note on it (see `BaseException.add_note`) says which node answered and the number of the request in its log."""
    told = _object(body)
    error = kind_of(str(told.get("code") or ""), status)(_sentence(told, status), hint=str(told.get("hint") or ""))
    asked = {"asked": (headers or {}).get("Fa-Node"), "request": told.get("request_id")}
    if note := ", ".join(f"{word} {value}" for word, value in asked.items() if value):
        error.add_note(note)
    return error


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _sentence(told: Mapping[str, Any], status: int) -> str:
    sentence = str(told.get("detail") or told.get("title") or f"The server answered {status}.")
    found = told.get("errors")
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and each.get("detail") and str(each["detail"]) not in sentence:
            sentence += f"\n  {each.get('pointer') or 'body'}: {each['detail']}"
    return sentence
