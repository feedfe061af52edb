"""A window of jobs: a few pages out of a million, joined by cursors, never by numbers. Pure.

The server pages by key (`after=`, `before=`): any page costs the same anywhere, and rows do not shift under the
operator when others come and go. Up to `PAGES` pages are kept, those around the cursor; the others can be asked for
again by the call that each page remembers for both its sides."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Literal

from fa.client import calls
from fa.client.calls import Call
from fa.tui.values import Job, read_list

PAGE_ROWS = 100
PAGES = 16

Side = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Order:
    """Which jobs, in which order; `sort` as the API takes it, "" = newest first. ``reversed`` reads from the end."""

    query: str = ""
    sort: str = ""
    reversed: bool = False

    @property
    def sent(self) -> str:
        wanted = self.sort or "-id"
        if not self.reversed:
            return self.sort
        return wanted[1:] if wanted.startswith("-") else f"-{wanted}"

    def call(self, after: str = "", before: str = "") -> Call:
        call = calls.list_jobs(q=self.query, limit=PAGE_ROWS, after=after, sort=self.sent)
        return call._replace(query={**call.query, "before": before}) if before else call


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as they are shown, and the calls for what lies above and below (None: nothing does)."""

    rows: tuple[Job, ...]
    up: Call | None
    down: Call | None


def read_page(order: Order, told: Any) -> Page:
    """A page out of an answer. Raises `BadAnswer`."""
    rows = read_list(Job, told)
    further, back = told.get("next"), told.get("prev")
    after = order.call(after=str(further)) if further else None
    before = order.call(before=str(back)) if back else None
    return Page(rows[::-1], after, before) if order.reversed else Page(rows, before, after)


class Window:
    """The rows that are loaded. `order` says how pages are to be read."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.rows: list[Job] = []
        self._pages: deque[Page] = deque()
        self._at: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def beyond(self, side: Side) -> Call | None:
        """The call for the next page on that side."""
        if not self._pages:
            return None
        return self._pages[0].up if side == "up" else self._pages[-1].down

    @property
    def whole(self) -> bool:
        """There is nothing beyond what is loaded."""
        return self.beyond("up") is None and self.beyond("down") is None

    def reset(self, page: Page) -> None:
        self._pages = deque([page])
        self._index()

    def add(self, side: Side, page: Page) -> int:
        """Join a page; the number of rows that came in above what was there (negative: that went)."""
        gone: tuple[Job, ...] = ()
        if side == "up":
            self._pages.appendleft(page)
            if len(self._pages) > PAGES:
                self._pages.pop()
            shift = len(page.rows)
        else:
            self._pages.append(page)
            if len(self._pages) > PAGES:
                gone = self._pages.popleft().rows
            shift = -len(gone)
        self._index()
        return shift

    def place(self, job: int) -> int | None:
        return self._at.get(job)

    def put(self, job: Job) -> bool:
        """Newer knowledge of a row, whether it is one here. Its place stays: the order is frozen until read anew."""
        at = self._at.get(job.id)
        if at is None:
            return False
        self.rows[at] = job
        self._pages = deque(_with(page, job) for page in self._pages)
        return True

    def _index(self) -> None:
        seen: set[int] = set()
        self.rows = [job for page in self._pages for job in page.rows if not (job.id in seen or seen.add(job.id))]  # type: ignore[func-returns-value]
        self._at = {job.id: at for at, job in enumerate(self.rows)}


def _with(page: Page, job: Job) -> Page:
    if all(row.id != job.id for row in page.rows):
        return page
    return replace(page, rows=tuple(job if row.id == job.id else row for row in page.rows))
