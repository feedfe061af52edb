"""What dispatch costs as the queue grows: `python -m bench.scheduling [--tasks 1000000]`.

An array of 200 nodes and 50 factories, the real dispatcher over the real ledger on SQLite, carried out at once. Prints
microseconds of CPU per task, with a queue of 1,000 tasks and with a long one: to fill all open slots, and to give one
slot that has become open the next task, its report and its grant included. Aim: within 20 %, however long the queue."""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections import deque
from pathlib import Path
from statistics import median

from bench.store import transaction
from fa.core import commands as c
from fa.core import work as w
from fa.core.dispatcher import Dispatcher
from fa.core.ledger import Ledger, Outcome
from fa.core.model import NewJob, NodeMode, NodeRow, NodeView, Output
from fa.core.position import EMPTY
from fa.core.recipe import known_encoders, known_filters
from fa.errors import FaError
from fa.node.active import active_of
from fa.replication.connection import open_writer
from fa.replication.writer import POSITION_TABLE
from fa.store.migrations import migrate
from fa.store.tables import SqliteTables

NODES, FACTORIES, SLOTS, ROUNDS = 200, 50, 4, 400
AT = 1_700_000_000_000
OFFERS = frozenset(
    {"volume:san", "source:san"}
    | {f"encoder:{name}" for name in known_encoders()}
    | {f"filter:{name}" for name in known_filters()}
)
RECIPE = """
name = "f{0}"
[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "san:out/{{job}}.mp4"
"""


class Array:
    """A coordinator whose commits are carried out at once; what it says to nodes is collected."""

    def __init__(self, path: Path) -> None:
        self.connection = open_writer(path)
        self.connection.execute("PRAGMA synchronous = OFF")  # the cost of deciding, not of this disk
        with transaction(self.connection):
            self.connection.execute(POSITION_TABLE)
            migrate(self.connection)
        self.ledger = Ledger(SqliteTables(self.connection))
        self.dispatcher = Dispatcher("n000")
        self.orders: deque[c.Order] = deque()
        self.now = 1.0

    def step(self, event: w.WorkEvent) -> None:
        effects = deque(self.dispatcher.step(event, w.Moment(self.now, AT)))
        while effects:
            effect = effects.popleft()
            if isinstance(effect, w.Commit):
                done = w.Carried(effect.tag, self._apply(effect.command), EMPTY)
                effects += self.dispatcher.step(done, w.Moment(self.now, AT))
            elif isinstance(effect, w.LoadActive):
                loaded = active_of(SqliteTables(self.connection))
                effects += self.dispatcher.step(loaded, w.Moment(self.now, AT))
            elif isinstance(effect, w.Tell) and isinstance(effect.message, c.Order):
                self.orders.append(effect.message)

    def _apply(self, command: c.Command) -> Outcome | FaError:
        try:
            return self.ledger.apply(command)
        except FaError as error:
            return error

    def set_up(self) -> None:
        with transaction(self.connection):
            for number in range(FACTORIES):
                self.ledger.apply(c.SaveFactory(RECIPE.format(number), AT))
                self.ledger.apply(c.SubmitJobs((NewJob("san:in/first.mxf", f"f{number}"),), AT))
            for number in range(NODES):
                row = NodeRow(f"n{number:03}", NodeMode.UP, "", AT, index=number)
                self.ledger.apply(c.PutNode(row, AT))

    def fill(self, tasks: int) -> None:
        """Queue `tasks` tasks by SQL, mixed over the factories."""
        with transaction(self.connection):
            numbers = f"WITH RECURSIVE n(i) AS (SELECT {FACTORIES + 1} UNION ALL SELECT i + 1 FROM n WHERE i < {tasks})"
            self.connection.execute(
                f"{numbers} INSERT INTO job (factory, factory_version, source, state, priority, submitted_at) "
                f"SELECT 'f' || (i % {FACTORIES}), 1, 'san:in/' || i, 'queued', 50, ? FROM n",
                (AT,),
            )
            self.connection.execute(
                "INSERT INTO task (job_id, ordinal, product, state, priority, group_id, cost, destination) "
                "SELECT job.id, 0, 'proxy', 'queued', 50, task_group.id, 1, 'san:out/' || job.id || '.mp4' "
                "FROM job JOIN task_group ON task_group.factory = job.factory WHERE job.id > ?",
                (FACTORIES,),
            )
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def gather(self) -> None:
        """All nodes are there and say what they can do."""
        self.step(w.Served(1))
        self.step(w.Paused(True))
        for number in range(NODES):
            name = f"n{number:03}"
            self.step(w.Told(name, w.WorkBeat(name, 1, 1, 1, 1)))
            offered = NodeView(name, (("cpu", SLOTS),), boot=1, offers=OFFERS)
            self.step(w.Told(name, w.Offer(1, offered, "", "")))

    def finish(self, order: c.Order) -> None:
        """Its node reports it done, is granted, and reports it published; the slot goes to the next task."""
        made = Output(order.destination, 1, "00" * 32)
        part = f"san:.fa/part/{order.task}"
        for kind in (w.ReportKind.WANTS_PUBLISH, w.ReportKind.PUBLISHED):
            self.step(w.Told(order.node, w.Report(order.node, order.task, order.attempt, kind, part, made)))


def measure(tasks: int) -> dict[str, float]:
    """Microseconds of CPU per task."""
    with tempfile.TemporaryDirectory() as folder:
        array = Array(Path(folder) / "fa.db")
        array.set_up()
        array.fill(max(tasks, NODES * SLOTS + ROUNDS))
        array.gather()
        with transaction(array.connection):
            start = time.thread_time()
            array.step(w.Paused(False))
            filled = (time.thread_time() - start) / len(array.orders) * 1e6
            each = [_one(array) for _ in range(ROUNDS)]
        array.connection.close()
    return {"all open slots": filled, "one at a time": median(each) * 1e6}


def _one(array: Array) -> float:
    order = array.orders.popleft()
    start = time.thread_time()
    array.finish(order)
    return time.thread_time() - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--tasks", type=int, default=1_000_000, help="length of the long queue")
    arguments.add_argument("--rounds", type=int, default=3, help="of each length in turns; the median counts")
    options = arguments.parse_args()
    longest = options.tasks
    measured = [(measure(1_000), measure(longest)) for _ in range(options.rounds)]
    short, long = ({what: median(each[what] for each in one) for what in one[0]} for one in zip(*measured, strict=True))
    print(f"{NODES} nodes of {SLOTS} slots, {FACTORIES} factories; SQLite {sqlite3.sqlite_version}")
    for what, us in short.items():
        ratio = long[what] / us
        print(f"  {what:15} {us:7.0f} us a task with 1,000 queued, {long[what]:7.0f} with {longest:,}: {ratio:.2f}")


if __name__ == "__main__":
    main()
