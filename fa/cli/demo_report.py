"""What came out of `fa demo`, held against the files on the volume."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fa.cli import tables
from fa.cli.context import Context
from fa.cli.nouns import outputs
from fa.cli.tables import Noun, column

RESULT = Noun(
    "output",
    "path",
    (
        column("JOB", "job"),
        column("FACTORY", "factory"),
        column("PRODUCT", "product"),
        column("STATE", "state", "state"),
        column("NODE", "node"),
        column("TRIES", "attempt"),
        column("SIZE", "bytes", "bytes"),
        column("SHA256", "checked"),
        column("FILE", "file", cut=True),
    ),
)


def report(context: Context, jobs: Sequence[Mapping[str, Any]], volume: Path) -> bool:
    """The table; whether every product is there with the bytes that were recorded, and nothing else."""
    rows = [row(job, task, volume) for job in jobs for task in job["tasks"]]
    context.print()
    for line in tables.render(RESULT, rows, context.look):
        context.print(line)
    context.print()
    for job in jobs:
        for task in job["tasks"]:
            if task.get("error"):
                context.say(f"job/{job['id']} {task['product']}: {task['error']}")
    extra = strays(rows, volume)
    for file in extra:
        context.say(f"{file} is on the volume, but no job made it.")
    return bool(rows) and all(each.get("checked") == "ok" for each in rows) and not extra


def row(job: Mapping[str, Any], task: Mapping[str, Any], volume: Path) -> dict[str, Any]:
    """One product of one job, and whether its file is what was recorded."""
    base: dict[str, Any] = {"job": job["id"], "factory": job["factory"]}
    base |= {name: task[name] for name in ("product", "state", "node", "attempt")}
    for output in outputs({**job, "tasks": [task]}):
        file = volume / str(output["path"]).partition(":")[2]
        found = {"bytes": output["bytes"], "file": str(file.relative_to(volume.parent)), "checked": check(file, output)}
        base |= found
    return base


def check(file: Path, output: Mapping[str, Any]) -> str:
    """Whether the file on the volume is what the array says it made."""
    if not file.is_file():
        return "MISSING"
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return "ok" if (digest, file.stat().st_size) == (output["sha256"], output["bytes"]) else "DIFFERS"


def strays(rows: Sequence[Mapping[str, Any]], volume: Path) -> list[str]:
    """Files in the folder of outputs that no row names: something made twice would be one."""
    known = {each.get("file") for each in rows}
    there = (str(path.relative_to(volume.parent)) for path in (volume / "out").rglob("*") if path.is_file())
    return sorted(file for file in there if file not in known)
