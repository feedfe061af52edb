"""A job alone: tabs Log, Attempts, Facts, Graph, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fa.client import calls
from fa.client.text import clean_json, clean_lines
from fa.errors import FaError
from fa.tui.graph import graph
from fa.tui.host import Host
from fa.tui.line import Line, Span, cell, crop, exactly, line, say, tail, wrapped
from fa.tui.log import CHUNK, Log
from fa.tui.look import JOBS, badge_of
from fa.tui.roll import Roll, Scroll
from fa.tui.scene import Scene
from fa.tui.table import Column, body, fitted, header, text
from fa.tui.values import Attempt, Job, Task, read
from fa.tui.views.job_cells import STATE_COLUMNS, lead, state
from fa.tui.views.job_facts import details
from fa.tui.views.page import Page, tab_line, turned

TABS = ("Log", "Attempts", "Facts", "Graph", "JSON")


class JobView(Page):
    name, needs = "job", ("status",)

    def __init__(self, host: Host, job: Job, tab: str = "Log") -> None:
        super().__init__(host, f"Job {job.id}")
        self.job, self.tab = job, tab
        self.roll, self.scroll = Roll(), Scroll(follows=True)
        self.log: Log | None = None
        self.chosen: tuple[str, int] | None = None  # product and attempt whose log is shown
        self._told: Any = None
        self._busy, self._old, self._last_words = False, False, False

    # what is drawn

    def lines(self, scene: Scene) -> list[Line]:
        room, height = scene.size.width, scene.size.height - 2
        if self.tab == "Attempts":
            rows = self._attempt_lines(scene, room)
        else:
            rows = self._text(scene, room, height)
        return [self._head(room), self._tabs(room), *exactly(rows, height, room)]

    def _text(self, scene: Scene, room: int, height: int) -> list[Line]:
        """The part of a text that is on the screen; a log of a million lines is not drawn whole."""
        if self.tab == "Log" and self.log and self.log.lines and not self.trouble:
            self.scroll.fit(len(self.log.lines), height)
            shown = self.log.lines[self.scroll.top : self.scroll.top + height]
            return [tail(line(Span(clean_lines(each))), self.scroll.left) for each in shown]
        rows = {
            "Log": self._no_log_lines,
            "Facts": lambda scene, room: details(self.job, scene, room),
            "Graph": self._graph_lines,
            "JSON": self._json_lines,
        }[self.tab](scene, room)
        return self.shown(rows, height)

    def _head(self, room: int) -> Line:
        job = self.job
        head = line(Span(" "), state(job, 7), say(f"{job.id}  {job.factory}  pri {job.priority}  ", "title"))
        return crop((*head, cell(job.source, max(0, room - 30), keep_tail=True)), room)

    def _tabs(self, room: int) -> Line:
        told = f"  {self.chosen[0]}, attempt {self.chosen[1]}" if self.tab == "Log" and self.chosen else ""
        return tab_line(TABS, self.tab, room, say(told, "dim"))

    def _no_log_lines(self, scene: Scene, room: int) -> list[Line]:
        if self.trouble:
            return wrapped(self.trouble, room, "warn")
        if self.log is None:
            waits = "asking for the log…" if self.chosen else "nothing was begun yet; W says why"
            return [line(Span(f"  {waits}", "dim"))]
        return [line(Span("  the log is empty", "dim"))]

    def _attempt_lines(self, scene: Scene, room: int) -> list[Line]:
        columns: list[Column[Attempt]] = [
            text("PRODUCT", 12, lambda each: each.product),
            text("TRY", 3, lambda each: each.number, right=True),
            text("NODE", 8, lambda each: each.node),
            Column("STATE", STATE_COLUMNS, lambda each, room: (badge_of(JOBS, each.state, room),)),
            text("BEGAN", 11, lambda each: scene.clock.time(each.started_at), "dim"),
            text("ENDED", 11, lambda each: scene.clock.time(each.finished_at), "dim"),
            text("ERROR", 10, lambda each: (each.error or "-").strip().split("\n")[-1], grow=1),
        ]
        attempts = self.job.attempts
        self.roll.fit(len(attempts), scene.size.height - 3)
        shown = fitted(columns, room)
        if not attempts:
            return [header(shown, room), line(Span("  no attempt yet; W says why", "dim"))]
        return [header(shown, room), *body(shown, attempts, self.roll, room)]

    def _graph_lines(self, scene: Scene, room: int) -> list[Line]:
        rows: list[Line] = []
        for task in self.job.tasks:
            samples = scene.world.samples.get(task.id, ())
            rows.append(line(badge_of(JOBS, task.state, 7), say(task.product, "title")))
            speeds = [sample.fps for sample in samples]
            if speeds:
                rows += graph(speeds, room - 2, max(4, (scene.size.height - 6) // max(1, len(self.job.tasks))), "fps")
            else:
                rows.append(line(Span("  no speed seen since the dashboard was opened", "dim")))
        return rows

    def _json_lines(self, scene: Scene, room: int) -> list[Line]:
        if self._told is None:
            return [line(Span("  asking the array…", "dim"))]
        dumped = clean_json(json.dumps(self._told, indent=2, ensure_ascii=False))
        return [line(Span(each)) for each in dumped.split("\n")]

    # what is asked

    def opened(self) -> None:
        self.host.send(calls.show_job(self.job.id), self._shown, self.failed)

    def _shown(self, told: Any) -> None:
        was = self.job.state
        self.job, self._told = read(Job, told), told
        self._last_words = was == "running" != self.job.state
        if self.chosen is None:
            self.choose(lead(self.job))

    def choose(self, task: Task, attempt: int | None = None) -> None:
        """Read the log of an attempt, from its end."""
        number = attempt or task.attempt
        if not number:
            return
        self.chosen, self.log, self.trouble = (task.product, number), None, ""
        call = calls.attempt_log(self.job.id, number, task.product, offset=-CHUNK)
        self.host.send(call, self._tail, self._no_log, raw=True)

    def _no_log(self, error: FaError) -> None:
        self._busy = False
        self.failed(error)

    def _tail(self, reply: Any) -> None:
        self.log = Log()
        self.log.fresh(reply.body, reply.headers)

    def _earlier(self) -> None:
        above = self.log.before() if self.log else None
        if above is None or self._busy or self.chosen is None:
            return
        self._busy = True
        offset, limit = above
        product, number = self.chosen
        self.host.send(_part(self.job.id, number, product, offset, limit), self._above, self._no_log, raw=True)

    def _above(self, reply: Any) -> None:
        self._busy = False
        if self.log:
            self.scroll.shift(self.log.earlier(reply.body))

    def _below(self, reply: Any) -> None:
        self._busy = False
        if self.log and reply.body:
            self.scroll.shift(-self.log.later(reply.body))

    def tick(self) -> None:
        """While it runs, the end of the log is asked for, and the job itself when it changed."""
        if self._old:
            self._old = False
            self.opened()
        grows = self.job.state == "running" or self._last_words
        if self.tab == "Log" and self.log and self.chosen and not self._busy and grows:
            self._busy, self._last_words = True, False
            product, number = self.chosen
            call = _part(self.job.id, number, product, self.log.end, CHUNK)
            self.host.send(call, self._below, self._after_end, raw=True)

    def _after_end(self, error: FaError) -> None:
        """Nothing new (416 of some servers), or no answer now: the next tick asks again."""
        self._busy = False

    def heard(self, topic: str, data: Any) -> None:
        if topic == "job" and isinstance(data, Mapping) and data.get("id") == self.job.id:
            self._old = True

    # what the person does

    def move(self, key: str) -> bool:
        if self.tab == "Attempts":
            return self.roll.key(key)
        moved = self.scroll.key(key)
        if self.tab == "Log" and self.scroll.top < self.scroll.height:
            self._earlier()
        return moved

    def act(self, action: str) -> bool:
        match action:
            case "tab.next" | "tab.previous":
                self._turn(turned(TABS, self.tab, action))
            case "job.attempts":
                self._turn("Attempts")
            case "job.log":
                self._turn("Log")
            case "open" if self.tab == "Attempts" and self.job.attempts:
                self._open_attempt(self.job.attempts[self.roll.at])
            case "attempt.older":
                self._step(-1)
            case "attempt.newer":
                self._step(1)
            case _:
                return False
        return True

    def _turn(self, tab: str) -> None:
        self.tab, self.roll, self.scroll = tab, Roll(), Scroll(follows=tab == "Log")

    def _open_attempt(self, attempt: Attempt) -> None:
        self._turn("Log")
        for task in self.job.tasks:
            if task.product == attempt.product:
                self.choose(task, attempt.number)

    def _step(self, step: int) -> None:
        if self.chosen is None:
            return
        product, number = self.chosen
        for task in self.job.tasks:
            if task.product == product and 1 <= number + step <= task.attempt:
                self._turn("Log")
                self.choose(task, number + step)

    def click(self, row: int) -> None:
        if self.tab == "Attempts" and 0 <= self.roll.top + row - 3 < self.roll.count:
            self.roll.at = self.roll.top + row - 3

    def what(self) -> Job:
        return self.job


def _part(job: int, attempt: int, product: str, offset: int, limit: int) -> calls.Call:
    call = calls.attempt_log(job, attempt, product, limit=limit)
    return call._replace(query={**call.query, "offset": str(offset)})
