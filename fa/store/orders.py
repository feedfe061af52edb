"""The orders of a list of jobs: those that an index has, so that any page of them costs the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Key = int | str


@dataclass(frozen=True, slots=True)
class Order:
    """By `column`, then by id; `index` walks it. Jobs for which `only` does not hold are not in it."""

    column: str
    index: str
    down: bool
    ids_down: bool
    only: str = "TRUE"

    @property
    def by_id(self) -> bool:
        return self.column == "job.id"

    def turned(self) -> Order:
        """The same, read from its end."""
        return Order(self.column, self.index, not self.down, not self.ids_down, self.only)

    def beyond(self, key: Key, job: int) -> Iterator[tuple[str, tuple[Key, ...]]]:
        """What lies behind a job, as conditions that hold one after the other: the rest of its equals, then the rest.
        Each is one range of the index, which a condition with OR would not be."""
        if not self.by_id:
            yield f"{self.column} = ? AND job.id {_past(self.ids_down)} ?", (key, job)
        yield f"{self.column} {_past(self.down)} ?", (key,)

    def sql(self, column: str = "", job: str = "job.id") -> str:
        """After ORDER BY."""
        ids = f"{job} {_way(self.ids_down)}"
        return ids if self.by_id else f"{column or self.column} {_way(self.down)}, {ids}"


def _past(down: bool) -> str:
    return "<" if down else ">"


def _way(down: bool) -> str:
    return "DESC" if down else "ASC"


def _orders() -> Iterator[tuple[str, Order]]:
    """By the word of `sort=`, without its minus: upwards."""
    yield "id", Order("job.id", "", down=False, ids_down=False)
    yield "submitted", Order("job.id", "", down=False, ids_down=False)
    yield (
        "priority",
        Order("job.priority", "job_by_priority", down=False, ids_down=True),
    )  # downwards as the queue has it
    yield "finished", Order("job.finished_at", "job_finished", False, False, "job.finished_at IS NOT NULL")
    yield "factory", Order("job.factory", "job_by_factory", down=False, ids_down=False)
    yield "state", Order("job.state", "job_by_state", down=False, ids_down=False)


ORDERS: dict[str, Order] = {}
for _word, _order in _orders():
    ORDERS[_word], ORDERS[f"-{_word}"] = _order, _order.turned()
NEWEST = "-id"
