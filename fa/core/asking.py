"""What people ask of the store while it is on its way there. It is bounded: a stalled array may be asked for days, and
each request is sent again and again. What the coordinator itself has to write is never refused."""

from __future__ import annotations

from fa.core import commands as c
from fa.core import work as w
from fa.core.crew import Crew, Effects
from fa.core.position import EMPTY
from fa.errors import Unavailable

ASKED_MAX = 4096
ASKED_BYTES_MAX = 32 << 20
"""Of all requests together; one that is alone is taken whatever its size."""
BESIDE_BYTES, JOB_BYTES, ID_BYTES = 1024, 512, 40  # of a command, of a new job and of a number, beside their texts


class Asking:
    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._weights: dict[int, int] = {}  # by tag
        self._tags: dict[int, int] = {}  # by request
        self._weight = 0

    def asked(self, request: int, command: c.Command) -> Effects:
        weight = _weight(command)
        if self._weights and (len(self._weights) >= ASKED_MAX or self._weight + weight > ASKED_BYTES_MAX):
            return [w.Answer(request, _too_many(), EMPTY)]
        effects = self._crew.commit(command, lambda done, _: self._carried(request, done))
        self._tags[request], self._weights[self._crew.tag] = self._crew.tag, weight
        self._weight += weight
        return effects

    def gave_up(self, request: int) -> Effects:
        """Nobody waits for the answer any more. What was begun goes its way; what was not need not be."""
        tag = self._tags.get(request)
        return [] if tag is None else [w.Withdraw(tag)]

    def _carried(self, request: int, done: w.Carried) -> Effects:
        self._weight -= self._weights.pop(done.tag)
        self._tags.pop(request, None)
        return [w.Answer(request, done.result, done.position)]


def _weight(command: c.Command) -> int:
    """About how many bytes it keeps in memory until it is carried out."""
    match command:
        case c.SubmitJobs(jobs):
            return sum(JOB_BYTES + len(job.source) + len(job.subject) + len(job.description) for job in jobs)
        case c.ActOnJobs(_, ids) | c.SetPriority(ids):
            return BESIDE_BYTES + ID_BYTES * len(ids)
        case _:
            return BESIDE_BYTES + len(getattr(command, "text", ""))


def _too_many() -> Unavailable:
    return Unavailable(
        "So many requests wait for the store that it takes no more; this one was not carried out.",
        hint="Send it again in a moment. `fa mirror status` says why the store does not go on.",
    )
