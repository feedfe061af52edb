from __future__ import annotations

import pytest

from fa.core.commands import Dispatch, FailAttempt, GiveAway, KeepHouse
from fa.core.model import NodeView
from fa.errors import Unavailable
from fa.node.clock import wall_ms
from fa.node.gateway import Progress
from tests.node.api.fake import OFFERS, Site, member

JOB = {"source": "san:in/a.mxf", "factory": "proxy"}


async def test_a_job_is_answered_with_itself_and_how_safe_it_is(one: Site) -> None:
    status, job = await one.post("/v1/jobs", json={**JOB, "priority": "high", "subject": "Späte\n%d 🎬"})
    assert status == 201
    assert (job["durability"], job["priority"], job["subject"]) == ("solo", 75, "Späte\n%d 🎬")
    assert job["state"] == "queued" and job["finished_at"] is None and job["submitted_at"].endswith("Z")
    [task] = job["tasks"]
    assert task["product"] == "proxy" and task["state"] == "queued" and task["node"] is None
    assert task["destination"] == f"san:out/a-{job['id']}-proxy.mp4"
    assert (await one.get(f"/v1/jobs/{job['id']}"))[1]["id"] == job["id"]


async def test_who_submitted_is_kept(one: Site) -> None:
    headers = one.bearer("operator")
    async with one.remote.post(f"{one.url}/v1/jobs", json=JOB, headers=headers) as answer:
        assert answer.status == 201
        assert answer.headers["Location"].startswith("/v1/jobs/")
        job = await answer.json()
    token = headers["Authorization"].split("_")[2]
    assert job["submitted_by"] == f"operator:{token}"


async def test_the_same_key_and_body_makes_one_job(one: Site) -> None:
    answers = []
    for _ in range(2):
        async with one.local.post("http://fa/v1/jobs", json=JOB, headers={"Idempotency-Key": "k 1"}) as answer:
            answers.append((answer.status, (await answer.json())["id"], answer.headers.get("Idempotency-Replayed")))
    assert answers == [(201, answers[0][1], None), (201, answers[0][1], "true")]
    assert (await one.get("/v1/status"))[1]["jobs"]["queued"] == 1


async def test_the_same_key_with_another_body_is_a_mistake(one: Site) -> None:
    headers = {"Idempotency-Key": "k1"}
    await one.post("/v1/jobs", json=JOB, headers=headers)
    status, problem = await one.post("/v1/jobs", json={**JOB, "priority": 1}, headers=headers)
    assert (status, problem["code"]) == (422, "unprocessable")
    batch = {"jobs": [JOB]}
    assert (await one.post("/v1/jobs:batch", json=batch, headers=headers))[0] == 422


@pytest.mark.parametrize("key", ["x" * 256, "é", "a\tb"])
async def test_a_key_that_is_none(one: Site, key: str) -> None:
    status, problem = await one.post("/v1/jobs", json=JOB, headers={"Idempotency-Key": key})
    assert status == 400 and "Idempotency-Key" in problem["detail"]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs:batch"])
async def test_a_key_may_be_kept_longer_than_what_it_made(one: Site, path: str) -> None:
    body = JOB if path == "/v1/jobs" else {"jobs": [JOB]}
    assert (await one.post(path, json=body, headers={"Idempotency-Key": "k"}))[0] == 201
    await one.post("/v1/jobs/1/cancel")
    one.node.store.apply(KeepHouse(0, 2**52, 0, 1000))
    status, problem = await one.post(path, json=body, headers={"Idempotency-Key": "k"})
    assert (status, problem["code"]) == (404, "not-found")
    assert "made job 1" in problem["detail"]


async def test_a_batch_is_all_or_nothing(one: Site) -> None:
    status, answer = await one.post("/v1/jobs:batch", json={"jobs": [JOB, {**JOB, "source": "san:b.mxf"}]})
    assert status == 201 and [job["source"] for job in answer["items"]] == ["san:in/a.mxf", "san:b.mxf"]
    status, problem = await one.post("/v1/jobs:batch", json={"jobs": [JOB, {**JOB, "factory": "none"}]})
    assert (status, problem["code"]) == (404, "not-found")
    assert (await one.get("/v1/status"))[1]["jobs"]["queued"] == 2


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({**JOB, "fatcory": "x"}, "/fatcory", "did you mean 'factory'?"),
        ({**JOB, "state": "succeeded"}, "/state", "known here"),
        ({"factory": "proxy"}, "", "missing required field `source`"),
        ({**JOB, "priority": 101}, "/priority", "<= 100"),
        ({**JOB, "priority": "asap"}, "/priority", "asap"),
        ({**JOB, "source": 3}, "/source", "expected `str`"),
        ({**JOB, "defer_until": "tomorrow"}, "/defer_until", "not a time"),
        ({**JOB, "defer_until": "2026-05-01T10:00:00"}, "/defer_until", "zone"),
        ({**JOB, "defer_until": "9999-12-31T23:59:59-23:59"}, "/defer_until", "not a time"),
        ([], "", "expected `object`"),
    ],
)
async def test_a_wrong_body_is_told_where_and_what(one: Site, body: object, pointer: str, words: str) -> None:
    status, problem = await one.post("/v1/jobs", json=body)
    assert (status, problem["code"]) == (400, "invalid")
    [error] = problem["errors"]
    assert error["pointer"] == pointer and words in error["detail"]
    assert error["detail"] in problem["detail"]


async def test_a_wrong_field_deep_in_a_batch(one: Site) -> None:
    status, problem = await one.post("/v1/jobs:batch", json={"jobs": [JOB, {**JOB, "prio": 3}]})
    assert status == 400
    assert problem["errors"] == [{"pointer": "/jobs/1/prio", "detail": "is not a field: did you mean 'priority'?"}]


async def test_a_deferred_job_says_until_when(one: Site) -> None:
    job = await one.submit(defer_until="2999-01-01T00:00:00+01:00")
    assert job["tasks"][0]["deferred_until"] == "2998-12-31T23:00:00.000Z"
    _, why = await one.get(f"/v1/jobs/{job['id']}/why")
    assert "deferred until 2998-12-31" in why["text"]


async def test_pages_and_their_links(one: Site) -> None:
    ids = [(await one.submit())["id"] for _ in range(5)]
    status, page = await one.get("/v1/jobs?limit=2&q=state:queued")
    assert status == 200 and [job["id"] for job in page["items"]] == ids[:2:-1]
    async with one.local.get(
        "http://fa/v1/jobs", params={"limit": "2", "after": page["next"], "q": "state:queued"}
    ) as answer:
        second = await answer.json()
        assert answer.links["prev"]["url"].query["before"] == second["prev"]
        assert answer.links["next"]["url"].query["q"] == "state:queued"
    assert [job["id"] for job in second["items"]] == ids[2:0:-1]
    assert page["seq"] == "7-0"
    _, oldest = await one.get("/v1/jobs?sort=submitted&limit=1")
    assert oldest["items"][0]["id"] == ids[0]


async def test_a_list_by_priority(one: Site) -> None:
    ids = [(await one.submit(priority=priority))["id"] for priority in (50, 75, 50, 25)]
    _, page = await one.get("/v1/jobs?sort=-priority&limit=3")
    assert [job["id"] for job in page["items"]] == [ids[1], ids[0], ids[2]]
    _, rest = await one.get(f"/v1/jobs?sort=-priority&after={page['next']}")
    assert [job["id"] for job in rest["items"]] == [ids[3]] and rest["next"] is None
    status, problem = await one.get("/v1/jobs?sort=source")
    assert status == 400 and "-priority" in problem["detail"]


@pytest.mark.parametrize(
    "asked", ["limit=0", "limit=x", "q=stat:run", "after=%F0%9F", "sort=nothing", "limti=3", "after=e30"]
)
async def test_a_list_that_cannot_be(one: Site, asked: str) -> None:
    status, problem = await one.get(f"/v1/jobs?{asked}")
    assert status == 400 and problem["code"] == "invalid" and problem["detail"]


async def test_a_running_job_shows_how_far_it_is(one: Site) -> None:
    job = await one.submit()
    one.node.store.apply(Dispatch(7, (one.node.members[0].view,), wall_ms()))
    one.node.running[job["tasks"][0]["id"]] = Progress("flipping", 0.25, 50.0, 2.0, 12.5)
    _, shown = await one.get(f"/v1/jobs/{job['id']}")
    task = shown["tasks"][0]
    assert (shown["state"], task["node"], task["attempt"]) == ("running", "a", 1)
    assert (task["phase"], task["progress"], task["fps"], task["eta"]) == ("flipping", 0.25, 50.0, 12.5)
    [attempt] = shown["attempts"]
    assert (attempt["product"], attempt["number"], attempt["node"], attempt["state"]) == ("proxy", 1, "a", "running")
    assert attempt["finished_at"] is None and attempt["error"] is None


async def test_what_people_do_to_a_job(one: Site) -> None:
    path = f"/v1/jobs/{(await one.submit())['id']}"
    for action, state in [("hold", "held"), ("release", "queued"), ("cancel", "cancelled"), ("cancel", "cancelled")]:
        status, job = await one.post(f"{path}/{action}")
        assert (status, job["state"]) == (200, state)
    status, job = await one.call("PATCH", path, json={"priority": "urgent"})
    assert (status, job["priority"]) == (200, 100)
    status, problem = await one.post(f"{path}/hold")
    assert (status, problem["code"]) == (409, "conflict")
    assert (await one.post(f"{path}/retry"))[1]["state"] == "queued"


async def test_many_at_once_each_for_itself(one: Site) -> None:
    job = (await one.submit())["id"]
    status, answer = await one.post("/v1/jobs:cancel", json={"ids": [job, 999, job]})
    assert status == 200
    assert answer["items"] == [
        {"id": job, "ok": True, "state": "cancelled", "code": None, "detail": None},
        {"id": 999, "ok": False, "state": None, "code": "not-found", "detail": answer["items"][1]["detail"]},
    ]


@pytest.mark.parametrize("job", ["0", "999", "x", "-1", "1.0", "9" * 40, "%00", "%2e%2e", "1%0a", "%F0", "٣"])
async def test_a_job_that_is_not_there(one: Site, job: str) -> None:
    for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/why"):
        status, problem = await one.get(path)
        assert (status, problem["code"]) == (404, "not-found")


async def test_why_says_it_per_node(one: Site) -> None:
    job = (await one.submit())["id"]
    _, why = await one.get(f"/v1/jobs/{job}/why")
    assert why["never"] is False and why["tasks"][0]["nodes"][0]["why"] is None
    lacking = 'name = "big"\nrequires = ["tag:moon"]\n' + (await one.get("/v1/factories/proxy"))[1]["text"].replace(
        'name = "proxy"\n', "", 1
    )
    one.add_factory(lacking)
    _, why = await one.get(f"/v1/jobs/{(await one.submit(factory='big'))['id']}/why")
    assert why["never"] is True and "tag:moon" in why["text"]
    assert why["tasks"][0]["nodes"] == [{"node": "a", "why": "lacks", "text": "has no tag:moon", "passes": False}]
    one.node.members.append(member("b", view=NodeView("b", (), up=False)))
    _, why = await one.get(f"/v1/jobs/{job + 1}/why")
    assert why["never"] is False and "b is lost" in why["text"]
    one.node.members[1] = member("b", view=NodeView("b", ()))
    _, why = await one.get(f"/v1/jobs/{job + 1}/why")
    assert why["never"] is False and "b has not said yet what it can do" in why["text"]


async def test_why_says_that_a_node_waits_for_a_larger_task(one: Site) -> None:
    """It has an open slot, and would be starved of two of them by small tasks."""
    text = (await one.get("/v1/factories/proxy"))[1]["text"]
    one.add_factory(text.replace('name = "proxy"', 'name = "big"', 1) + "cost = 2\n")
    one.node.members[0] = member("a", view=NodeView("a", (("cpu", 2),), (("cpu", 1, 50),), offers=OFFERS))
    before, _, after = [await one.submit(factory=name) for name in ("proxy", "big", "proxy")]
    _, why = await one.get(f"/v1/jobs/{before['id']}/why")
    assert why["tasks"][0]["nodes"][0]["why"] is None
    _, why = await one.get(f"/v1/jobs/{after['id']}/why")
    assert why["tasks"][0]["nodes"][0]["why"] == "held-back" and "larger task ahead" in why["text"]


async def test_why_a_held_job_says_who_held_it(one: Site) -> None:
    """Where it was not a person."""
    job = (await one.submit())["id"]
    for _ in range(5):
        one.node.store.apply(Dispatch(7, (one.node.members[0].view,), wall_ms() + 10**6))
        _, shown = await one.get(f"/v1/jobs/{job}")
        one.node.store.apply(
            GiveAway(((shown["tasks"][0]["id"], shown["tasks"][0]["attempt"]),), "a was lost", wall_ms())
        )
    _, why = await one.get(f"/v1/jobs/{job}/why")
    assert "is held: release it to let it start (its node was lost each of the last 5 times" in why["text"]


@pytest.mark.parametrize(("error", "told"), [("It is short.", "It is short."), ("It is short", "It is short.")])
async def test_why_a_job_failed_ends_in_one_full_stop(one: Site, error: str, told: str) -> None:
    job = await one.submit()
    one.node.store.apply(Dispatch(7, (one.node.members[0].view,), wall_ms()))
    one.node.store.apply(FailAttempt(job["tasks"][0]["id"], 1, error, True, wall_ms()))
    _, why = await one.get(f"/v1/jobs/{job['id']}/why")
    assert why["text"] == f"proxy is failed: {told}"


async def test_a_leader_that_cannot_now_says_when_to_come_again(one: Site) -> None:
    one.node.troubles = [Unavailable()]
    async with one.local.post("http://fa/v1/jobs", json=JOB) as answer:
        assert answer.status == 503 and answer.headers["Retry-After"] == "1"
        assert (await answer.json())["retry_after"] == 1


async def test_what_may_be_repeated_is_by_the_node_itself(one: Site) -> None:
    job = (await one.submit())["id"]
    one.node.troubles = [Unavailable()]
    assert (await one.post(f"/v1/jobs/{job}/hold"))[0] == 200
    one.node.troubles = [Unavailable()]
    assert (await one.post("/v1/jobs", json=JOB, headers={"Idempotency-Key": "k"}))[0] == 201
