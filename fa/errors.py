"""The floor: every error of fa says what happened, why, and what to do.

An error class names a *kind* of trouble; its docstring is its default sentence (the habit is procrastinate's).
``code`` is stable and machine-readable: it is the ``code`` of ``application/problem+json`` and decides the exit code
of the CLI.
``status`` is the HTTP status that the API answers with.
"""

from __future__ import annotations

from typing import ClassVar


class FaError(Exception):
    """Something went wrong inside fa; the log of the node says more."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, detail: str | None = None, *, hint: str = "") -> None:
        self.detail = detail or " ".join((type(self).__doc__ or "").split())
        self.hint = hint
        super().__init__(f"{self.detail} {hint}".rstrip())


class Invalid(FaError):
    """What was sent is not valid; nothing was changed."""

    code = "invalid"
    status = 400


class Unprocessable(Invalid):
    """What was sent is well formed but cannot be done as it stands; nothing was changed."""

    code = "unprocessable"
    status = 422


class Unauthorized(FaError):
    """No valid token came with the request. Make one with `fa token create --role viewer|operator|admin`."""

    code = "unauthorized"
    status = 401


class Forbidden(FaError):
    """The token's role does not allow this."""

    code = "forbidden"
    status = 403


class NotFound(FaError):
    """There is nothing by that name."""

    code = "not-found"
    status = 404


class Conflict(FaError):
    """The object is in a state in which this cannot be done; nothing was changed."""

    code = "conflict"
    status = 409


class SelectionGone(Conflict):
    """This selection is not kept any more, or was never yours; nothing was changed. List the jobs again."""

    code = "selection-gone"
    status = 410


class TooLarge(FaError):
    """The request is larger than the limit; nothing was changed."""

    code = "too-large"
    status = 413


class Unavailable(FaError):
    """No coordinator can take this now; try again in a moment."""

    code = "unavailable"
    status = 503


class StoreFull(FaError):
    """The disk of the job store is full: nothing new is taken, nothing is lost. Free space in the state directory."""

    code = "store-full"
    status = 507
