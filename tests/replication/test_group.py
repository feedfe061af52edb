"""How much goes into one group commit: a segment has to fit a link, and others wait while it is made."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from fa.replication import group
from fa.replication.errors import NotStarted, OutcomeUnknown
from fa.replication.state import PAGE_SIZE
from tests.replication.conftest import Bench, insert, wait_for

Run = Callable[[sqlite3.Connection], Any]


def together(bench: Bench, works: list[Run]) -> list[int]:
    """These works wait together, as while a view changes; by segment, how many rows of the table came with it."""
    wait_for(lambda: bench.shipped)
    before = len(bench.shipped)
    bench.writer.freeze()
    answers = [bench.begin(work) for work in works]
    bench.writer.thaw()
    positions = [(answer.result(), answer.position)[1] for answer in answers]
    assert positions == sorted(positions, key=lambda position: position.txid if position else 0), "in order"
    assert set(positions) == {envelope.after for envelope, _ in bench.shipped[before:]}
    return [positions.count(envelope.after) for envelope, _ in bench.shipped[before:]]


def batch(texts: list[str]) -> Run:
    return lambda connection: (
        connection.executemany("INSERT INTO t (a) VALUES (?)", [(text,) for text in texts]) and None
    )


def test_what_is_small_goes_together(bench: Bench) -> None:
    assert together(bench, [insert(str(number)) for number in range(256)]) == [256]
    assert len(bench.rows()) == 256


def test_large_works_do_not_all_go_together(bench: Bench) -> None:
    """Seven requests of 1,000 jobs in one group made a segment that no link takes."""
    most = group.PAGES_MAX * PAGE_SIZE
    texts = [[os.urandom(most // 640).hex() for _ in range(100)] for _ in range(7)]
    assert together(bench, [batch(each) for each in texts]) == [2, 2, 2, 1]
    assert [text for _, text in bench.rows()] == [text for each in texts for text in each], "each once, in order"
    assert max(len(ltx) for _, ltx in bench.shipped) < 2 * most


def test_works_of_few_large_rows_do_not_all_go_together_either(bench: Bench) -> None:
    text = "x" * (group.PAGES_MAX * PAGE_SIZE // 4)
    groups = together(bench, [insert(f"{number}{text}") for number in range(20)])
    assert groups == [group.LOOK_WORKS, group.LOOK_WORKS, 20 - 2 * group.LOOK_WORKS]


def test_room_that_was_free_in_the_file_counts(bench: Bench) -> None:
    """A text goes where another one was: the file does not grow."""
    texts = [[f"{number}{row}" + "y" * (group.PAGES_MAX * PAGE_SIZE // 50) for row in range(20)] for number in range(5)]
    assert together(bench, [batch(each) for each in texts]) == [2, 2, 1]
    bench.sql("DELETE FROM t")
    assert together(bench, [batch(each) for each in texts]) == [2, 2, 1]


def test_many_changes_do_not_all_go_together(bench: Bench) -> None:
    count = group.ROWS_MAX // 4
    many = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
    change = many + "INSERT INTO t (a) SELECT hex(randomblob(16)) FROM n"
    assert together(bench, [lambda connection: connection.execute(change) and None] * 10) == [4, 4, 2]


def test_a_work_that_did_not_fit_is_not_lost_when_the_writer_is_closed(bench: Bench) -> None:
    count = group.ROWS_MAX
    wait_for(lambda: bench.shipped)
    bench.writer.freeze()
    texts = [[f"{number}-{row}" for row in range(count)] for number in range(3)]
    answers = [bench.begin(batch(each)) for each in texts]
    bench.own_ack = False
    bench.writer.thaw()
    wait_for(lambda: len(bench.shipped) == 3)  # two travel at most
    bench.close()
    for answer, error in zip(answers, (OutcomeUnknown, OutcomeUnknown, NotStarted), strict=True):
        with pytest.raises(error):
            answer.result()
    assert len(bench.rows()) == 2 * count
