"""A job as facts: the preview under the list, and the tab of its details. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from fa.tui.line import Line, Span, cell, line, say, wrapped
from fa.tui.look import JOBS, badge_of, bar
from fa.tui.panel import facts
from fa.tui.scene import Scene
from fa.tui.times import size, span
from fa.tui.values import Job, Task
from fa.tui.views.job_cells import state


def preview(job: Job, scene: Scene, room: int) -> list[Line]:
    """The nine lines that say most."""
    head = line(state(job), Span(" "), say(f"{job.factory} v{job.factory_version}", "title"),
                Span("  pri "), say(job.priority), Span("  "), say(job.subject, "title"))  # fmt: skip
    rows = [head, line(Span("source     ", "dim"), say(job.source))]
    for task in job.tasks[:3]:
        rows += task_lines(task, scene, room)[:2]
    rows.append(line(Span("submitted  ", "dim"), *_submitted(job, scene)))
    return rows


def _submitted(job: Job, scene: Scene) -> Line:
    by = f" by {job.submitted_by}" if job.submitted_by else ""
    through = f" through monitor {job.monitor}" if job.monitor else ""
    return line(say(f"{scene.clock.full(job.submitted_at)}{by}{through}"))


def task_lines(task: Task, scene: Scene, room: int) -> list[Line]:
    """A product: state and where it is; then its output, its error, or where it will go."""
    head = [badge_of(JOBS, task.state, 7), cell(task.product, 14, "title")]
    if task.state in ("running", "publishing"):
        head += _moving(task, scene)
    elif task.attempt:
        head.append(say(f"attempt {task.attempt}" + (f" on {task.node}" if task.node else ""), "dim"))
    return [line(*head), *_result(task, room)]


def _moving(task: Task, scene: Scene) -> Iterator[Span]:
    now = scene.world.progress_of(task)
    yield say(f"{now.phase or task.state} ")
    yield from bar(now.progress, 16)
    yield Span(f" {min(99, int(now.progress * 100)):>3}%", "title")
    if now.eta is not None:
        yield Span(f"  {span(now.eta)} left")
    yield say(f"  on {task.node or '?'}  try {task.attempt}")
    if now.fps is not None:
        yield Span(f"  {now.fps:.0f} fps")


def _result(task: Task, room: int) -> list[Line]:
    if task.output:
        kept = f"{size(task.output.bytes)}  sha256 {task.output.sha256[:12]}"
        return [line(Span("  → "), say(task.output.path), Span(f"  {kept}", "dim"))]
    if task.error:
        rows = [row for text in task.error.strip().split("\n") for row in wrapped(text, room - 4, "warn")]
        return [line(Span("    "), *row) for row in rows]
    return [line(Span("  → ", "dim"), say(task.destination, "dim"))]


def details(job: Job, scene: Scene, room: int) -> list[Line]:
    """Everything that is known of the job."""
    rows = facts(
        [
            ("state", line(state(job))),
            ("source", line(say(job.source))),
            ("factory", line(say(f"{job.factory} version {job.factory_version}"))),
            ("priority", line(say(job.priority))),
            ("subject", line(say(job.subject or "-"))),
            ("submitted", _submitted(job, scene)),
            ("finished", line(say(scene.clock.full(job.finished_at)))),
        ]
    )
    for row in wrapped(job.description, room - 11) if job.description else ():
        rows.append(line(Span("           "), *row))
    for task in job.tasks:
        rows += [line(Span("")), *task_lines(task, scene, room)]
    return rows
