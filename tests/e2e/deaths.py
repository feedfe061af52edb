"""Other ends than the good one, at which a node can die too: it fails, is cancelled, given away, or replaces a folder.

Each story brings a node that was told to die at a point to that point; what must hold afterwards is its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from fa.transcode.digest import digest
from tests.e2e import kit
from tests.e2e.held import Holder
from tests.node.shares import REPLACING

TOOLS = {
    "ladder": 'mkdir "$2" && cp "$1" "$2/all.m3u8" && mkdir "$2/360p" && cp "$1" "$2/360p/1.ts"',
    "fails": 'echo half > "$2"; echo "it is broken" >&2; exit 1',
}
FACTORY = """
name = "{0}"
attempts = 1
replace = {1}
[[products]]
name = "p"
exec = ["{0}", "{{input}}", "{{output}}"]
destination = "san:out/{2}"
"""
FACTORIES = (
    FACTORY.format("ladder", "true", "ladder"),
    FACTORY.format("fails", "false", "fails-{job}"),
    FACTORY.format("hold", "false", "hold-{job}"),
)
MAY_DIE = contextlib.suppress(OSError, HTTPException)  # while it answers
OVER = ("succeeded", "failed", "cancelled")


@dataclass
class Bench:
    """One node that dies again and again, and the source of the job of this round."""

    array: kit.Array
    holder: Holder
    node: kit.Node = field(init=False)
    round: int = 0

    def begin(self) -> None:
        for name, script in TOOLS.items():
            tool = self.array.root / name
            tool.write_text(f"#!/bin/sh\n{script}\n")
            tool.chmod(0o755)
        programs = [str(self.array.root / name) for name in TOOLS] + [str(self.holder.program)]
        self.holder.allow("a", transcode={"exec": programs})
        self.node = self.array.found("a", "--slots", "1")
        for text in FACTORIES:
            self.node.post("/v1/factories", text)
        self.job("ladder")

    def armed(self, point: str) -> None:
        self.node.stop()
        self.start(point)

    def start(self, point: str = "") -> None:
        self.node.start({"FA_FAILPOINT": point} if point else None)
        kit.wait_until("it leads", lambda: not self.node.alive or self.node.leads())

    @property
    def name(self) -> str:
        return f"{self.round}.txt"

    def submit(self, factory: str) -> int:
        """The job of this round, however often it is asked for."""
        source = self.holder.source(self.name) if not self._source.exists() else f"san:in/{self.name}"
        body = {"source": source, "factory": factory}
        return int(self.node.post("/v1/jobs", body, key=f"round-{self.round}")["id"])

    def job(self, factory: str) -> Any:
        """It, once it is over."""
        number = self.submit(factory)
        return kit.wait_until(f"job {number} is over", lambda: self._over(number))

    def _over(self, number: int) -> Any:
        job = self.node.job(number)
        return job if job["state"] in OVER else None

    def runs(self) -> int:
        number = self.submit("hold")
        kit.wait_until("it runs", lambda: self.node.job(number)["state"] == "running" and self._part_of(number))
        return number

    def _part_of(self, job: int) -> bool:
        """Its tool has begun; other rounds have left parts that are not swept yet."""
        return any(part.name.startswith(f"{job}-") for part in self.parts())

    def parts(self) -> list[Path]:
        return list((self.array.san / ".fa" / "part").iterdir())

    def final(self, job: int) -> Path:
        return self.array.san / "out" / f"hold-{job}"

    @property
    def _source(self) -> Path:
        return self.array.san / "in" / self.name


def _submitted(bench: Bench, point: str, factory: str) -> Any:
    """The job of this round, once it is over: its node died at that point, and came back."""
    bench.armed(point)
    with MAY_DIE:
        bench.submit(factory)
    back(bench)
    return bench.job(factory)


def _replaced(bench: Bench, point: str) -> None:
    """A folder took the place of one: it is there, whole, with what was granted, and never the old one again."""
    job = _submitted(bench, point, "ladder")
    assert job["state"] == "succeeded", job
    made, granted = digest(bench.array.san / "out" / "ladder"), job["tasks"][0]["output"]
    assert (made.bytes, made.sha256) == (granted["bytes"], granted["sha256"])
    assert (bench.array.san / "out" / "ladder" / "360p" / "1.ts").read_text() == bench.name


def _failed(bench: Bench, point: str) -> None:
    job = _submitted(bench, point, "fails")
    assert job["state"] == "failed", job
    assert not list((bench.array.san / "out").glob("fails-*"))


def _taken(bench: Bench, point: str) -> None:
    """Somebody put a file at the destination while it was made: that one stays."""
    bench.armed(point)
    number = bench.runs()
    bench.final(number).write_text("mine")
    bench.holder.let_go(bench.name)
    back(bench)
    job = bench.job("hold")
    assert job["state"] == "failed", job
    assert bench.final(number).read_text() == "mine"


def _cancelled(bench: Bench, point: str) -> None:
    bench.armed(point)
    number = bench.runs()
    with MAY_DIE:
        bench.node.post(f"/v1/jobs/{number}/cancel")
    back(bench)
    bench.node.post(f"/v1/jobs/{number}/cancel")
    assert bench.job("hold")["state"] == "cancelled"
    assert not bench.final(number).exists()


def _given_away(bench: Bench, point: str) -> None:
    """Its node died while it ran, and again when it was to be queued anew."""
    number = bench.runs()
    bench.node.kill()
    bench.start(point)
    back(bench)
    bench.holder.let_go(bench.name)
    assert bench.job("hold")["state"] == "succeeded"
    assert bench.final(number).read_text() == bench.name


def back(bench: Bench) -> None:
    kit.wait_until("it died", lambda: not bench.node.alive)
    bench.start()


STORIES: dict[str, tuple[Callable[[Bench, str], None], tuple[str, ...]]] = {
    "a folder is replaced": (
        _replaced,
        REPLACING,
    ),
    "it fails": (
        _failed,
        (
            "before KeepReport failed",
            "after KeepReport failed",
            "before Tell Report",
            "after Tell Report",
            "before Commit FailAttempt",
            "after Commit FailAttempt",
            "before Tell Heard",
            "after Tell Heard",
        ),
    ),
    "its place is taken": (
        _taken,
        (
            "bury ready",
            "bury renamed",
            "bury synced",
            "before KeepReport unsettled",
            "after KeepReport unsettled",
            "before Tell Report 2",
            "after Tell Report 2",
            "before Commit Unsettle",
            "after Commit Unsettle",
        ),
    ),
    "it is cancelled": (
        _cancelled,
        (
            "before Commit ActOnJobs",
            "after Commit ActOnJobs",
            "before Tell Stop",
            "after Tell Stop",
            "before StopAttempt",
            "after StopAttempt",
        ),
    ),
    "it is given away": (_given_away, ("before Commit GiveAway", "after Commit GiveAway")),
}
ALL = [(name, point) for name, (_, points) in STORIES.items() for point in points]


def die(bench: Bench, story: str, point: str) -> None:
    bench.round += 1
    STORIES[story][0](bench, point)
