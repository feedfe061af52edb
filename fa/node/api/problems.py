"""Errors as `application/problem+json` (RFC 9457): what happened, why, what to do, and the request to look for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from fa.errors import FaError, Invalid, TooLarge, Unavailable

MEDIA = "application/problem+json"


class MethodNotAllowed(FaError):
    """This path does not know that method."""

    code = "method-not-allowed"
    status = 405
    allow: str = ""  # the methods that it knows, for the header of that name


class TooSlow(FaError):
    """The body of the request did not arrive in time; nothing was changed."""

    code = "too-slow"
    status = 408


class UnsupportedMedia(FaError):
    """The body is encoded in a way that is not taken here; send it plain."""

    code = "unsupported-media"
    status = 415


class BadRange(FaError):
    """There is nothing in that range."""

    code = "bad-range"
    status = 416


class PreconditionRequired(FaError):
    """Say what you change: send If-Match with the ETag that you read, or If-None-Match: * for something new."""

    code = "precondition-required"
    status = 428


class TooMany(FaError):
    """Too many wrong tokens came from this address; wait a minute."""

    code = "too-many"
    status = 429


class NotCoordinator(Unavailable):
    """This node was asked as the coordinator and is not; nothing was changed."""

    code = "not-coordinator"


class BadBody(Invalid):
    """What was sent is not as described in /openapi.json. ``problems`` are (JSON pointer, sentence)."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        told = "; ".join(
            f"{pointer} {sentence}" if pointer else f"the body: {sentence}" for pointer, sentence in self.problems
        )
        super().__init__(f"The request is not valid: {told}.", hint="Correct it and send it again.")


class FieldProblem(msgspec.Struct, frozen=True):
    """One place of the request that is wrong."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """`detail` is a sentence for people and says what to do; programs look at `code`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[FieldProblem] = []
    retry_after: int | None = None


def problem(error: FaError, instance: str, request_id: str, retry_after: int | None = None) -> Problem:
    fields = [FieldProblem(pointer, sentence) for pointer, sentence in getattr(error, "problems", ())]
    return Problem(
        type=f"/problems/{error.code}",
        title=title(error.code),
        status=error.status,
        detail=clean(str(error)),
        instance=clean(instance),
        code=error.code,
        request_id=request_id,
        errors=fields,
        retry_after=retry_after,
    )


def title(code: str) -> str:
    return code.replace("-", " ").capitalize()


def clean(text: str) -> str:
    """Text that JSON can carry: what was no UTF-8 in a path is shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def kinds() -> dict[str, type[FaError]]:
    """Every kind of error that is known, by code: what `/problems/{code}` explains."""
    found: dict[str, type[FaError]] = {}
    for kind in _below(FaError):
        found.setdefault(kind.code, kind)
    return found


def _below(kind: type[FaError]) -> Iterator[type[FaError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _below(child)


def too_large(limit_bytes: int) -> TooLarge:
    sentence = f"The request is larger than {limit_bytes} bytes; nothing was changed."
    return TooLarge(sentence, hint="Send up to 1,000 jobs at a time to /v1/jobs:batch.")
