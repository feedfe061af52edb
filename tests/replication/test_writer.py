"""The write path: group commit, answers, brakes, and what happens when something breaks."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from fa.core.position import Position
from fa.replication.checksum import scan
from fa.replication.errors import NotStarted, OutcomeUnknown, WALError, WriterError
from fa.replication.segment import decode
from fa.replication.state import PAGE_SIZE
from fa.replication.writer import Limits
from tests.replication.conftest import Answer, Bench, insert, wait_for


def test_a_work_is_committed_shipped_and_answered_with_its_position(bench: Bench) -> None:
    answer = bench.begin(insert("one"))
    assert answer.result() == 1
    envelope, ltx = bench.shipped[-1]
    assert answer.position == envelope.after == bench.writer.position
    assert decode(ltx).header.max_txid == envelope.max_txid == 2
    assert bench.rows() == [(1, "one")]


def test_segments_form_a_chain_of_positions(bench: Bench) -> None:
    for number in range(5):
        bench.do(insert(str(number)))
    envelopes = [envelope for envelope, _ in bench.shipped]
    assert envelopes[0].before == Position(0, 0)
    assert [e.before for e in envelopes[1:]] == [e.after for e in envelopes[:-1]]
    stamps = [e.timestamp for e in envelopes]
    assert stamps == sorted(set(stamps))


def test_the_checksum_is_that_of_the_checkpointed_file(bench: Bench) -> None:
    for number in range(50):
        bench.do(insert("x" * 300 + str(number)))
    position = bench.writer.position
    bench.close()
    raw = bench.db.read_bytes()
    sums = scan(lambda size, offset: raw[offset : offset + size], PAGE_SIZE, len(raw))
    assert sums.checksum == position.checksum


def test_the_position_table_tells_readers_what_they_see(bench: Bench) -> None:
    bench.do(insert("one"))
    assert bench.sql("SELECT txid, epoch FROM position") == [(2, 1)]


def test_a_failing_work_undoes_only_itself(fast_home: Path) -> None:
    bench = Bench(fast_home / "a")

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t (a) VALUES ('half')")
        raise ValueError("changed my mind")

    answers = [bench.begin(insert("one")), bench.begin(half), bench.begin(insert("one")), bench.begin(insert("two"))]
    bench.writer.open_epoch(1)
    assert answers[0].result() == 1
    with pytest.raises(ValueError, match="changed my mind"):
        answers[1].result()
    with pytest.raises(sqlite3.IntegrityError):
        answers[2].result()
    answers[3].result()
    assert [text for _, text in bench.rows()] == ["one", "two"]
    assert len({answer.position for answer in answers}) == 1, "one group"
    bench.close()


def test_a_constraint_found_by_commit_fails_only_its_work(fast_home: Path) -> None:
    def tables(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a TEXT)")
        connection.execute("CREATE TABLE c (p INTEGER REFERENCES t DEFERRABLE INITIALLY DEFERRED)")

    bench = Bench(fast_home / "a", migrate=tables)
    first = bench.begin(insert("one"))
    orphan = bench.begin(lambda connection: connection.execute("INSERT INTO c VALUES (77)").rowcount)
    second = bench.begin(insert("two"))
    bench.writer.open_epoch(1)
    assert (first.result(), second.result()) == (1, 2)
    with pytest.raises(sqlite3.IntegrityError):
        orphan.result()
    assert not bench.dead
    bench.close()


def test_a_group_that_writes_nothing_commits_nothing(bench: Bench) -> None:
    bench.do(insert("one"))
    before = bench.writer.position
    assert bench.sql("SELECT a FROM t") == [("one",)]
    assert bench.writer.position == before
    bench.sql("PRAGMA user_version = 7")
    assert bench.writer.position.txid == before.txid + 1, "a change that moves no row is one all the same"


def test_answers_wait_for_the_acknowledgement_and_come_in_order(fast_home: Path) -> None:
    bench = Bench(fast_home / "a", own_ack=False, limits=Limits(in_flight=4))
    bench.writer.open_epoch(1)
    order: list[int] = []
    answers = []
    for number in range(3):
        answers.append(bench.begin(insert(str(number))))
        bench.wait_shipped(number + 2)
    bench.writer.submit(lambda c: c.execute("SELECT max(id) FROM t").fetchone()[0], lambda o, p: order.append(o))
    assert not any(answer.came for answer in answers)
    assert not order
    bench.writer.acknowledge(bench.shipped[1][0].after)
    assert [answer.came for answer in answers] == [True, False, False]
    bench.writer.acknowledge(bench.writer.position)
    assert all(answer.came for answer in answers)
    wait_for(lambda: order == [3])
    bench.close()


def test_no_more_than_the_limit_travels(fast_home: Path) -> None:
    bench = Bench(fast_home / "a", own_ack=False, limits=Limits(in_flight=2, group=1))
    bench.writer.open_epoch(1)
    answers = [bench.begin(insert(str(number))) for number in range(5)]
    for count in range(2, 7):
        bench.wait_shipped(count)
        bench.writer.acknowledge(bench.shipped[count - 2][0].after)
    bench.writer.acknowledge(bench.writer.position)
    assert [answer.result() for answer in answers] == [1, 2, 3, 4, 5]
    assert bench.unacknowledged_most == 2
    bench.close()


def test_what_wrote_nothing_waits_for_what_it_saw_and_holds_nothing_back(fast_home: Path) -> None:
    bench = Bench(fast_home / "a", own_ack=False, limits=Limits(in_flight=2, group=1))
    bench.writer.open_epoch(1)
    bench.wait_shipped(1)
    bench.writer.acknowledge(bench.shipped[0][0].after)
    one = bench.begin(insert("one"))
    reads = [bench.begin(lambda c: c.execute("SELECT count(*) FROM t").fetchone()[0]) for _ in range(3)]
    two = bench.begin(insert("two"))
    bench.wait_shipped(3)
    assert not any(read.came for read in reads)
    bench.writer.acknowledge(bench.shipped[1][0].after)
    assert [one.result(), *(read.result() for read in reads)] == [1, 1, 1, 1]
    assert not two.came
    bench.writer.acknowledge(bench.writer.position)
    assert two.result() == 2
    bench.close()


def test_an_acknowledgement_of_another_history_is_refused(bench: Bench) -> None:
    bench.do(insert("one"))
    with pytest.raises(WriterError, match="never committed"):
        bench.writer.acknowledge(Position(99, 1))


def test_frozen_it_commits_nothing_until_the_next_epoch(bench: Bench) -> None:
    bench.do(insert("one"))
    quiet = Answer()
    bench.writer.freeze(lambda position: quiet(None, position))
    quiet.result()
    held = bench.begin(insert("two"))
    assert quiet.position == bench.writer.position
    threading.Event().wait(0.1)  # a writer that does not hold still gets the time to show it
    assert not held.came
    bench.writer.open_epoch(9)
    held.result()
    assert [envelope.epoch for envelope, _ in bench.shipped] == [1, 1, 9, 9]
    bench.writer.freeze()
    again = bench.begin(insert("three"))
    bench.writer.thaw()
    again.result()


@pytest.mark.parametrize(
    ("limits", "stands_at"), [(Limits(in_flight=2, group=1), 3), (Limits(in_flight=2, group=1, wal_bytes=1), 2)]
)
def test_an_epoch_begins_however_much_is_in_flight(fast_home: Path, limits: Limits, stands_at: int) -> None:
    """A secondary that is cut off leaves segments without an answer, and perhaps a checkpoint that waits for it; they
    are acknowledged only with the first commit of the epoch that drops it."""
    bench = Bench(fast_home / "a", own_ack=False, limits=limits)
    bench.writer.open_epoch(1)
    bench.wait_shipped(1)
    bench.writer.acknowledge(bench.shipped[0][0].after)
    answers = [bench.begin(insert(text)) for text in "abc"]
    wait_for(lambda: bench.writer.position.txid == stands_at)
    bench.writer.freeze()
    bench.own_ack = True
    bench.writer.open_epoch(2)
    assert [answer.result() for answer in answers] == [1, 2, 3]
    bench.close()


def test_closing_tells_everyone_what_became_of_their_work(fast_home: Path) -> None:
    bench = Bench(fast_home / "a", own_ack=False, limits=Limits(in_flight=2))
    bench.writer.open_epoch(1)
    sent = bench.begin(insert("sent"))
    bench.wait_shipped(2)
    queued = bench.begin(insert("queued"))
    size = bench.db.stat().st_size
    bench.close()
    with pytest.raises(OutcomeUnknown):
        sent.result()
    with pytest.raises(NotStarted):
        queued.result()
    with pytest.raises(NotStarted):
        bench.do(insert("late"))
    assert bench.db.stat().st_size == size, "nothing un-acknowledged was checkpointed"


def test_checkpoints_wait_for_the_acknowledgement(fast_home: Path) -> None:
    bench = Bench(fast_home / "a", own_ack=False, limits=Limits(wal_bytes=1))
    bench.writer.open_epoch(1)
    bench.wait_shipped(1)
    assert bench.writer.checkpointed == 0
    bench.writer.acknowledge(bench.writer.position)
    wait_for(lambda: bench.writer.checkpointed == 1)
    bench.own_ack = True
    for number in range(20):
        bench.do(insert(str(number)))
    bench.close()
    assert not bench.dead
    assert bench.rows()[-1] == (20, "19")


def test_own_segments_are_durable_before_they_are_checkpointed(
    fast_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The WAL is the only durable copy of un-synced segments; a checkpoint lets SQLite write over it."""
    bench = Bench(fast_home / "a", limits=Limits(wal_bytes=1))
    flushed, really = [], bench.directory.flush

    def flush() -> None:
        really()
        flushed.append(bench.writer.position.txid)

    monkeypatch.setattr(bench.directory, "flush", flush)
    bench.writer.open_epoch(1)
    for number in range(10):
        bench.do(insert(str(number)))
        wait_for(lambda: bench.writer.checkpointed == bench.writer.position.txid)
        assert bench.writer.checkpointed in flushed
    bench.close()


def test_a_pinned_reader_does_not_stop_writes(fast_home: Path) -> None:
    bench = Bench(fast_home / "a", limits=Limits(wal_bytes=1, retry_seconds=0.01))
    bench.writer.open_epoch(1)
    bench.do(insert("one"))
    reader = sqlite3.connect(f"{bench.db.as_uri()}?mode=ro", uri=True)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (1,)
    seen = bench.writer.position.txid
    for number in range(20):
        bench.do(insert(str(number)))
    bench.writer.freeze()
    assert bench.writer.checkpointed <= seen, "what the reader does not see is not in the database file yet"
    bench.writer.thaw()
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (1,)
    reader.close()
    wait_for(lambda: bench.writer.checkpointed == bench.writer.position.txid)
    bench.do(insert("after"))
    bench.close()
    assert not bench.dead


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_foreign_writer_is_noticed_and_stops_the_writer(bench: Bench, checkpoint: bool) -> None:
    bench.do(insert("one"))
    stranger = sqlite3.connect(bench.db, isolation_level=None)
    stranger.execute("INSERT INTO t (a) VALUES ('foreign')")
    if checkpoint:
        stranger.execute("PRAGMA wal_checkpoint(RESTART)")
    with pytest.raises(OutcomeUnknown):
        bench.do(insert("two"))
    stranger.close()
    assert bench.died.wait(30)
    assert isinstance(bench.dead[0], WALError)


def test_a_work_that_commits_by_itself_stops_the_writer(bench: Bench) -> None:
    with pytest.raises((OutcomeUnknown, sqlite3.OperationalError)):
        bench.do(lambda connection: connection.execute("INSERT INTO t (a) VALUES ('x')") and connection.commit())
    assert bench.died.wait(30)
