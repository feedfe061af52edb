"""What is done to many jobs at once: to those that were marked, or to a set that the array keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from fa.node.api import shapes
from fa.tui.job_acts import can
from fa.tui.marks import MARKS_MAX, WITHOUT_MAX, Chosen, Marks
from fa.tui.values import Job, Selection, read
from tests.tui.fake import Array, Asked, answer
from tests.tui.world import Seat


def mark(seat: Seat, numbers: Iterable[int]) -> list[Job]:
    """One by one, by their ids."""
    jobs = [read(Job, seat.array.job(number)) for number in numbers]
    assert not seat.desk.jobs.marks.add(jobs)
    return jobs


# by their ids


def test_many_are_sent_a_thousand_at_a_time() -> None:
    seat = Seat(Array(total=9000, running=0)).press("2")
    jobs = mark(seat, range(1, 5001))
    able = [job.id for job in jobs if can(job, "cancel")]
    seat.press("c")
    assert 1000 < len(able) < 2000 and f"Cancel {len(able):,} jobs; {5000 - len(able)} of 5000 cannot be?" in seat.text
    assert f"… and {len(able) - 10:,} more" in seat.text
    seat.press("y")
    assert [body["ids"] for body in seat.array.bodies] == [able[:1000], able[1000:]], "what was listed, and no other"
    assert f"{len(able):,} jobs cancelled" in seat.toast and len(seat.desk.did) == 1
    seat.press("u")
    assert [body["ids"] for body in seat.array.bodies[2:]] == [able[:1000], able[1000:]]


def test_a_bulk_that_breaks_off_says_how_far_it_came() -> None:
    seat = Seat(Array(total=9000, running=0)).press("2")
    mark(seat, range(1, 5001))
    seat.press("c")
    seat.held = True
    seat.press("y")
    [first] = seat.waiting
    seat.waiting = []
    seat.reply(first)
    seat.array.broken["POST /v1/jobs:cancel"] = (503, "unavailable")
    seat.settle()
    seat.release()
    assert "1,000 were done. unavailable says the test" in seat.toast and "look before you repeat it" in seat.toast
    assert len(seat.array.bodies) == 2, "nothing is sent twice"


def test_marks_one_by_one_are_bounded() -> None:
    seat = Seat(Array(total=30_000)).press("2")
    mark(seat, range(1, MARKS_MAX + 1))
    assert "* takes all that match" in seat.press("space").toast and len(seat.desk.jobs.marks) == MARKS_MAX


def test_priorities_of_many_go_in_one_request_and_come_back_in_one_for_each() -> None:
    seat = Seat(Array(running=0)).press("2", "space", "space", "space", "P").type("60").press("enter")
    assert "Give 3 jobs priority 60?" in seat.text and "$ fa job prio 60 1000 999 998" in seat.text
    seat.press("y")
    assert seat.writes() == ["POST /v1/jobs:priority"]
    assert seat.array.bodies == [{"ids": [1000, 999, 998], "priority": 60}]
    assert "3 jobs given priority 60; u takes it back" in seat.toast
    seat.press("u")
    assert seat.array.bodies[1:] == [{"priority": 25}, {"priority": 50}, {"priority": 75}]
    assert seat.writes()[1:] == ["PATCH /v1/jobs/999", "PATCH /v1/jobs/1000", "PATCH /v1/jobs/998"]


def test_a_list_that_is_here_whole_is_marked_by_its_ids() -> None:
    seat = Seat(Array(total=40)).press("2", "*")
    assert seat.toast == "40 marked" and len(seat.desk.jobs.marks.jobs) == 40 and not seat.writes()


# as a set


def test_all_that_match_are_marked_as_a_set_of_the_array() -> None:
    seat = Seat(Array(total=20_000)).press("2", "*")
    assert seat.writes() == ["POST /v1/selections"] and seat.array.bodies == [{"q": ""}]
    assert "20,000 marked: all that match now" in seat.toast
    assert "● 20,000 marked" in seat.text and sum("●" in line for line in seat.screen) > 15
    seat.press("c")
    assert "Cancel 20,000 jobs? All that matched:" in seat.text and "8 running" in seat.text
    assert "… and 19,990 more" in seat.text and "$ fa job cancel --query" in seat.text
    assert "thrown away" in seat.text
    assert "20000  running" in seat.text, "the first of them are shown"
    seat.press("escape")
    assert seat.writes() == ["POST /v1/selections"], "a look changes nothing"


def test_only_the_set_is_acted_on_part_after_part() -> None:
    seat = Seat(Array(total=12_000)).press("2", "*")
    seat.array.total += 1  # comes later
    seat.press("h", "y")
    name = {"selection": "set-0", "without": []}
    assert seat.array.bodies[1:] == [{**name, "after": 0}, {**name, "after": 5000}, {**name, "after": 10_000}]
    assert seat.toast == "12,000 jobs held" and not seat.desk.jobs.marks
    assert 12_001 not in seat.array.changed and len(seat.array.changed) == 12_000
    assert [did.cli for did in seat.desk.did] == ["fa job hold --query ''"]


def test_what_was_done_to_a_set_is_not_taken_back_nor_what_was_done_before_it() -> None:
    seat = Seat(Array(total=3000)).press("2", "+", "*", "h", "y")
    assert "nothing to take back" in seat.press("u").toast and len(seat.writes()) == 3


def test_some_are_taken_out_of_the_set() -> None:
    seat = Seat(Array(total=3000)).press("2", "/").type("state:queued").press("enter", "*")
    first, second = (job.id for job in seat.desk.jobs.window.rows[:2])
    before = len(seat.desk.jobs.marks)
    seat.press("space", "space")
    assert len(seat.desk.jobs.marks) == before - 2 and "●" not in seat.screen[5]
    seat.press("up", "space")
    assert len(seat.desk.jobs.marks) == before - 1, "and put back again"
    seat.press("c")
    assert f"--query 'state:queued -id:{first}'" in seat.text and "1 of them taken out" in seat.text
    assert f"{first}  queued" not in seat.text and f"{second}  queued" in seat.text
    seat.press("y")
    assert seat.array.bodies[-1]["without"] == [first] and first not in seat.array.changed


def test_what_came_after_the_set_is_not_in_it() -> None:
    seat = Seat(Array(total=3000)).press("2", "*")
    seat.array.total += 1
    seat.tell("job", {"id": 3001, "state": "queued"}).press("g")
    assert "3001" in seat.screen[5] and "●" not in seat.screen[5] and "●" in seat.screen[6]
    assert "came after all were marked" in seat.press("space").toast
    assert "marked already" in seat.press("v").toast


def test_as_many_are_taken_out_as_the_array_takes() -> None:
    seat = Seat(Array(total=3000)).press("2", "*")
    chosen = seat.desk.jobs.marks.chosen
    assert chosen is not None
    chosen.without.update(range(1, WITHOUT_MAX + 1))
    assert "filter for the others" in seat.press("space").toast and len(chosen.without) == WITHOUT_MAX


def test_without_any_left_there_is_no_set() -> None:
    jobs = (Job(id=2), Job(id=1))
    marks = Marks()
    marks.choose(Chosen(Selection("tok", 2, sample=jobs), ""))
    assert marks.toggle(jobs[0]) == "" and len(marks) == 1 and 1 in marks and 2 not in marks
    assert marks.toggle(jobs[1]) == "" and marks.chosen is None


def test_another_filter_forgets_the_set() -> None:
    seat = Seat(Array(total=3000)).press("2", "*", "/").type("state:held").press("enter")
    assert not seat.desk.jobs.marks and "the filter changed" in seat.toast
    seat.press("*", "S", "5")
    assert seat.desk.jobs.marks, "another order is no other filter"


def test_an_answer_for_an_earlier_filter_marks_nothing() -> None:
    seat = Seat(Array(total=3000)).press("2")
    seat.held = True
    seat.press("*", "/").type("state:held").press("enter")
    select, *others = sorted(seat.waiting, key=lambda each: each.call.method != "POST")
    seat.waiting = []
    for each in others:
        seat.reply(each)
    seat.reply(select)
    seat.release()
    assert not seat.desk.jobs.marks


def test_a_set_that_is_gone_says_what_to_do() -> None:
    seat = Seat(Array(total=12_000)).press("2", "*", "c")
    seat.held = True
    seat.press("y")
    [first] = [each for each in seat.waiting if each.call.method == "POST"]
    seat.waiting = []
    seat.reply(first)
    seat.array.sets.clear()
    seat.settle()
    seat.release()
    assert "5,000 were done. This selection is not kept any more. List the jobs again." in seat.toast
    assert not seat.desk.jobs.marks and len(seat.array.changed) == 5000


def test_refusals_are_counted_and_the_first_is_told() -> None:
    seat = Seat(Array(total=3000)).press("2", "*", "r")
    seat.held = True
    seat.press("y")
    [sent] = [each for each in seat.waiting if each.call.method == "POST"]
    items: list[dict[str, Any]] = [{"id": each, "ok": each > 2, "detail": "It is over."} for each in range(1, 3001)]
    sent.then({"action": "retry", "items": items, "next": None})
    assert seat.toast == "2,998 jobs queued again; 2 not: It is over."


def test_the_bulk_menu_and_the_priority_of_a_set() -> None:
    seat = Seat(Array(total=3000)).press("2", "*", "b")
    assert "3,000 jobs" in seat.text and "none of them" not in seat.text
    seat.press("P")
    assert "Priority of 3,000 jobs" in seat.text
    seat.type("high").press("enter")
    assert "Give 3,000 jobs priority high?" in seat.text and "$ fa job prio high --query" in seat.text
    seat.press("y")
    assert seat.writes()[1:] == ["POST /v1/jobs:priority"] and seat.array.bodies[1]["priority"] == "high"
    assert seat.toast == "3,000 jobs given priority high"
    seat.press("*", "+")
    assert "Give 3,000 jobs priority 85?" in seat.text


def test_nothing_matches() -> None:
    seat = Seat(Array(total=3000)).press("2", "/").type("state:lost").press("escape")
    seat.array.total = 0
    assert "no job matches" in seat.press("*").toast and not seat.desk.jobs.marks


def test_whoever_may_only_look_marks_no_set() -> None:
    seat = Seat(Array(total=3000, denied=("POST /v1/selections",), role="viewer")).press("2", "*")
    assert "does not allow it" in seat.toast and not seat.writes()
    assert "--readonly" in Seat(Array(total=3000), readonly=True).press("2", "*").toast


def test_the_sets_of_these_tests_are_as_the_api_has_them() -> None:
    """All fields and no others: one that the server renames must not stay in these tests."""
    array = Array(total=30)
    made = answer(array, Asked("POST", "/v1/selections", body={"q": ""}))
    assert set(made) == set(shapes.SelectionShape.__struct_fields__)
    msgspec.convert(made["states"], shapes.Counts)
    body = {"selection": made["selection"], "after": 0, "without": []}
    for action, more in (("cancel", {}), ("priority", {"priority": 1})):
        told = answer(array, Asked("POST", f"/v1/jobs:{action}", body={**body, **more}))
        assert set(told) == set(shapes.Results.__struct_fields__)
        msgspec.convert(told, shapes.Results)
