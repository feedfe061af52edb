"""The kinds of objects that the command line lists, with their columns (FACES.md section 5)."""

from __future__ import annotations

from typing import Any

from fa.cli.tables import Column, Item, Noun, column


def job_progress(job: Item) -> float | None:
    """0..1 over the products of a job, None while nothing was begun."""
    tasks = job.get("tasks") or []
    parts = [1.0 if task.get("state") == "succeeded" else task.get("progress") for task in tasks]
    if not any(part is not None for part in parts):
        return None
    return sum(part or 0.0 for part in parts) / len(parts)


def percent(value: float | None) -> str | None:
    """Whole percent, rounded down: 100 % means done."""
    return None if value is None else f"{int(min(max(value, 0.0), 1.0) * 100)}%"


def job_nodes(job: Item) -> str:
    """The nodes on which products of a job run now."""
    running = (task.get("node") for task in job.get("tasks") or [] if task.get("state") in ("running", "publishing"))
    return ",".join(sorted({str(node) for node in running if node}))


def job_error(job: Item) -> str:
    """The first error of its products, one line."""
    errors = (str(task["error"]).splitlines()[0] for task in job.get("tasks") or [] if task.get("error"))
    return next(errors, "")


def slots(node: Item) -> str:
    return ",".join(
        f"{name}:{each['used']}/{each['total']}" for name, each in sorted((node.get("slots") or {}).items())
    )


def _joined(field: str) -> Any:
    return lambda item: ",".join(map(str, item.get(field) or []))


JOB = Noun(
    "job",
    "id",
    (
        column("ID", "id"),
        column("STATE", "state", "state"),
        column("PRI", "priority"),
        Column("DONE", lambda job: percent(job_progress(job))),
        Column("NODE", job_nodes),
        column("FACTORY", "factory", cut=True),
        column("SOURCE", "source", cut=True),
        column("SUBJECT", "subject", wide=True),
        column("VERSION", "factory_version", wide=True),
        column("MONITOR", "monitor", wide=True),
        column("BY", "submitted_by", wide=True),
        Column("ERROR", job_error, wide=True),
        column("FINISHED", "finished_at", "time", wide=True),
        column("AGE", "submitted_at", "time"),
    ),
)
NODE = Noun(
    "node",
    "name",
    (
        column("NAME", "name"),
        column("STATE", "state", "state"),
        Column("SLOTS", slots),
        Column("RUNS", lambda node: len(node.get("tasks") or [])),
        Column("QUARANTINED", _joined("quarantined"), cut=True),
        column("VERSION", "version"),
        column("KIND", "kind", wide=True),
        column("ADDRESS", "address", wide=True),
        Column("OFFERS", _joined("offers"), wide=True),
        Column("SEEN", lambda node: f"{node['seen_ms_ago']}ms" if "seen_ms_ago" in node else None, wide=True),
    ),
)
FACTORY = Noun(
    "factory",
    "name",
    (
        column("NAME", "name"),
        column("VERSION", "version"),
        column("BY", "created_by", cut=True),
        column("AGE", "created_at", "time"),
    ),
)
MONITOR = Noun(
    "monitor",
    "name",
    (
        column("NAME", "name"),
        column("STATE", "state", "state"),
        column("OWNER", "owner"),
        column("SEEN", "seen"),
        column("SETTLING", "settling"),
        column("SUBMITTED", "submitted"),
        column("LAST_FILE", "last_file", cut=True),
        column("FOLDER", "folder", wide=True),
        Column("FACTORIES", _joined("factories"), wide=True),
        column("LAST_ERROR", "last_error", wide=True),
    ),
)
VOLUME = Noun(
    "volume",
    "name",
    (
        column("NAME", "name"),
        column("NODE", "node"),
        column("STATE", "state", "state"),
        column("FREE", "free", "bytes"),
        column("TOTAL", "total", "bytes"),
        column("PATH", "path", cut=True),
        column("WHY", "why", wide=True),
    ),
)
FILE = Noun(
    "file",
    "place",
    (
        column("NAME", "name", cut=True),
        column("KIND", "kind"),
        column("SIZE", "bytes", "bytes"),
        column("PLACE", "place", wide=True),
        column("AGE", "modified_at", "time"),
    ),
)
EVENT = Noun(
    "event",
    "id",
    (
        column("ID", "id", wide=True),
        column("SEVERITY", "severity", "state"),
        column("KIND", "kind", wide=True),
        column("SUBJECT", "subject"),
        column("TEXT", "text"),
        column("AGE", "at", "time"),
    ),
)
ALERT = Noun(
    "alert",
    "id",
    (
        column("ID", "id"),
        column("KIND", "kind"),
        column("SUBJECT", "subject"),
        column("TEXT", "text"),
        column("ACKED", "acked_by"),
        column("CLEARED", "cleared_at", "time", wide=True),
        column("AGE", "at", "time"),
    ),
)
OUTPUT = Noun(
    "output",
    "path",
    (
        column("JOB", "job"),
        column("PRODUCT", "product"),
        column("PATH", "path"),
        column("SIZE", "bytes", "bytes"),
        column("SHA256", "sha256"),
    ),
)
ATTEMPT = Noun(
    "attempt",
    "number",
    (
        column("PRODUCT", "product"),
        column("ATTEMPT", "number"),
        column("NODE", "node"),
        column("STATE", "state", "state"),
        column("STARTED", "started_at", "time"),
        column("FINISHED", "finished_at", "time"),
        column("ERROR", "error"),
    ),
)
WHY = Noun(
    "node",
    "node",
    (
        column("PRODUCT", "product"),
        column("NODE", "node"),
        column("REASON", "why"),
        column("TEXT", "text"),
    ),
)


def outputs(job: Item) -> list[dict[str, Any]]:
    """What a job made: one item per product that is visible at its destination."""
    return [
        {"job": job["id"], "product": task["product"], **task["output"]}
        for task in job.get("tasks") or []
        if task.get("output") and task.get("state") == "succeeded"
    ]
