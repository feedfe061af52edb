"""After failovers under load, the replica directory of each node gives the store of now and of earlier times: by our
own restore, and by the stock `litestream` binary under ``ulimit -n 1024``, with the same rows in every table."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fa.node.clock import wall_ms
from fa.replication.directory import ReplicaDirectory
from fa.replication.litestream import find_program
from fa.replication.plan import newest_txid
from tests.e2e import kit
from tests.e2e.load import Load, check_exactly_once
from tests.e2e.test_failover import BODY, WAITS

TRANSACTIONS = 1000
FILES_MAX = 1024
Rows = Mapping[str, Sequence[sqlite3.Row]]
"""Of every table, by its name."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time during the load: ms since 1970, and monotonic seconds as the acknowledgements have them."""

    ms: int
    mono: float

    @property
    def text(self) -> str:
        return self._stamp(0)

    @property
    def just_after(self) -> str:
        """For Litestream, which restores what is strictly before a time; ours is at or before it."""
        return self._stamp(1)

    def _stamp(self, more: int) -> str:
        at = datetime.fromtimestamp((self.ms + more) / 1000, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_every_node_restores_now_and_then(array: kit.Array, tmp_path: Path) -> None:
    array.found("a", "--slots", "1", "--witness", "volume:san")
    array.join("b", "--slots", "1")
    array.wait_mirror()
    kit.wait_until("the volume votes", lambda: len(array["a"].get("/v1/mirror")["voters"]) == 3)
    array.coordinator().post("/v1/factories", WAITS)
    with Load(array, BODY, clients=4) as load:
        moments = [_killed_under_load(array, part) for part in range(1, 4)]
    check_exactly_once(load, array.coordinator())

    store = _rows(array.coordinator().root / "store" / "fa.db", live=True)
    txid = store["position"][0]["txid"]
    for node in array.nodes:
        kit.wait_until(f"{node.name} has it", lambda at=node.root / "replica": _newest(at) >= txid)  # type: ignore[misc]
        assert _restored(node, tmp_path / f"{node.name}-now", txid) == store, f"{node.name} restores other rows"
    jobs = [(job["id"], job["state"], job["source"]) for job in array.coordinator().jobs()]
    assert [(job["id"], job["state"], job["source"]) for job in store["job"]] == jobs
    for number, moment in enumerate(moments):
        then = {node.name: _restored(node, tmp_path / f"{node.name}-{number}", moment) for node in array.nodes}
        assert then["a"] == then["b"], f"two histories at {moment.text}"
        _check_bounds({job["id"] for job in then["a"]["job"]}, load, moment)
    told = array["b"].fa("mirror", "verify", "--dir", str(array["b"].root))
    assert told.count(": well.") == 2, "of each copy, whoever is asked"


def _killed_under_load(array: kit.Array, part: int) -> Moment:
    """A third of the transactions later: a moment of load, then the coordinator dies and comes back."""
    wanted = part * TRANSACTIONS // 3
    kit.wait_until("transactions are made", lambda: array.coordinator().get("/v1/mirror")["txid"] > wanted)
    moment = Moment(wall_ms(), time.monotonic())
    victim = array.coordinator()
    victim.kill()
    victim.start()
    array.wait_mirror()
    return moment


def _restored(node: kit.Node, out: Path, at: Moment | int) -> Rows:
    """The store of a moment, or after a transaction, as both tools restore it; they agree."""
    ours, stock = out.with_suffix(".ours"), out.with_suffix(".stock")
    when = at.text if isinstance(at, Moment) else f"txid:{at}"
    node.fa("mirror", "restore", str(ours), "--at", when, "--dir", str(node.root))
    stamp = ["-timestamp", at.just_after] if isinstance(at, Moment) else ["-txid", f"{at:016x}"]
    words = [str(find_program()), "restore", "-o", str(stock), *stamp, f"file://{node.root / 'replica'}"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, preexec_fn=_few_files)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert _rows(ours) == _rows(stock)
    return _rows(ours)


def _few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))


def _newest(directory: Path) -> int:
    return newest_txid(ReplicaDirectory(directory, read_only=True).files(0))


def _rows(database: Path, live: bool = False) -> Rows:
    """All of one moment; `live`: of the store of a node that runs, with what is in SQLite's log."""
    how = "mode=ro" if live else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"file:{database}?{how}", uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        assert {"job", "task", "event", "position"} <= set(names)
        connection.row_factory = sqlite3.Row
        return {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=_order) for name in names}


def _order(row: sqlite3.Row) -> tuple[tuple[str, Any], ...]:
    """An order for rows of any types."""
    return tuple((type(value).__name__, value) for value in row)


def _check_bounds(jobs: set[int], load: Load, moment: Moment) -> None:
    """All that was acknowledged before the moment is there, and nothing that was not asked for yet."""
    before = {ack.job for ack in load.acknowledged if ack.ended < moment.mono}
    after = {ack.job for ack in load.acknowledged if ack.began > moment.mono}
    assert before <= jobs, f"missing at {moment.text}: {sorted(before - jobs)[:10]}"
    assert not jobs & after, f"too early at {moment.text}: {sorted(jobs & after)[:10]}"
