"""Rot in the database file of the node that writes to it: looked for, and never built upon.

A disk may give other bytes than were written. The rolling checksum does not see that by itself: it takes out the
*recorded* sum of a page that is rewritten, so a page that rotted, was read by SQLite and written again would look right
here and on every copy. Two looks, both in the writer's thread:

* *Before a commit leaves*: of each page that it changed for the first time since the last checkpoint, the file still
  has what was there before, and that must be what was written (about 4 µs each; most pages of a commit are changed
  again and again and cost nothing). Pages that are only read are not looked at each time: for those there is
* *the scrub*: the whole file, hourly, some pages at a time between two commits.

Pages whose newest content is in SQLite's log alone are left out; a checkpoint brings them back.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from fa.replication.checksum import PageSums, lock_page, page_sum
from fa.replication.errors import StoreRotten

NAMED = 5
"""Of so many pages the numbers are told; a disk that rots has many."""


def rotten_pages(fd: int, sums: PageSums, first: int, last: int, besides: Collection[int]) -> list[int]:
    """Those of the pages ``first`` to ``last`` that are not what was written; ``besides`` are not looked at."""
    size = sums.page_size
    raw = memoryview(os.pread(fd, (last - first + 1) * size, (first - 1) * size))
    skip = lock_page(size)
    return [
        number
        for number in range(first, last + 1)
        if number not in besides
        and number != skip
        and page_sum(number, raw[(number - first) * size :][:size]) != sums.of(number)
    ]


def sentence(rotten: Iterable[int]) -> str:
    """What was found, for people."""
    numbers = sorted(rotten)
    named = ", ".join(map(str, numbers[:NAMED])) + (", …" if len(numbers) > NAMED else "")
    pages = "page is" if len(numbers) == 1 else "pages are"
    return f"{len(numbers)} {pages} not what was written to the file of the store ({named}): the disk rots."


class RotWatch:
    """Holds the file that SQLite writes to against the sums of its pages.

    The descriptor is opened when SQLite has the file open and closed only after it: closing one drops every POSIX lock
    that the process holds on the file.
    """

    def __init__(self, db_path: Path) -> None:
        self._fd = os.open(db_path, os.O_RDONLY | os.O_CLOEXEC)
        self._logged: set[int] = set()

    def about_to_change(self, numbers: Iterable[int], sums: PageSums) -> None:
        """A commit, which is in SQLite's log by now, changed these pages of the state with these sums. Raises
        ``StoreRotten``: nobody knows what it was made of then, and it must not leave this node."""
        for number in numbers:
            if number not in self._logged:
                self._logged.add(number)
                if number <= sums.pages and rotten_pages(self._fd, sums, number, number, ()):
                    raise StoreRotten(sentence([number]))

    def checkpointed(self) -> None:
        """All that was in SQLite's log is in the file."""
        self._logged.clear()

    def look(self, sums: PageSums, first: int, count: int) -> tuple[list[int], int]:
        """Which of ``count`` pages from ``first`` on are rotten, and where to go on: at 1 after the last."""
        last = min(first + count - 1, sums.pages)
        rotten = rotten_pages(self._fd, sums, first, last, self._logged) if first <= last else []
        return rotten, last + 1 if last < sums.pages else 1

    def read(self, first: int, count: int, page_size: int) -> bytes:
        """Pages of the file as it is; fewer at its end."""
        return os.pread(self._fd, count * page_size, (first - 1) * page_size)

    def close(self) -> None:
        os.close(self._fd)
