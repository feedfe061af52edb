"""Slots that are kept for urgent work, in what people are told: the rest can never have them."""

from __future__ import annotations

from fa.core.model import NodeView, Reserve
from tests.node.api.fake import FACTORY, OFFERS, Site, member

OTHER = FACTORY.replace('name = "proxy"', 'name = "other"', 1)
FOREVER = "No node of the array can run product proxy of other at priority 50: its slots are kept for more urgent work."


def keep_all(site: Site) -> None:
    site.node.members[0] = member("a", view=NodeView("a", (("cpu", 2),), offers=OFFERS, reserve=(Reserve(75, 2),)))


async def test_a_factory_that_is_not_urgent_enough_for_any_slot_is_warned_of(one: Site) -> None:
    keep_all(one)
    _, told = await one.post("/v1/factories:validate", data=OTHER)
    assert (told["nodes"], told["warning"]) == ([], FOREVER)
    _, told = await one.post("/v1/factories:validate", data='priority = "high"\n' + OTHER)
    assert (told["nodes"], told["warning"]) == (["a"], None)
    _, told = await one.post("/v1/factories:validate", data='requires = ["tag:moon"]\n' + OTHER)
    assert told["warning"].startswith("No node of the array can run product proxy of other: its jobs would wait")
    one.node.members.append(member("b"))
    _, told = await one.post("/v1/factories:validate", data=OTHER)
    assert (told["nodes"], told["warning"]) == (["b"], None)


async def test_why_says_that_it_never_runs(one: Site) -> None:
    keep_all(one)
    _, why = await one.get(f"/v1/jobs/{(await one.submit())['id']}/why")
    assert why["never"] is True
    assert "can never run as the array is set up: a keeps all but 0 of its 2 cpu slots" in why["text"]
    assert why["tasks"][0]["nodes"][0]["passes"] is False
    _, why = await one.get(f"/v1/jobs/{(await one.submit(priority=75))['id']}/why")
    assert why["never"] is False
