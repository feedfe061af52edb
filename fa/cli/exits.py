"""Exit codes (FACES.md section 5): scripts rely on them; numbers are never reused."""

from __future__ import annotations

from fa.client.problems import JobFailed, TimedOut, Unreachable
from fa.errors import Conflict, FaError, Forbidden, NotFound, Unauthorized, Unavailable

OK, FAILURE, USAGE, NOT_FOUND, AUTH, CONFLICT, UNREACHABLE, TIMEOUT, JOB_FAILED = range(9)
INTERRUPTED = 130  # 128 + SIGINT
PIPE_CLOSED = 141  # 128 + SIGPIPE

_BY_KIND: tuple[tuple[type[FaError], int], ...] = (
    (NotFound, NOT_FOUND),
    (Unauthorized, AUTH),
    (Forbidden, AUTH),
    (Conflict, CONFLICT),
    (Unreachable, UNREACHABLE),
    (Unavailable, UNREACHABLE),
    (TimedOut, TIMEOUT),
    (JobFailed, JOB_FAILED),
)


def exit_code(error: FaError) -> int:
    return next((code for kind, code in _BY_KIND if isinstance(error, kind)), FAILURE)
