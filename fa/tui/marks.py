"""Which jobs are marked: some by their ids, or all that matched, as a set that the array keeps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fa.tui.values import Job, Selection

MARKS_MAX = 10_000  # each is held here and sent by its number; more are marked as a set
WITHOUT_MAX = 1000  # that may be taken out of a set, the server's limit


@dataclass(frozen=True, slots=True)
class Chosen:
    """All that matched ``query`` at one moment, but for those that were taken out again."""

    kept: Selection
    query: str
    without: set[int] = field(default_factory=set)

    @property
    def count(self) -> int:
        return self.kept.count - len(self.without)

    @property
    def command(self) -> tuple[str, ...]:
        """What selects the same on the command line."""
        spared = ["-id:" + ",".join(map(str, sorted(self.without)))] if self.without else []
        return "--query", " ".join([self.query, *spared]).strip()

    def may_hold(self, job: int) -> bool:
        """Younger ones are not in it. Of the older ones on a list of the same query a few may have come to match since:
        rather shown as marked and left alone than the other way round."""
        return job <= self.kept.sample[0].id if self.kept.sample else False


class Marks:
    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.chosen: Chosen | None = None

    def __len__(self) -> int:
        return self.chosen.count if self.chosen else len(self.jobs)

    def __contains__(self, job: int) -> bool:
        if self.chosen:
            return self.chosen.may_hold(job) and job not in self.chosen.without
        return job in self.jobs

    def clear(self) -> None:
        self.jobs.clear()
        self.chosen = None

    def choose(self, chosen: Chosen) -> None:
        self.clear()
        self.chosen = chosen

    def toggle(self, job: Job) -> str:
        """Mark, or unmark. Why not, in words; "" when it was done."""
        if self.chosen:
            why_not = _taken_out(self.chosen, job.id)
            if not self.chosen.count:
                self.clear()
            return why_not
        return "" if self.jobs.pop(job.id, None) is not None else self.add([job])

    def add(self, jobs: Iterable[Job]) -> str:
        """Mark jobs, as many as can be."""
        if self.chosen:
            return "all that matched are marked already; Space takes one out, U unmarks all"
        for job in jobs:
            if len(self.jobs) >= MARKS_MAX and job.id not in self.jobs:
                return f"{MARKS_MAX:,} are marked one by one: * takes all that match, however many"
            self.jobs[job.id] = job
        return ""

    def newest(self, rows: Sequence[Job]) -> list[Job]:
        """Those that are marked by their ids, as they are known now."""
        known = {job.id: job for job in rows}
        return [known.get(job.id, job) for job in self.jobs.values()]


def _taken_out(chosen: Chosen, job: int) -> str:
    if not chosen.may_hold(job):
        return f"job {job} came after all were marked; * marks anew"
    if job in chosen.without:
        chosen.without.discard(job)
    elif len(chosen.without) >= WITHOUT_MAX:
        return f"{WITHOUT_MAX:,} are taken out already: filter for the others instead"
    else:
        chosen.without.add(job)
    return ""
