"""How a job looks in a list: its cells, and which of its tasks speaks for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from fa.client.text import clean
from fa.tui.line import Span, cell
from fa.tui.look import JOBS, RETRY, badge, badge_of, bar
from fa.tui.scene import Scene
from fa.tui.table import Column, text
from fa.tui.times import parse, size, span
from fa.tui.values import Job, Task
from fa.tui.world import World

STATE_COLUMNS = 6
_SPEAKS = ("running", "publishing", "failed", "queued", "held", "cancelled", "succeeded")


def lead(job: Job) -> Task:
    """The task that says most about the job: what runs, else what failed, else what waits."""
    rank = {state: place for place, state in enumerate(_SPEAKS)}
    return min(job.tasks, key=lambda task: rank.get(task.state, len(rank)), default=Task())


def state(job: Job, room: int = STATE_COLUMNS) -> Span:
    task = lead(job)
    if job.state == "queued" and task.attempt:
        return badge(RETRY, room)
    if job.state == "running" and task.state == "publishing":
        return badge(JOBS["publishing"], room)
    return badge_of(JOBS, job.state, room)


def share(job: Job, world: World) -> float:
    """How much of the job is done, 0..1: all its tasks count alike."""
    if not job.tasks:
        return 0.0
    return sum(1.0 if task.state == "succeeded" else world.progress_of(task).progress for task in job.tasks) / len(
        job.tasks
    )


def progress(job: Job, world: World, room: int) -> Iterable[Span]:
    """A bar while it runs, else the reason why it does not."""
    task = lead(job)
    if job.state != "running":
        return (cell(reason(job, task), room, "dim"),)
    done = share(job, world)
    tail = f"{min(99, int(done * 100)):>3}%"
    phase = world.progress_of(task).phase
    mark = {"uploading": "u", "delivering": "d"}.get(phase, " ")
    return (*bar(done, max(0, room - 6)), cell(f" {mark}{tail}", min(room, 6)))


def reason(job: Job, task: Task) -> str:
    """Why it does not run, or what came of it."""
    if task.error and job.state in ("failed", "queued"):
        prefix = f"{task.attempt}: " if job.state == "queued" and task.attempt else ""
        return prefix + task.error.strip().split("\n")[0]
    if task.deferred_until:
        moment = parse(task.deferred_until)
        return f"from {moment:%m-%d %H:%M}Z" if moment else "deferred"
    if job.state == "succeeded":
        return size(sum(each.output.bytes for each in job.tasks if each.output))
    return f"try {task.attempt}" if task.attempt > 1 else ""


def columns(scene: Scene) -> list[Column[Job]]:
    """The columns of the job list."""
    world, age = scene.world, ("WHEN", 11) if scene.stamps else ("AGE", 5)
    return [
        Column("STATE", STATE_COLUMNS, lambda job, room: (state(job, room),)),
        text("ID", 8, lambda job: job.id, right=True),
        text("PRI", 3, lambda job: job.priority, "dim", right=True),
        Column("PROGRESS", 15, lambda job, room: progress(job, world, room), grow=1),
        text(
            "NODE",
            6,
            lambda job: lead(job).node or "-",
        ),
        text("FPS", 5, lambda job: _number(world.progress_of(lead(job)).fps), need=110, right=True),
        text("ETA", 8, lambda job: span(world.progress_of(lead(job)).eta) if job.state == "running" else "-", need=110),
        text("FACTORY", 10, lambda job: job.factory),
        text("SUBJECT", 14, lambda job: job.subject or "-", need=140),
        text("SOURCE", 14, lambda job: job.source, grow=3, keep_tail=True),
        text(*age, lambda job: scene.when(job.finished_at or job.submitted_at), "dim", right=True),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def one_line(job: Job) -> str:
    """A job in a list of objects, as in a confirmation."""
    task = lead(job)
    where = f" on {task.node}" if job.state == "running" and task.node else ""
    return clean(f"{job.id}  {job.state}{where}  {job.factory}  {job.source}")
