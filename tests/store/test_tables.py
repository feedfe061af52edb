"""What the ledger may rely on, of SQLite and of the in-memory twin alike."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from fa.core.lifecycle import JobState, TaskState
from fa.core.model import (
    Alert,
    AttemptState,
    Event,
    FactoryVersion,
    Group,
    NodeMode,
    NodeRow,
    Reign,
    Role,
    Spare,
    Token,
)
from fa.core.tables import Quarantine, Remembered, Tables
from fa.errors import Invalid
from fa.store.tables import SqliteTables
from tests.store.make import GROUP, HOSTILE, OUTPUT, add_job, add_queued, add_task, attempt_of


def test_jobs_come_back_as_they_went_in(tables: Tables) -> None:
    job = add_job(tables)
    assert job.id == 1
    assert tables.job(1) == job
    assert tables.job(2) is None
    done = replace(job, state=JobState.SUCCEEDED, priority=75, finished_at=9_000)
    tables.save_job(done)
    assert tables.job(1) == done


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_comes_back_as_it_went_in(tables: Tables, text: str) -> None:
    job = add_job(tables, source="san:" + text, subject=text, description=text)
    task = add_task(tables, job, destination=text, error=text, node=text, blocked=(text, "b"), product=text)
    tables.add_attempt(attempt_of(task, node=text, part=text, error=text, output=replace(OUTPUT, path=text)))
    group = tables.group_id(Group(0, text, text, 1, (text, text)))
    tables.put_fact(text, text)
    tables.remember(Remembered(text, text, (1, 2), 5))
    assert tables.job(job.id) == job
    assert tables.task(task.id) == task
    assert tables.attempt(task.id, 1) == attempt_of(
        task, node=text, part=text, error=text, output=replace(OUTPUT, path=text)
    )
    assert tables.group(group) == Group(group, text, text, 1, (text, text))
    assert tables.group_id(Group(0, text, text, 1, (text, text))) == group
    assert tables.fact(text) == text
    assert tables.remembered(text) == Remembered(text, text, (1, 2), 5)


def test_saving_what_is_not_there_raises(tables: Tables) -> None:
    job = add_job(tables)
    task = add_task(tables, job)
    with pytest.raises(KeyError):
        tables.save_job(replace(job, id=99))
    with pytest.raises(KeyError):
        tables.save_task(replace(task, id=99))
    with pytest.raises(KeyError):
        tables.save_attempt(attempt_of(task, 5))
    with pytest.raises(KeyError):
        tables.save_alert(Alert(99, 1, "solo", "array", ""))


def test_tasks_of_a_job_are_in_the_order_of_products(tables: Tables) -> None:
    job, other = add_job(tables), add_job(tables)
    second = add_task(tables, job, ordinal=1, product="poster")
    add_task(tables, other)
    first = add_task(tables, job, ordinal=0)
    assert tables.tasks_of(job.id) == [first, second]
    assert tables.tasks_of(99) == []


def test_whose_source_lies_somewhere_and_what_was_delivered_there(tables: Tables) -> None:
    for text in HOSTILE:
        first = add_job(tables, source=text)
        add_job(tables, source=text)
        made = replace(OUTPUT, path=text)
        assert tables.spare(text) == Spare(first.id)
        for sha256 in ("old", "new"):
            tables.put_delivery(first.id, replace(made, sha256=sha256))
        tables.put_delivery(first.id, replace(made, path="san:out/elsewhere"))
        assert tables.spare(text) == Spare(first.id, replace(made, sha256="new"))
    assert tables.spare("san:out/elsewhere") is None, "what fa delivered is nobody's source by that"


def test_a_job_that_is_forgotten_takes_its_deliveries_along_and_leaves_its_source_to_the_others(tables: Tables) -> None:
    old, young = add_job(tables, finished_at=1), add_job(tables, finished_at=5)
    for job in (old, young):
        tables.put_delivery(job.id, replace(OUTPUT, path=f"{old.source}" if job is old else "san:out/y"))
    assert tables.spare(old.source) == Spare(old.id, replace(OUTPUT, path=old.source))
    assert tables.delete_finished_jobs(3, 9) == 1
    assert tables.spare(old.source) == Spare(young.id)
    assert tables.delete_finished_jobs(9, 9) == 1
    assert tables.spare(old.source) is None


def test_tasks_keep_all_their_fields(tables: Tables) -> None:
    task = add_queued(tables)
    changed = replace(
        task, state=TaskState.SUCCEEDED, priority=9, attempt=2, failures=1, node="b", blocked=("a",),
        deferred_until=5, error="x", output=OUTPUT,
    )  # fmt: skip
    tables.save_task(changed)
    assert tables.task(task.id) == changed


def test_counts_follow_the_jobs(tables: Tables) -> None:
    assert tables.counts() == dict.fromkeys(JobState, 0)
    job, _ = add_job(tables), add_job(tables)
    tables.save_job(replace(job, state=JobState.RUNNING))
    tables.save_job(replace(job, state=JobState.RUNNING, priority=1))
    assert tables.counts() == dict.fromkeys(JobState, 0) | {JobState.QUEUED: 1, JobState.RUNNING: 1}


def test_active_tasks_run_or_publish(tables: Tables) -> None:
    queued, running, publishing = add_queued(tables), add_queued(tables), add_queued(tables)
    publishing = replace(publishing, state=TaskState.PUBLISHING)
    running = replace(running, state=TaskState.RUNNING)
    tables.save_task(publishing)
    tables.save_task(running)
    assert tables.active_tasks() == [running, publishing]
    tables.save_task(replace(running, state=TaskState.QUEUED))
    tables.save_task(replace(queued, state=TaskState.FAILED))
    assert tables.active_tasks() == [publishing]


def test_groups_have_one_id_for_one_need(tables: Tables) -> None:
    first = tables.group_id(GROUP)
    assert tables.group_id(replace(GROUP, id=77)) == first
    others = [replace(GROUP, cost=2), replace(GROUP, requires=()), replace(GROUP, slot_class="gpu")]
    assert len({first, *(tables.group_id(group) for group in others)}) == 4
    assert tables.group(first) == replace(GROUP, id=first)
    assert tables.group(99) is None


def test_heads_are_by_priority_then_age(tables: Tables) -> None:
    low, old, new, high = (add_queued(tables, priority=priority) for priority in (25, 50, 50, 75))
    other = add_queued(tables, group=tables.group_id(replace(GROUP, cost=2)))
    order = [high, old, new, low]
    assert tables.heads(low.group, 10) == order
    assert tables.heads(low.group, 2) == order[:2]
    for place, task in enumerate(order):
        assert tables.heads(low.group, 10, after=task) == order[place + 1 :]
        assert tables.heads(low.group, 1, after=task) == order[place + 1 : place + 2]
    assert tables.heads(other.group, 10) == [other]
    assert tables.heads(99, 10) == []


def test_heads_go_on_past_a_task_that_left_the_queue(tables: Tables) -> None:
    tasks = [add_queued(tables) for _ in range(4)]
    tables.save_task(replace(tasks[1], state=TaskState.RUNNING))
    assert tables.heads(tasks[0].group, 10, after=tasks[1]) == tasks[2:]


def test_a_requeued_task_has_its_old_place(tables: Tables) -> None:
    tasks = [add_queued(tables) for _ in range(3)]
    tables.save_task(replace(tasks[0], state=TaskState.RUNNING))
    assert tables.heads(tasks[0].group, 10) == tasks[1:]
    tables.save_task(tasks[0])
    assert tables.heads(tasks[0].group, 10) == tasks


def test_groups_wait_while_they_have_a_head(tables: Tables) -> None:
    task, again = add_queued(tables), add_queued(tables)
    waiting = [replace(GROUP, id=task.group)]
    add_queued(tables, group=tables.group_id(replace(GROUP, cost=2)), state=TaskState.HELD)
    add_queued(tables, group=tables.group_id(replace(GROUP, cost=3)), deferred_until=50)
    assert tables.waiting_groups() == waiting
    tables.save_task(replace(task, state=TaskState.RUNNING))
    assert tables.waiting_groups() == waiting
    tables.save_task(replace(again, deferred_until=5))
    assert tables.waiting_groups() == []
    tables.save_task(task)
    assert tables.waiting_groups() == waiting


def test_deferred_tasks_wake_when_due(tables: Tables) -> None:
    later, soon = add_queued(tables, deferred_until=90), add_queued(tables, deferred_until=50)
    held = add_queued(tables, deferred_until=10, state=TaskState.HELD)
    assert tables.heads(soon.group, 10) == []
    assert tables.next_deferred() == 50
    assert tables.wake_deferred(49, 10) == 0
    assert tables.wake_deferred(50, 10) == 1
    assert tables.heads(soon.group, 10) == [replace(soon, deferred_until=None)]
    assert tables.task(held.id) == held
    assert tables.next_deferred() == 90
    assert tables.wake_deferred(1_000, 10) == 1
    assert tables.next_deferred() is None
    assert [task.id for task in tables.heads(soon.group, 10)] == [later.id, soon.id]


def test_deferred_tasks_wake_a_few_at_a_time_the_longest_due_first(tables: Tables) -> None:
    tasks = [add_queued(tables, deferred_until=at) for at in (30, 10, 20, 10)]
    assert tables.wake_deferred(99, 3) == 3
    assert [task.id for task in tables.heads(tasks[0].group, 10)] == [task.id for task in tasks[1:]]
    assert tables.next_deferred() == 30
    assert tables.wake_deferred(99, 3) == 1


def test_what_grows_old_goes_a_few_rows_at_a_time(tables: Tables) -> None:
    jobs = [add_job(tables, state=JobState.SUCCEEDED, finished_at=at) for at in (30, 10, 20)] + [add_job(tables)]
    tasks = [add_task(tables, job, attempt=1, state=TaskState.SUCCEEDED) for job in jobs]
    for task in tasks:
        tables.add_attempt(attempt_of(task))
    assert tables.delete_finished_jobs(30, 1) == 1
    assert [tables.job(job.id) is not None for job in jobs] == [True, False, True, True]
    assert (tables.tasks_of(jobs[1].id), tables.attempt(tasks[1].id, 1)) == ([], None)
    assert tables.delete_finished_jobs(30, 5) == 1
    assert tables.delete_finished_jobs(30, 5) == 0
    assert tables.counts()[JobState.SUCCEEDED] == 1

    for at in range(5):
        tables.add_event(Event(at, "k", "info", "s", "t"))
    assert [tables.delete_old_events(2, 2) for _ in range(3)] == [2, 1, 0]
    alert = Alert(0, 1, "solo", "array", "text")
    over = [tables.add_alert(replace(alert, subject=str(at), cleared_at=at)) for at in (5, 9)]
    still = tables.add_alert(alert)
    assert [tables.delete_cleared_alerts(9, 4) for _ in range(2)] == [1, 0]
    assert [tables.alert(number) is None for number in (*over, still)] == [True, False, False]


def test_attempts_are_kept_by_task_and_number(tables: Tables) -> None:
    task = add_queued(tables)
    first, second = attempt_of(task), attempt_of(task, 2, "b", boot=0)
    tables.add_attempt(first)
    tables.add_attempt(second)
    over = replace(first, state=AttemptState.LOST, finished_at=5, error="gone", part="san:.fa/part/x", output=OUTPUT)
    tables.save_attempt(over)
    assert tables.attempt(task.id, 1) == over
    assert tables.attempt(task.id, 2) == second
    assert tables.attempt(task.id, 3) is None


def test_requests_are_remembered_and_forgotten(tables: Tables) -> None:
    for at, key in ((3, "c"), (1, "b"), (1, "a"), (9, "d")):
        tables.remember(Remembered(key, "digest", (at,), at))
    assert tables.remembered("a") == Remembered("a", "digest", (1,), 1)
    assert tables.forget_before(9, 2) == 2
    assert tables.remembered("a") is None
    assert tables.remembered("b") is None
    assert tables.forget_before(9, 10) == 1
    assert tables.remembered("d") is not None


def test_factories_have_versions(tables: Tables) -> None:
    assert tables.factory("proxy") is None
    assert tables.newest_version("proxy") == 0
    first, second = (FactoryVersion("proxy", n, f"text {n}", n, "op") for n in (1, 2))
    tables.add_factory(first)
    tables.add_factory(second)
    assert tables.factory("proxy") == second
    assert tables.factory("proxy", 1) == first
    tables.remove_factory("proxy")
    assert tables.factory("proxy") is None
    assert tables.factory("proxy", 2) == second
    assert tables.newest_version("proxy") == 2
    third = FactoryVersion("proxy", 3, "text 3", 3)
    tables.add_factory(third)
    assert tables.factory("proxy") == third


def test_nodes_and_tokens_are_put_and_replaced(tables: Tables) -> None:
    b, a = (NodeRow(name, NodeMode.UP, f"{name}:7001", 1) for name in "ba")
    tables.put_node(b)
    tables.put_node(a)
    gone = replace(b, mode=NodeMode.DRAINING, removed_at=7, incarnation="00ff")
    tables.put_node(gone)
    assert tables.nodes() == [a, gone]
    assert tables.node("b") == gone
    assert tables.node("c") is None
    token = Token("3f2a", Role.OPERATOR, "00" * 32, 1, expires_at=9, uses_left=1, label="x")
    tables.put_token(token)
    tables.put_token(replace(token, uses_left=0))
    assert tables.token("3f2a") == replace(token, uses_left=0)
    tables.remove_token("3f2a")
    assert tables.token("3f2a") is None


def test_an_alert_is_open_until_cleared(tables: Tables) -> None:
    alert = Alert(0, 5, "node-lost", "node/b", "silent")
    alert = replace(alert, id=tables.add_alert(alert))
    assert tables.open_alert("node-lost", "node/b") == tables.alert(alert.id) == alert
    assert tables.open_alert("node-lost", "node/a") is None
    acked = replace(alert, acked_at=6, acked_by="op")
    tables.save_alert(acked)
    assert tables.open_alert("node-lost", "node/b") == acked
    tables.save_alert(replace(acked, cleared_at=7))
    assert tables.open_alert("node-lost", "node/b") is None
    again = tables.add_alert(replace(alert, at=8))
    assert again > alert.id
    assert tables.alert(alert.id) == replace(acked, cleared_at=7)


def test_events_count_up(tables: Tables) -> None:
    event = Event(1, "node.joined", "info", "node/a", "joined")
    assert [tables.add_event(event), tables.add_event(event)] == [1, 2]


def test_quarantines_and_facts(tables: Tables) -> None:
    rows = [Quarantine("b", "proxy", 1, "x"), Quarantine("a", "xdcam", 2, "y"), Quarantine("a", "proxy", 3, "z")]
    for row in rows:
        tables.put_quarantine(row)
    tables.put_quarantine(replace(rows[0], reason="again"))
    assert tables.quarantines() == [rows[2], rows[1], replace(rows[0], reason="again")]
    tables.remove_quarantine("a", "xdcam")
    tables.remove_quarantine("a", "nothing")
    assert tables.quarantines() == [rows[2], replace(rows[0], reason="again")]
    assert tables.fact("epoch") is None
    tables.put_fact("epoch", "1")
    tables.put_fact("epoch", "2")
    assert tables.fact("epoch") == "2"


def test_reigns_are_one_an_epoch(tables: Tables) -> None:
    assert tables.last_reign() is None
    first, second = Reign(3, "a", "", 1), Reign(12, "b", "a", 2)
    tables.add_reign(second)
    tables.add_reign(first)
    assert tables.last_reign() == second


def test_half_a_character_is_refused(connection: sqlite3.Connection) -> None:
    with pytest.raises(Invalid, match="half a character"):
        add_job(SqliteTables(connection), subject="\ud800")
