from __future__ import annotations

import pytest

from fa.core.model import NodeView
from tests.node.api.fake import FACTORY, OFFERS, Site, member

TOML = {"Content-Type": "application/toml"}
OTHER = FACTORY.replace('name = "proxy"', 'name = "other"', 1)


async def test_apply_show_and_list(one: Site) -> None:
    status, made = await one.post("/v1/factories", data=OTHER, headers=TOML)
    assert (status, made["name"], made["version"], made["nodes"], made["warning"]) == (200, "other", 1, ["a"], None)
    assert made["recipe"]["products"][0]["preset"] == "h264-mp4"
    changed = OTHER + "\n# a note\n"
    assert (await one.post("/v1/factories", data=changed))[1]["version"] == 2
    assert (await one.post("/v1/factories", data=changed))[1]["version"] == 2, "the same again changes nothing"
    assert (await one.get("/v1/factories/other?version=1"))[1]["text"] == OTHER
    _, versions = await one.get("/v1/factories/other/versions")
    assert [row["version"] for row in versions["items"]] == [2, 1]
    _, listed = await one.get("/v1/factories")
    assert [(row["name"], row["version"]) for row in listed["items"]] == [("other", 2), ("proxy", 1)]


async def test_json_is_kept_as_toml(one: Site) -> None:
    product = {"name": "p", "preset": "h264-mp4", "destination": "san:out/{job}-{product}.mp4", "args": ["-b:v", "1M"]}
    recipe = {"name": "fromjson", "priority": "high", "products": [product]}
    status, made = await one.post("/v1/factories", json=recipe)
    assert status == 200 and made["recipe"]["priority"] == 75
    assert 'name = "fromjson"' in made["text"]
    status, problem = await one.post("/v1/factories", json={"name": None})
    assert status == 422, problem


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"name = ", "TOML"),
        (b"\xff\xfe", "UTF-8"),
        (b"", "name"),
        (b'{"name": ', "truncated"),
        (OTHER.replace("preset", "presett").encode(), "preset"),
        (OTHER.replace("san:out/", "/etc/").encode(), "destination"),
    ],
)
async def test_a_wrong_recipe_is_told_why(one: Site, body: bytes, words: str) -> None:
    for path in ("/v1/factories", "/v1/factories:validate", "/v1/factories:test"):
        status, problem = await one.post(path, data=body, headers=TOML)
        assert status in (400, 422) and words.lower() in problem["detail"].lower()
        assert problem["errors"]
    assert len((await one.get("/v1/factories"))[1]["items"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("\n".join([OTHER, "# " + "x" * 70_000]), 413, "65536 bytes"),
        (".".join(["a"] * 250) + " = 1", 400, "dots"),
        (f"[{'.'.join(['a'] * 250)}]", 400, "dots"),
        ('{"name": "' + "." * 250 + '"}', 400, "dots"),
        (f"priority = {'9' * 5000}", 422, "digits"),
        (f'{{"priority": {"9" * 5000}}}', 400, ""),
        ('{"a":' * 400 + "1" + "}" * 400, 400, "nested"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/factories", "/v1/factories:validate", "/v1/factories:test", "/v1/monitors:test"])
async def test_a_text_that_would_take_long_to_read_is_not(
    one: Site, path: str, body: str, status: int, words: str
) -> None:
    """A key of 50,000 parts cost ten gigabytes of memory, and a text of a megabyte seconds, in which nothing else was
    answered."""
    told, problem = await one.post(path, data=body, headers=TOML)
    assert told == status and words in problem["detail"]


async def test_validate_says_which_nodes_could(one: Site) -> None:
    one.node.members.append(member("b", view=one.node.members[0].view.__class__("b", (("cpu", 0),))))
    status, told = await one.post("/v1/factories:validate", data=OTHER)
    assert (status, told["nodes"], told["warning"]) == (200, ["a"], None)
    status, told = await one.post("/v1/factories:validate", data='requires = ["tag:moon"]\n' + OTHER)
    assert told["nodes"] == [] and "No node" in told["warning"]
    assert len((await one.get("/v1/factories"))[1]["items"]) == 1


async def test_a_factory_that_nobody_can_run_is_kept_and_flagged(one: Site) -> None:
    hopeless = 'requires = ["tag:moon"]\n' + OTHER
    for status, told in (
        await one.post("/v1/factories", data=hopeless, headers=TOML),
        await one.call("PUT", "/v1/factories/third", data=hopeless.replace('"other"', '"third"'),
                       headers={"If-None-Match": "*"}),
        await one.get("/v1/factories/other"),
    ):  # fmt: skip
        assert (status, told["version"], told["nodes"]) == (200, 1, [])
        assert told["warning"].startswith(f"No node of the array can run product proxy of {told['name']}")


async def test_what_a_node_that_was_not_heard_yet_could_do_is_not_denied(one: Site) -> None:
    one.node.members.append(member("b", view=NodeView("b", (), up=False)))
    status, told = await one.post("/v1/factories:validate", data='requires = ["tag:moon"]\n' + OTHER)
    assert (status, told["nodes"], told["warning"]) == (200, [], None)


async def test_each_product_may_have_a_node_of_its_own(one: Site) -> None:
    two = OTHER + OTHER.split("\n", 2)[2].replace('"proxy"', '"tool"').replace("preset =", "slot = 'gpu'\npreset =")
    status, told = await one.post("/v1/factories:validate", data=two)
    assert (status, told["nodes"]) == (200, ["a"])
    assert told["warning"].startswith("No node of the array can run product tool of other: its jobs would wait")
    one.node.members.append(member("b", view=NodeView("b", (("gpu", 1),), offers=OFFERS)))
    status, told = await one.post("/v1/factories:validate", data=two)
    assert (status, told["nodes"], told["warning"]) == (200, ["a", "b"], None)


async def test_put_wants_to_know_what_was_seen(one: Site) -> None:
    async with one.local.get("http://fa/v1/factories/proxy") as answer:
        seen = answer.headers["ETag"]
    changed, path = FACTORY + "# 2\n", "/v1/factories/proxy"
    assert (await one.call("PUT", path, data=changed))[1]["code"] == "precondition-required"
    assert (await one.call("PUT", path, data=changed, headers={"If-None-Match": "*"}))[1]["code"] == "stale"
    assert (await one.call("PUT", path, data=changed, headers={"If-Match": '"nonsense"'}))[0] == 412
    status, put = await one.call("PUT", path, data=changed, headers={"If-Match": seen})
    assert (status, put["version"]) == (200, 2)
    assert (await one.call("PUT", path, data=changed + "# 3\n", headers={"If-Match": seen}))[0] == 412
    status, problem = await one.call("PUT", "/v1/factories/another", data=changed, headers={"If-Match": '"2"'})
    assert status == 400 and "another" in problem["detail"]


async def test_removed_is_not_offered(one: Site) -> None:
    assert (await one.call("DELETE", "/v1/factories/proxy"))[0] == 200
    assert (await one.get("/v1/factories/proxy"))[0] == 404
    assert (await one.get("/v1/factories/proxy?version=1"))[0] == 200
    assert (await one.post("/v1/jobs", json={"source": "san:a.mxf", "factory": "proxy"}))[0] == 404
    assert (await one.call("DELETE", "/v1/factories/none"))[0] == 404
    assert (await one.get("/v1/factories/none/versions"))[0] == 404


async def test_a_test_runs_on_this_node(one: Site) -> None:
    status, told = await one.post("/v1/factories:test", data=FACTORY)
    assert status == 200 and told["items"] == [{"product": "proxy", "ok": True}]


async def test_who_may_not_make_factories_runs_no_program_of_the_site_by_a_test(one: Site) -> None:
    """What the program is told to do is in the recipe that comes with the request."""
    body = FACTORY.replace('preset = "h264-mp4"', 'exec = ["tool", "--delete", "{input}", "{output}"]')
    assert body != FACTORY
    for text, role, expected in ((body, "operator", 403), (body, "admin", 200), (FACTORY, "operator", 200)):
        url, headers = f"{one.url}/v1/factories:test", one.bearer(role) | TOML
        async with one.remote.post(url, data=text, headers=headers) as answer:
            assert answer.status == expected, await answer.text()
