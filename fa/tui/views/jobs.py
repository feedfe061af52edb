"""Screen 2: a million jobs through a window. Filter, order, marks, follow; the preview of the chosen one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from fa.client import calls
from fa.errors import FaError
from fa.tui.host import Host, sentence
from fa.tui.line import Line, Span, crop, line, say
from fa.tui.marks import Chosen, Marks
from fa.tui.panel import frame, panel
from fa.tui.roll import Roll
from fa.tui.scene import Scene
from fa.tui.table import body, fitted, header
from fa.tui.values import Job, Selection, read, read_list
from fa.tui.views.job_cells import columns
from fa.tui.views.job_facts import preview
from fa.tui.window import Order, Side, Window, read_page

PREVIEW_ROWS = 30  # screens from this height on show the chosen job below the list
CATCH_UP = 80  # rows known to be old that are asked for in one tick: a query takes 1,000 characters

SORTS = {  # those that the array has an index for: there are no others
    "newest first": "-id",
    "oldest first": "id",
    "highest priority first": "-priority",
    "ended last first": "-finished",
    "by factory": "factory",
    "by state": "state",
}


class Jobs:
    name, title, needs = "jobs", "Jobs", ("status",)

    def __init__(self, host: Host) -> None:
        self.host = host
        self.window = Window(Order())
        self.roll = Roll()
        self.marks = Marks()
        self.newer: set[int] = set()
        self._asked_for: set[int] = set()  # what was newer when the list was asked for: its answer has them
        self.wide, self.following, self.trouble, self.loaded = False, True, "", False
        self._old: set[int] = set()
        self._asked = 0  # number of the list that is being read: answers to earlier ones are late
        self._reading = False
        self._busy: set[Side] = set()
        self._first_row = 2

    # what is drawn

    def lines(self, scene: Scene) -> list[Line]:
        size = scene.size
        below = 11 if size.height >= PREVIEW_ROWS else 0
        top = [self._filter_line(scene)]
        across, _ = frame(scene.boxed)
        room, height = size.width - across, size.height - below - len(top)
        rows = height - (3 if scene.boxed else 1)
        self.roll.fit(len(self.window), rows)
        self._first_row = len(top) + (2 if scene.boxed else 1)
        shown = fitted(columns(scene), room, self.wide)
        listing = [header(shown, room), *self._rows(shown, room)]
        main = panel(self._caption(scene), listing, size.width, height, True) if scene.boxed else listing
        lower = panel(*self._preview(scene, room), size.width, below, scene.boxed) if below else []
        return [*top, *main[:height], *[crop((), size.width)] * (height - len(main)), *lower]

    def _rows(self, shown: Any, room: int) -> list[Line]:
        if self.window.rows:
            return body(shown, self.window.rows, self.roll, room, lambda job: job.id in self.marks)
        if self.trouble:
            return [line(say(f"  {self.trouble}", "warn"))]
        if not self.loaded:
            return [line(Span("  asking the array…", "dim"))]
        return [line(Span("  no job matches; Esc clears the filter" if self.query else "  no job yet; n submits one"))]

    def _filter_line(self, scene: Scene) -> Line:
        parts = [Span(" / ", "key"), say(self.query or "all jobs", "title" if self.query else "dim")]
        if self.window.order.sort:
            parts += [Span("   sort "), say(self.window.order.sort, "title")]
        if self.marks:
            parts.append(Span(f"   ● {len(self.marks):,} marked", "mark"))
        if self.newer:
            count = "" if self.query else f"{len(self.newer)} "  # how many of them match is not known here
            parts.append(Span(f"   ▲ {count}newer (g)", "key"))
        if not scene.boxed:
            parts.append(Span(f"   {self._caption(scene)}", "dim"))
        return crop(tuple(parts), scene.size.width)

    def _caption(self, scene: Scene) -> str:
        """Where the cursor is. Far from the top there is no number: pages are joined by keys, not counted."""
        if not self.window.rows:
            return "Jobs"
        counts = scene.world.status.jobs
        total = f" of {counts.all:,}" if counts and not self.query else ""
        from_top = self.window.beyond("up") is None and not self.window.order.reversed
        return f"Jobs {f'{self.roll.at + 1:,}' if from_top else '…'}{total}"

    def _preview(self, scene: Scene, room: int) -> tuple[str, list[Line]]:
        job = self.what()
        return (f"Job {job.id}", preview(job, scene, room)) if job else ("", [])

    # what is asked

    @property
    def query(self) -> str:
        return self.window.order.query

    def opened(self) -> None:
        if not self.loaded:
            self.reload()

    def missed(self) -> None:
        """Something may have happened unheard: what was listed, or is being listed, is read again."""
        if self.loaded or self._reading:
            self.reload()

    def reload(self, order: Order | None = None) -> None:
        """Read the list anew from its top (or, with a reversed order, its end)."""
        order = order or self.window.order
        self._asked += 1
        self._reading = True
        self._asked_for |= self.newer
        self.newer.clear()
        self.host.send(order.call(), partial(self._first, self._asked, order), partial(self._failed, self._asked))

    def filter(self, query: str) -> None:
        if query != self.query:
            self.reload(Order(query.strip(), self.window.order.sort))

    def sort(self, sort: str) -> None:
        self.reload(Order(self.query, "" if sort == "-id" else sort))

    def _first(self, asked: int, order: Order, told: Any) -> None:
        if asked != self._asked:
            return
        self._reading = False
        page = read_page(order, told)
        if self.marks.chosen and self.marks.chosen.query != order.query:
            self.marks.clear()
            self.host.toast("the filter changed: what was marked as a whole is unmarked")
        same, kept = order == self.window.order and not order.reversed, self.what()
        self.window = Window(order)
        self.window.reset(page)
        self.trouble, self.loaded = "", True
        self._asked_for.clear()
        # what was heard of while the page was on its way may be missing on it
        self.newer = {number for number in self.newer if self.window.place(number) is None}
        self._old.clear()
        self._busy.clear()
        self.roll.fit(len(self.window), self.roll.height)
        place = self.window.place(kept.id) if kept and same and self.roll.at else None
        self.roll.at = len(self.window) - 1 if order.reversed else place or 0
        self.roll.show()

    def _failed(self, asked: int, error: FaError) -> None:
        if asked == self._asked:
            self.trouble, self._reading = sentence(error), False
            self.newer |= self._asked_for
            self._asked_for.clear()
            if self.window.rows:
                self.host.toast(self.trouble, "warn")

    def _look_ahead(self) -> None:
        """Ask for the next page when the cursor comes within a screen of an edge."""
        if self.roll.at + 2 * self.roll.height >= len(self.window):
            self._more("down")
        if self.roll.at < 2 * self.roll.height:
            self._more("up")

    def _more(self, side: Side) -> None:
        call = self.window.beyond(side)
        if call is None or side in self._busy:
            return
        self._busy.add(side)
        self.host.send(call, partial(self._joined, self._asked, side), lambda error: self._busy.discard(side))

    def _joined(self, asked: int, side: Side, told: Any) -> None:
        if asked != self._asked:
            return
        self._busy.discard(side)
        shift = self.window.add(side, read_page(self.window.order, told))
        self.roll.shift(shift)
        self.roll.fit(len(self.window), self.roll.height)

    # what happens

    def heard(self, topic: str, data: Any) -> None:
        if topic != "job" or not isinstance(data, Mapping) or not isinstance(data.get("id"), int):
            return
        number = int(data["id"])
        if self.window.place(number) is None:
            self._perhaps_newer(number)
        elif "tasks" in data:
            self.window.put(read(Job, data))
        else:
            self._old.add(number)

    def _perhaps_newer(self, number: int) -> None:
        """A job that is not on these pages: newer than all, or one that has begun to match."""
        rows, order = self.window.rows, self.window.order
        at_top = not order.sort and not order.reversed and self.window.beyond("up") is None
        if at_top and (self.query or not rows or number > rows[0].id):
            self.newer.add(number)

    def tick(self) -> None:
        at_top = self.following and self.roll.at == 0 and not self.marks
        if self.newer and at_top and not self._reading:  # over a slow link an answer must have the time to come
            self.reload()
        near = {job.id for job in self.window.rows[self.roll.top : self.roll.top + self.roll.height]}
        wanted = sorted(self._old, key=lambda number: (number not in near, number))[:CATCH_UP]
        if wanted:
            self._old -= set(wanted)
            query = "id:" + ",".join(map(str, wanted))
            self.host.send(calls.list_jobs(q=query, limit=CATCH_UP), self._renewed, lambda error: None)

    def _renewed(self, told: Any) -> None:
        for job in read_list(Job, told):
            self.window.put(job)

    # what the person does

    def move(self, key: str) -> bool:
        if key == "home" and (self.newer or self.window.beyond("up")):
            self.following = True
            self.roll.at = 0
            self.reload(replace(self.window.order, reversed=False))
        elif key == "end" and self.window.beyond("down"):
            self.reload(replace(self.window.order, reversed=True))
        else:
            self.roll.key(key)
            self._look_ahead()
        return True

    def act(self, action: str) -> bool:
        job = self.what()
        match action:
            case "mark" if job:
                self._say(self.marks.toggle(job))
                self.roll.move(1)
                self._look_ahead()
            case "mark.range" if job:
                self._mark_range()
            case "mark.all":
                self._mark_all()
            case "mark.none":
                self.marks.clear()
            case "wide":
                self.wide = not self.wide
            case "follow":
                self.following = not self.following
                self.host.toast("following new jobs" if self.following else "no longer following; g goes to the top")
            case "back":
                return self._back()
            case _:
                return False
        return True

    def _back(self) -> bool:
        if self.marks:
            self.marks.clear()
        elif self.query:
            self.filter("")
        else:
            return False
        return True

    def _say(self, why_not: str) -> None:
        if why_not:
            self.host.toast(why_not, "warn")

    def _mark_range(self) -> None:
        last = next(reversed(self.marks.jobs), None)
        start = self.window.place(last) if last is not None else None
        start = self.roll.at if start is None else start
        low, high = sorted((start, self.roll.at))
        self._say(self.marks.add(self.window.rows[low : high + 1]))

    def _mark_all(self) -> None:
        """What is done later is done to what is listed now. A list that is here whole is marked by its ids, which can
        be taken back; of a longer one the array keeps the set."""
        if self.window.rows and self.window.whole and not self.marks.chosen:
            self._say(self.marks.add(self.window.rows))
            self.host.toast(f"{len(self.marks):,} marked")
        else:
            self.host.send(calls.select_jobs(self.query), partial(self._selected, self.query))

    def _selected(self, query: str, told: Any) -> None:
        if query != self.query:
            return  # the filter was changed meanwhile
        kept = read(Selection, told)
        if not kept.count:
            self.host.toast("no job matches")
            return
        self.marks.choose(Chosen(kept, query))
        self.host.toast(f"{kept.count:,} marked: all that match now, and none that come later")

    def click(self, row: int) -> None:
        at = self.roll.top + row - self._first_row
        if row >= self._first_row and at < len(self.window):
            self.roll.at = at

    def what(self) -> Job | None:
        rows = self.window.rows
        return rows[self.roll.at] if 0 <= self.roll.at < len(rows) else None
