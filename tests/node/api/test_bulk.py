"""Several jobs at once: by ids, and by a fixed set that somebody looked at."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

import pytest

from fa.core.commands import ActOnJobs, Command, Dispatch, FailAttempt, SetPriority
from fa.errors import SelectionGone, Unavailable
from fa.node.api import bulk
from fa.node.api.selections import KEPT_SECONDS, OF_ONE_MAX, Selections
from tests.core.book import AT, view
from tests.node.api.fake import Site


async def submitted(site: Site, count: int) -> list[int]:
    jobs = [{"source": f"san:in/{number}.mxf", "factory": "proxy"} for number in range(count)]
    _, answer = await site.post("/v1/jobs:batch", json={"jobs": jobs})
    return [job["id"] for job in answer["items"]]


async def selected(site: Site, q: str = "state:queued") -> dict[str, Any]:
    status, answer = await site.post("/v1/selections", json={"q": q})
    assert status == 201, answer
    return dict(answer)


async def states(site: Site, ids: list[int]) -> list[str]:
    return [view.job.state.value for view in await site.node.readers.jobs_of(ids)]


async def test_a_selection_says_what_is_in_it(one: Site) -> None:
    ids = await submitted(one, 12)
    await one.post(f"/v1/jobs/{ids[0]}/hold")
    made = await selected(one, "state:queued,held")
    assert made["count"] == 12
    assert {state: jobs for state, jobs in made["states"].items() if jobs} == {"queued": 11, "held": 1}
    assert [job["id"] for job in made["sample"]] == ids[::-1][:10]
    assert made["seq"] and made["expires_at"].endswith("Z") and len(made["selection"]) >= 20
    assert (await selected(one, "state:failed"))["count"] == 0
    assert (await one.post("/v1/selections", json={"q": "stat:x"}))[0] == 400


async def test_only_what_was_listed_is_acted_on(one: Site) -> None:
    """Neither what came to match since, nor only what still does."""
    ids = await submitted(one, 3)
    made = await selected(one)
    later = await submitted(one, 2)
    await one.post(f"/v1/jobs/{ids[0]}/hold")
    status, answer = await one.post("/v1/jobs:cancel", json={"selection": made["selection"]})
    assert status == 200 and answer["action"] == "cancel" and answer["next"] is None
    assert [(row["id"], row["ok"], row["state"]) for row in answer["items"]] == [
        (job, True, "cancelled") for job in ids[::-1]
    ]
    assert await states(one, later) == ["queued", "queued"]


async def test_all_that_failed_are_queued_again_by_query(one: Site) -> None:
    ids = await submitted(one, 4)
    nodes = (view("a", slots=3),)
    for order in one.node.store.apply(Dispatch(1, nodes, AT)).orders:
        one.node.store.apply(FailAttempt(order.task, order.attempt, "no film", True, AT))
    assert await states(one, ids) == ["failed", "failed", "failed", "queued"]
    made = await selected(one, "state:failed")
    _, answer = await one.post("/v1/jobs:retry", json={"selection": made["selection"]})
    assert [(row["id"], row["state"]) for row in answer["items"]] == [(job, "queued") for job in ids[2::-1]]
    assert await states(one, ids) == ["queued"] * 4


async def test_each_is_answered_for_itself(one: Site) -> None:
    ids = await submitted(one, 3)
    made = await selected(one)
    await one.post(f"/v1/jobs/{ids[1]}/cancel")
    _, answer = await one.post("/v1/jobs:hold", json={"selection": made["selection"]})
    assert [(row["id"], row["code"]) for row in answer["items"]] == [
        (ids[2], None), (ids[1], "conflict"), (ids[0], None),
    ]  # fmt: skip


async def test_all_but_some(one: Site) -> None:
    ids = await submitted(one, 3)
    made = await selected(one)
    body = {"selection": made["selection"], "without": [ids[1], 999]}
    _, answer = await one.post("/v1/jobs:cancel", json=body)
    assert [row["id"] for row in answer["items"]] == [ids[2], ids[0]]
    assert await states(one, ids) == ["cancelled", "queued", "cancelled"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "IN_ONE_ANSWER", 5)
    monkeypatch.setattr(bulk, "IN_ONE_COMMAND", 2)


@pytest.mark.usefixtures("small")
async def test_many_go_in_small_commands_and_bounded_answers(one: Site) -> None:
    ids = await submitted(one, 12)
    made = await selected(one)
    one.node.asked.clear()
    done, after, parts = list[int](), 0, list[int]()
    while after is not None and len(parts) < 4:
        _, answer = await one.post("/v1/jobs:cancel", json={"selection": made["selection"], "after": after})
        done += [row["id"] for row in answer["items"]]
        parts.append(len(answer["items"]))
        after = answer["next"]
    assert done == ids[::-1] and parts == [5, 5, 2]
    asked = [command for command in one.node.asked if isinstance(command, ActOnJobs)]
    assert max(len(command.jobs) for command in asked) == 2
    _, answer = await one.post("/v1/jobs:cancel", json={"selection": made["selection"], "after": 99})
    assert (answer["items"], answer["next"]) == ([], None)


@pytest.mark.usefixtures("small")
async def test_what_stops_half_way_is_told_by_the_next_request(one: Site) -> None:
    ids = await submitted(one, 4)
    made = await selected(one)
    asked = 0

    def second_fails(command: Command) -> None:
        nonlocal asked
        asked += isinstance(command, ActOnJobs)
        if asked >= 2:
            raise SelectionGone

    one.node.before_ask = second_fails
    status, answer = await one.post("/v1/jobs:retry", json={"selection": made["selection"]})
    assert status == 200 and answer["next"] == 2 and [row["id"] for row in answer["items"]] == ids[:1:-1]
    status, problem = await one.post("/v1/jobs:retry", json={"selection": made["selection"], "after": 2})
    assert (status, problem["code"]) == (410, "selection-gone")


@pytest.mark.usefixtures("small")
async def test_no_command_is_begun_after_the_time_of_a_request(one: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await submitted(one, 4)
    made = await selected(one)
    monkeypatch.setattr(bulk, "BEGUN_SECONDS", -1.0)
    _, answer = await one.post("/v1/jobs:hold", json={"selection": made["selection"]})
    assert (len(answer["items"]), answer["next"]) == (2, 2)


async def test_what_may_be_repeated_is_by_the_node_itself(one: Site) -> None:
    ids = await submitted(one, 1)
    made = await selected(one)
    one.node.troubles = [Unavailable()]
    assert (await one.post("/v1/jobs:cancel", json={"selection": made["selection"]}))[0] == 200
    assert await states(one, ids) == ["cancelled"]


@pytest.mark.parametrize("action", ["cancel", "retry", "hold", "release", "priority"])
async def test_a_selection_that_there_is_not(one: Site, action: str) -> None:
    ids = await submitted(one, 1)
    more = {"priority": 1} if action == "priority" else {}
    status, problem = await one.post(f"/v1/jobs:{action}", json={"selection": "x" * 24, **more})
    assert (status, problem["code"]) == (410, "selection-gone") and "again" in problem["detail"]
    assert await states(one, ids) == ["queued"] and not [
        command for command in one.node.asked if isinstance(command, ActOnJobs | SetPriority)
    ]


async def test_another_persons_selection_is_none(one: Site) -> None:
    ids = await submitted(one, 1)
    made = await selected(one)
    body = {"selection": made["selection"]}
    async with one.remote.post(f"{one.url}/v1/jobs:cancel", json=body, headers=one.bearer("admin")) as answer:
        assert (answer.status, (await answer.json())["code"]) == (410, "selection-gone")
    assert await states(one, ids) == ["queued"]
    async with one.remote.post(f"{one.url}/v1/selections", json={}, headers=one.bearer("viewer")) as answer:
        assert answer.status == 403


async def test_a_selection_ends_with_the_epoch(one: Site) -> None:
    ids = await submitted(one, 1)
    made = await selected(one)
    one.node.now = replace(one.node.now, epoch=8)
    status, problem = await one.post("/v1/jobs:cancel", json={"selection": made["selection"]})
    assert (status, problem["code"]) == (410, "selection-gone")
    assert await states(one, ids) == ["queued"]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"ids": []}, {"ids": None}, {"ids": [1], "selection": "x"}, {"ids": [1], "after": 1},
        {"ids": [1], "without": [1]}, {"selection": "x", "after": -1}, {"ids": list(range(1, 1002))},
        {"selection": "x", "without": list(range(1, 1002))}, {"selection": "x" * 65},
    ],
)  # fmt: skip
async def test_what_names_no_jobs(one: Site, body: dict[str, Any]) -> None:
    status, problem = await one.post("/v1/jobs:cancel", json=body)
    assert (status, problem["code"]) == (400, "invalid")


async def test_priority_of_many(one: Site) -> None:
    ids = await submitted(one, 3)
    status, answer = await one.post("/v1/jobs:priority", json={"ids": [*ids[:2], 999], "priority": "urgent"})
    assert status == 200 and answer["action"] == "priority"
    assert [(row["id"], row["ok"], row["code"]) for row in answer["items"]] == [
        (ids[0], True, None), (ids[1], True, None), (999, False, "not-found"),
    ]  # fmt: skip
    made = await selected(one, "pri:50")
    assert made["count"] == 1
    await one.post("/v1/jobs:priority", json={"selection": made["selection"], "priority": 7})
    assert [view.job.priority for view in await one.node.readers.jobs_of(ids)] == [100, 100, 7]
    assert (await one.post("/v1/jobs:priority", json={"ids": ids, "priority": 101}))[0] == 400
    assert (await one.post("/v1/jobs:priority", json={"ids": ids}))[0] == 400


# where they are kept


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def gone(kept: Selections, name: str, by: str = "op", epoch: int = 7) -> bool:
    try:
        kept.find(name, by, epoch)
    except SelectionGone:
        return True
    return False


def test_a_set_is_kept_for_ten_minutes_after_its_last_use() -> None:
    clock = Clock()
    kept = Selections(clock)
    name, unused = kept.keep(array("q", [3, 2]), "op", 7), kept.keep(array("q", [1]), "op", 7)
    clock.now += KEPT_SECONDS - 1
    assert list(kept.find(name, "op", 7)) == [3, 2]
    clock.now += KEPT_SECONDS - 1
    assert not gone(kept, name) and gone(kept, unused)
    clock.now += KEPT_SECONDS
    assert gone(kept, name)


def test_only_who_made_it_finds_it_and_only_in_its_epoch() -> None:
    kept = Selections(Clock())
    name = kept.keep(array("q", [1]), "op", 7)
    assert gone(kept, name, by="other") and gone(kept, name, epoch=8) and gone(kept, "")
    assert not gone(kept, name)


def test_a_person_has_a_few_and_loses_the_one_used_longest_ago() -> None:
    kept = Selections(Clock())
    others = kept.keep(array("q", [1]), "other", 7)
    names = [kept.keep(array("q", [1]), "op", 7) for _ in range(OF_ONE_MAX)]
    assert not gone(kept, names[0])
    names.append(kept.keep(array("q", [1]), "op", 7))
    assert [gone(kept, name) for name in names] == [False, True, *[False] * (OF_ONE_MAX - 1)]
    assert not gone(kept, others, by="other")


def test_all_together_they_are_bounded() -> None:
    kept = Selections(Clock(), ids_max=10)
    names = [kept.keep(array("q", range(4)), f"op{number}", 7) for number in range(4)]
    assert [gone(kept, name, f"op{number}") for number, name in enumerate(names)] == [True, True, False, False]
