"""How far jobs are, as lines: pure; and the few escapes that redraw them in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TextIO

from fa.cli import terminal
from fa.cli.nouns import percent
from fa.cli.tables import Item
from fa.cli.times import clock
from fa.client.text import clean, fit, width

NAME_COLUMNS = 24
BAR_COLUMNS = 20
LINES_MAX = 20  # bars at a time; more would scroll


def bars(jobs: Iterable[Item], columns: int) -> list[str]:
    """A line per product that has not ended, running ones first; the last line counts the others."""
    tasks = [(job, task) for job in jobs for task in job.get("tasks") or []]
    open_ = [(job, task) for job, task in tasks if task["state"] not in ("succeeded", "failed", "cancelled")]
    open_.sort(key=lambda pair: pair[1]["state"] not in ("running", "publishing"))
    lines = [_bar(job, task, columns) for job, task in open_[:LINES_MAX]]
    ended = len(tasks) - len(open_)
    counts = f"{ended} of {len(tasks)} products done"
    more = f", {len(open_) - LINES_MAX} more to do" if len(open_) > LINES_MAX else ""
    return [*lines, fit(counts + more, columns)]


def _bar(job: Item, task: Item, columns: int) -> str:
    name = fit(f"{clean(job['id'])} {clean(task['product'])}", NAME_COLUMNS)
    share = min(max(float(task.get("progress") or 0.0), 0.0), 1.0)
    full = int(share * BAR_COLUMNS)
    bar = "━" * full + "─" * (BAR_COLUMNS - full)
    node = f" on {clean(task['node'])}" if task.get("node") else ""
    doing = f"{clean(task.get('phase') or task['state'])}{node}"
    eta = f" eta {clock(task['eta'])}" if task.get("eta") is not None else ""
    return fit(f"{name}{' ' * (NAME_COLUMNS - width(name))} {bar} {percent(share):>4} {doing}{eta}", columns)


def changes(was: Item | None, now: Item) -> Iterator[str]:
    """A line per product whose state, phase or node is another than before."""
    before = {task["product"]: _place(task) for task in (was or {}).get("tasks") or []}
    for task in now.get("tasks") or []:
        if before.get(task["product"]) != _place(task):
            state, phase, node = _place(task)
            where = f" on {clean(node)}" if node else ""
            doing = f" ({clean(phase)})" if phase else ""
            yield f"job/{clean(now['id'])} {clean(task['product'])}: {clean(state)}{doing}{where}"


def _place(task: Item) -> tuple[str, str, str]:
    running = task["state"] in ("running", "publishing")
    phase = task.get("phase") if running else None
    return str(task["state"]), str(phase or ""), str(task.get("node") or "")


class Live:
    """Lines that are redrawn in place on a terminal; nothing anywhere else (``moves`` says which)."""

    def __init__(self, stream: TextIO, env: Mapping[str, str]) -> None:
        self._stream = stream
        self._drawn: list[str] = []
        self.moves = stream.isatty() and env.get("TERM", "dumb") != "dumb"

    @property
    def columns(self) -> int:
        return terminal.columns() - 1

    def draw(self, lines: Sequence[str]) -> None:
        """Show these instead of the last ones; nothing is sent when they are the same."""
        if not self.moves or list(lines) == self._drawn:
            return
        up = f"\x1b[{len(self._drawn)}A" if self._drawn else ""
        self._stream.write(up + "".join(f"\r\x1b[K{line}\n" for line in lines) + "\x1b[J")
        self._stream.flush()
        self._drawn = list(lines)

    def end(self) -> None:
        """Take the lines away: the result says it better."""
        self.draw([])
