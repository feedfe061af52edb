"""Monitors and arrivals, on both stores: an identity and its jobs are made once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from fa.core import commands as c
from fa.core import monitor_commands as m
from fa.core.afterwards import order_of
from fa.core.arrivals import Arrival, Fate, MonitorRow, Sighting, Ticket, pack_keys, stat_key, unpack_keys
from fa.core.ledger_monitors import UnknownTarget
from fa.core.ledger_setup import Stale
from fa.core.lifecycle import JobState
from fa.core.model import Job
from fa.core.monitor import parse_monitor
from fa.errors import Conflict, NotFound
from tests.core.book import AT, Book

TEXT = 'name = "in"\nfolder = "san:in"\nfactories = ["one"]\n'
SEEN = Sighting("in/clip.mxf", 10, 20, 30, "ab")
MOVES = TEXT + 'after = "move:done/"\n'


def add(book: Book, text: str = TEXT) -> MonitorRow:
    made: MonitorRow = book.do(m.SaveMonitor(text, AT, "operator:ann"))
    return made


def take(book: Book, seen: Sighting = SEEN, monitor: int = 1) -> tuple[int, ...]:
    jobs: tuple[int, ...] = book.do(m.TakeArrival(monitor, seen, AT)).jobs
    return jobs


def facts(book: Book, kind: type) -> list[Any]:
    return [fact for fact in book.facts if isinstance(fact, kind)]


def run(book: Book, good: bool = True) -> Job:
    """The next job to its end."""
    (order,) = book.dispatch()
    if good:
        book.grant(order)
        book.finish(order)
    else:
        book.fail(order, permanent=True)
    return book.job(order.job)


def the_arrival(book: Book, number: int = 1) -> Arrival:
    found = book.tables.arrival(number)
    assert found is not None
    return found


# --- setting up ---


def test_saving_changing_removing(book: Book) -> None:
    row = add(book)
    assert (row.id, row.name, row.version, row.enabled, row.owner, row.submitted) == (1, "in", 1, True, "", 0)
    assert facts(book, m.MonitorChanged) == [m.MonitorChanged(row)] and book.events() == ["monitor.saved"]
    assert add(book) == row and book.facts == [], "the same again changes nothing"
    assert add(book, TEXT + "recursive = true\n").version == 2
    assert book.do(m.EnableMonitor("in", False, AT)).version == 3
    assert not book.tables.monitors()[0].enabled
    book.do(m.EnableMonitor("in", False, AT))
    assert book.facts == []
    book.do(m.RemoveMonitor("in", AT, "operator:ann"))
    assert facts(book, m.MonitorGone) == [m.MonitorGone(1, "in")] and book.tables.monitors() == []
    with pytest.raises(NotFound):
        book.do(m.RemoveMonitor("in", AT))
    with pytest.raises(NotFound):
        book.do(m.EnableMonitor("in", True, AT))


def test_a_change_of_what_somebody_else_changed_is_refused(book: Book) -> None:
    book.do(m.SaveMonitor(TEXT, AT, expected=0))
    with pytest.raises(Stale):
        book.do(m.SaveMonitor(MOVES, AT, expected=0))
    with pytest.raises(Stale):
        book.do(m.SaveMonitor(MOVES, AT, expected=2))
    for _ in "again":
        assert book.do(m.SaveMonitor(MOVES, AT, expected=1)).version == 2, "sent again, it is done"


def test_what_it_names_must_be_there(book: Book) -> None:
    for line in ('factories = ["none"]\n', 'factories = ["one"]\nnode = "z"\n'):
        with pytest.raises(UnknownTarget):
            add(book, TEXT.replace('factories = ["one"]\n', line))
    book.do(c.RemoveNode("b", AT))
    with pytest.raises(UnknownTarget):
        add(book, TEXT + 'node = "b"\n')
    assert book.tables.monitors() == []


def test_owners_are_kept_and_told(book: Book) -> None:
    add(book)
    assert book.do(m.AssignMonitor(1, "b", "it had no owner", AT)).owner == "b"
    assert book.events() == ["monitor.owner"] and book.tables.monitors()[0].owner == "b"
    book.do(m.AssignMonitor(1, "b", "again", AT))
    assert book.facts == []
    assert book.do(m.AssignMonitor(9, "b", "it is gone", AT)) is None


# --- what arrives ---


def test_an_identity_is_taken_once(book: Book) -> None:
    add(book)
    (job,) = take(book)
    assert take(book) == () and len(book.tables.monitors()) == 1
    made = book.job(job)
    assert (made.source, made.factory, made.monitor, made.submitted_by) == (
        "san:in/clip.mxf",
        "one",
        "in",
        "monitor:in",
    )
    assert (book.tables.monitors()[0].submitted, book.tables.monitors()[0].last_file) == (1, "in/clip.mxf")
    assert sum(book.tables.counts().values()) == 1


@pytest.mark.parametrize("change", [{"path": "in/b"}, {"size": 11}, {"mtime_ns": 21}, {"digest": "cd"}])
def test_another_identity_is_another_job(book: Book, change: dict[str, Any]) -> None:
    add(book)
    take(book)
    assert len(take(book, replace(SEEN, **change))) == 1
    assert take(book, replace(SEEN, **change)) == ()


def test_a_changed_ctime_alone_is_the_same_file(book: Book) -> None:
    add(book)
    take(book)
    assert take(book, replace(SEEN, ctime_ns=31)) == ()
    assert book.tables.arrivals_known(1, 0, 9) == [(1, "in/clip.mxf", 10, 20, 31)]


def test_all_factories_or_none(book: Book) -> None:
    add(book, TEXT.replace('"one"', '"two", "one"'))
    assert len(take(book)) == 2
    book.do(c.RemoveFactory("one", AT))
    with pytest.raises(NotFound):
        take(book, replace(SEEN, path="in/b"))
    assert sum(book.tables.counts().values()) == 2
    assert book.tables.arrival_like(1, replace(SEEN, path="in/b")) is None, "it may come again"
    book.do(c.SaveFactory('name = "one"\nenabled = false\n' + PRODUCTS, AT))
    with pytest.raises(Conflict):
        take(book, replace(SEEN, path="in/b"))


PRODUCTS = '[[products]]\nname = "p"\npreset = "h264-mp4"\ndestination = "san:out/{job}.mp4"\n'


def test_what_the_monitor_says_of_its_jobs(book: Book) -> None:
    add(book, TEXT + 'priority = "urgent"\nsubject = "evening"\ndefer = "10s"\n')
    (job,) = take(book)
    assert (book.job(job).priority, book.job(job).subject) == (100, "evening")
    assert book.tables.next_deferred() == AT + 10_000


def test_a_hostile_name_is_taken_as_it_is(book: Book) -> None:
    add(book)
    path = "in/-rf \n'\"; DROP TABLE job; -- \udcff %d 🎬.mxf"
    (job,) = take(book, replace(SEEN, path=path))
    assert book.job(job).source == f"san:{path}"
    assert take(book, replace(SEEN, path=path)) == ()
    assert book.tables.monitors()[0].last_file == path


def test_a_monitor_that_is_gone_takes_nothing(book: Book) -> None:
    add(book)
    take(book)
    book.do(m.RemoveMonitor("in", AT))
    assert take(book, replace(SEEN, path="in/b")) == ()
    add(book)
    assert len(take(book, monitor=2)) == 1, "one of the same name made anew has seen nothing"
    upkeep = c.KeepHouse(0, 0, 0, 100, limit=10)
    book.do(upkeep)
    assert book.tables.arrivals_known(1, 0, 9) == [] and len(book.tables.arrivals_known(2, 0, 9)) == 1


def test_a_disabled_monitor_takes_nothing(book: Book) -> None:
    add(book)
    book.do(m.EnableMonitor("in", False, AT))
    assert take(book) == () and sum(book.tables.counts().values()) == 0
    book.do(m.EnableMonitor("in", True, AT))
    assert len(take(book)) == 1


def test_known_files_in_pages(book: Book) -> None:
    add(book)
    for number in range(5):
        take(book, replace(SEEN, path=f"in/{number}"))
    first = book.tables.arrivals_known(1, 0, 3)
    assert [row[0] for row in first] == [1, 2, 3]
    assert [row[1] for row in book.tables.arrivals_known(1, 3, 3)] == ["in/3", "in/4"]


def test_keys_come_back_as_they_were_packed() -> None:
    keys = (0, 1, 2**64 - 1, stat_key("in/a\udcff", 10, 20, 30))
    assert unpack_keys(pack_keys(keys)) == keys and unpack_keys(pack_keys(())) == ()
    assert len(pack_keys(keys)) == 8 * len(keys)


# --- afterwards ---


def test_a_file_is_moved_when_all_its_jobs_succeeded(book: Book) -> None:
    add(book, MOVES.replace('"one"', '"one", "big"'))
    take(book)
    run(book)
    assert facts(book, m.AfterDue) == [] and the_arrival(book).fate is Fate.OPEN
    run(book)
    (due,) = facts(book, m.AfterDue)
    assert (due.arrival.id, due.arrival.fate) == (1, Fate.SUCCEEDED)
    assert [arrival.id for arrival in book.tables.arrivals_due(0, 9)] == [1]
    order = order_of(book.tables, the_arrival(book), parse_monitor(MOVES))
    assert (order.path, order.size, order.mtime_ns, order.move, order.answer) == ("in/clip.mxf", 10, 20, "done", "")
    assert book.do(m.EndArrival(1, "in/done/clip.mxf", AT)) is True
    assert book.do(m.EndArrival(1, "in/done/clip.mxf", AT)) is False
    assert book.tables.arrivals_due(0, 9) == [] and take(book) == (), "never a second job"


def test_a_failed_file_goes_where_failed_ones_go(book: Book) -> None:
    text = MOVES + 'after_failure = "move:bad"\n'
    add(book, text)
    take(book)
    assert run(book, good=False).state is JobState.FAILED
    assert the_arrival(book).fate is Fate.FAILED
    assert order_of(book.tables, the_arrival(book), parse_monitor(text)).move == "bad"


def test_a_file_whose_job_is_retried_is_left_alone(book: Book) -> None:
    add(book, MOVES)
    (job,) = take(book)
    run(book, good=False)
    book.act(c.JobAction.RETRY, job)
    assert the_arrival(book).fate is Fate.OPEN and book.tables.arrivals_due(0, 9) == []
    run(book)
    assert the_arrival(book).fate is Fate.SUCCEEDED


def test_files_that_stay_cost_nothing_afterwards(book: Book) -> None:
    add(book)
    take(book)
    run(book)
    assert the_arrival(book).fate is Fate.OVER and book.tables.arrival_of_job(1) is None


# --- tickets ---


def ticket(**fields: Any) -> Sighting:
    return replace(SEEN, path="in/t.xml", ticket=Ticket("san:in/other.mxf", **{"factories": ("two",), **fields}))


def test_a_ticket_asks_for_its_own_job(book: Book) -> None:
    add(book, TEXT + 'tickets = true\npriority = 10\nsubject = "of the monitor"\n')
    (job,) = take(book, ticket(subject="of the ticket"))
    made = book.job(job)
    assert (made.source, made.factory, made.subject, made.priority) == ("san:in/other.mxf", "two", "of the ticket", 10)
    (job,) = take(book, replace(ticket(factories=(), priority=99), digest="cd"))
    assert (book.job(job).factory, book.job(job).priority, book.job(job).subject) == ("one", 99, "of the monitor")


def test_a_ticket_that_asks_is_answered(book: Book) -> None:
    add(book, TEXT + "tickets = true\n")
    take(book, ticket(answer=True, factories=("one",)))
    run(book)
    order = order_of(book.tables, the_arrival(book), parse_monitor(TEXT))
    told = json.loads(order.answer)
    assert (told["ticket"], told["state"], told["error"], order.move) == ("t.xml", "succeeded", None, "")
    (job,) = told["jobs"]
    assert (job["state"], job["outputs"][0]["path"], job["error"]) == ("succeeded", "san:out/1-p.mp4", None)


def test_an_answer_names_jobs_that_the_store_has_forgotten(book: Book) -> None:
    """Its owner was away for longer than finished jobs are kept: who asked is told all the same."""
    add(book, TEXT + "tickets = true\n")
    (job,) = take(book, ticket(answer=True, factories=("one",)))
    assert run(book).state is JobState.SUCCEEDED
    book.do(c.KeepHouse(0, AT + 10, 0, 100))
    assert book.tables.job(job) is None
    told = json.loads(order_of(book.tables, the_arrival(book), parse_monitor(TEXT)).answer)
    assert (told["state"], told["jobs"]) == ("succeeded", [{"id": job, "state": "forgotten"}])


def test_a_ticket_that_cannot_be_is_refused_once(book: Book) -> None:
    add(book, TEXT + "tickets = true\n")
    with pytest.raises(NotFound):
        take(book, ticket(factories=("none",), answer=True))
    assert book.do(m.RefuseArrival(1, ticket(answer=True), "There is no factory 'none'.", AT)).new
    assert book.events() == ["monitor.refused"] and len(facts(book, m.AfterDue)) == 1
    told = json.loads(order_of(book.tables, the_arrival(book), parse_monitor(TEXT)).answer)
    assert told == {"ticket": "t.xml", "state": "refused", "error": "There is no factory 'none'.", "jobs": []}
    assert not book.do(m.RefuseArrival(1, ticket(answer=True), "again", AT)).new
    assert take(book, ticket(answer=True)) == ()


def test_who_asks_for_no_answer_gets_none(book: Book) -> None:
    add(book, TEXT + "tickets = true\n")
    book.do(m.RefuseArrival(1, ticket(), "no", AT))
    assert the_arrival(book).fate is Fate.OVER
    unreadable = replace(SEEN, path="in/u.xml", ticket_error="not XML")
    book.do(m.RefuseArrival(1, unreadable, "not XML", AT))
    assert the_arrival(book, 2).fate is Fate.FAILED, "nobody could read whether it asks"


def test_a_file_of_the_folder_before_is_not_submitted(book: Book) -> None:
    """A node that was away when the monitor was changed reports what it found in the wrong folder."""
    add(book)
    book.do(m.SaveMonitor(TEXT.replace("san:in", "san:other"), AT))
    assert take(book) == () and take(book, replace(SEEN, path="other-one/clip.mxf")) == ()
    assert book.do(m.RefuseArrival(1, SEEN, "no ticket", AT)).new is False
    assert len(take(book, replace(SEEN, path="other/clip.mxf"))) == 1
