from __future__ import annotations

from fa.errors import Conflict
from tests.node.api.fake import Site


async def test_the_person_at_the_machine_reads_and_then_forces(one: Site) -> None:
    _, told = await one.get("/v1/force")
    assert told == {"array": "news", "node": "a",
                    "report": ["The copy ends at transaction 3.", "What came later is lost."]}  # fmt: skip
    assert (await one.post("/v1/force", json={"array": "new"}))[0] == 400 and not one.node.forced
    assert (await one.post("/v1/force", json={"array": "news"}))[1]["forced"] is True
    assert one.node.forced[0].startswith("local:")


async def test_it_works_without_a_coordinator(one: Site) -> None:
    from dataclasses import replace

    one.node.now = replace(one.node.now, coordinator=None, why="no majority of the voters answers")
    assert (await one.get("/v1/force"))[0] == 200
    assert (await one.post("/v1/force", json={"array": "news"}))[0] == 200


async def test_no_token_opens_it(one: Site) -> None:
    for method in ("GET", "POST"):
        body = {"json": {"array": "news"}} if method == "POST" else {}
        async with one.remote.request(method, f"{one.url}/v1/force", headers=one.bearer("admin"), **body) as answer:
            assert answer.status == 403
    assert not one.node.forced


async def test_the_cores_refusal_is_passed_on(one: Site) -> None:
    one.node.troubles.append(Conflict("This node leads already."))
    status, told = await one.post("/v1/force", json={"array": "news"})
    assert status == 409 and "leads already" in told["detail"]
