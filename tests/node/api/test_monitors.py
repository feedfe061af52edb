from __future__ import annotations

import pytest

from fa.core.arrivals import Sighting
from fa.core.monitor_commands import AssignMonitor, TakeArrival
from fa.core.watch_messages import Growing, WatchStatus
from tests.node.api.fake import Site, member

TOML = {"Content-Type": "application/toml"}
TEXT = 'name = "news-in"\nfolder = "san:watch/news"\nfactories = ["proxy"]\n'


async def test_apply_show_and_list(one: Site) -> None:
    status, made = await one.post("/v1/monitors", data=TEXT, headers=TOML)
    assert (status, made["name"], made["version"], made["state"], made["owner"]) == (
        200,
        "news-in",
        1,
        "watching",
        None,
    )
    assert made["settings"]["quiet"] == 5.0 and made["text"] == TEXT
    assert (await one.post("/v1/monitors", data=TEXT))[1]["version"] == 1, "the same again changes nothing"
    assert (await one.post("/v1/monitors", data=TEXT + "recursive = true\n"))[1]["version"] == 2
    _, listed = await one.get("/v1/monitors")
    assert [(row["name"], row["folder"]) for row in listed["items"]] == [("news-in", "san:watch/news")]
    assert (await one.get("/v1/monitors/other"))[0] == 404


async def test_json_is_kept_as_toml(one: Site) -> None:
    body = {"name": "m", "folder": "san:in", "factories": ["proxy"], "include": ["*.mxf"], "poll": "1s"}
    status, made = await one.post("/v1/monitors", json=body)
    assert status == 200 and made["settings"]["include"] == ["*.mxf"] and 'poll = "1s"' in made["text"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"name = ", 422, "TOML"),
        (b"\xff", 400, "UTF-8"),
        (TEXT.replace("factories", "factory").encode(), 422, "did you mean 'factories'?"),
        (TEXT.replace("proxy", "nope").encode(), 422, "'nope', which does not exist"),
        ((TEXT + 'node = "z"\n').encode(), 422, "'z', which is no node"),
    ],
)
async def test_a_wrong_monitor_is_told_why(one: Site, body: bytes, status: int, words: str) -> None:
    told, problem = await one.post("/v1/monitors", data=body, headers=TOML)
    assert told == status and words in problem["detail"]
    assert (await one.get("/v1/monitors"))[1]["items"] == []


async def test_changes_say_which_version_they_saw(one: Site) -> None:
    one.add_monitor()
    async with one.local.get("http://fa/v1/monitors/news-in") as answer:
        tag = answer.headers["ETag"]
    changed = TEXT + 'quiet = "9s"\n'
    assert (await one.call("PUT", "/v1/monitors/news-in", data=changed, headers=TOML))[0] == 428
    assert (await one.call("PUT", "/v1/monitors/other", data=changed, headers={**TOML, "If-Match": tag}))[0] == 400
    status, made = await one.call("PUT", "/v1/monitors/news-in", data=changed, headers={**TOML, "If-Match": tag})
    assert (status, made["settings"]["quiet"]) == (200, 9.0)
    status, problem = await one.call("PUT", "/v1/monitors/news-in", data=TEXT, headers={**TOML, "If-Match": tag})
    assert (status, problem["code"]) == (412, "stale")


async def test_enable_and_disable(one: Site) -> None:
    one.add_monitor()
    status, made = await one.post("/v1/monitors/news-in/disable")
    assert (status, made["state"], made["enabled"], made["version"]) == (200, "paused", False, 2)
    assert (await one.post("/v1/monitors/news-in/disable"))[1]["version"] == 2, "repeatable"
    assert (await one.post("/v1/monitors/news-in/enable"))[1]["state"] == "watching"
    assert (await one.post("/v1/monitors/other/enable"))[0] == 404
    _, told = await one.get("/v1/events?kind=monitor.*")
    assert [event["kind"] for event in told["items"]] == ["monitor.enabled", "monitor.disabled", "monitor.saved"]


async def test_what_its_owner_says_is_shown(one: Site) -> None:
    one.add_monitor()
    one.node.store.apply(AssignMonitor(1, "b", "it had no owner", 1))
    growing = (Growing("watch/news-in/live\udcff.mov", 1_000_000, 250_000.4),)
    one.node.watched["news-in"] = WatchStatus(1, 1, "error", "no index", 7, 2, 1, 15, growing)
    seen = Sighting("watch/news-in/a\udcff\n.mxf", 10, 20, 30, "ab")
    one.node.store.apply(TakeArrival(1, seen, 1))
    _, told = await one.get("/v1/monitors/news-in")
    assert (told["state"], told["owner"], told["last_error"]) == ("error", "b", "no index")
    assert (told["seen"], told["settling"], told["refused"], told["submitted"]) == (7, 2, 1, 1)
    assert told["growing"] == [{"path": "watch/news-in/live\\xff.mov", "size": 1_000_000, "rate": 250_000}]
    assert (await one.get("/v1/monitors"))[1]["items"][0]["growing"] == told["growing"]
    assert told["last_file"] == "watch/news-in/a\\xff\n.mxf"
    _, jobs = await one.get("/v1/jobs?q=monitor:news-in")
    assert [(job["monitor"], job["submitted_by"]) for job in jobs["items"]] == [("news-in", "monitor:news-in")]
    await one.post("/v1/monitors/news-in/disable")
    assert (await one.get("/v1/monitors/news-in"))[1]["state"] == "paused"


async def test_remove(one: Site) -> None:
    one.add_monitor()
    assert (await one.call("DELETE", "/v1/monitors/news-in"))[0] == 200
    assert (await one.call("DELETE", "/v1/monitors/news-in"))[0] == 404


async def test_a_look_by_a_node_that_has_the_volume(one: Site) -> None:
    status, told = await one.post("/v1/monitors:test", data=TEXT, headers=TOML)
    assert (status, told["node"]) == (200, "a")
    status, problem = await one.post("/v1/monitors:test", data=TEXT.replace("san:", "nas:"), headers=TOML)
    assert status == 404 and "No node" in problem["detail"]
    one.node.members[:] = [member("a", state="lost")]
    assert (await one.post("/v1/monitors:test", data=TEXT, headers=TOML))[0] == 404
    assert (await one.post("/v1/peer/monitors:test", data=TEXT))[0] == 403, "for other nodes"


async def test_metrics_of_monitors(one: Site) -> None:
    one.node.watched["news-in"] = WatchStatus(1, 1, "disconnected", "gone", 7, 2)
    async with one.local.get("http://fa/metrics") as answer:
        text = await answer.text()
    assert 'fa_monitor_files{monitor="news-in",what="seen"} 7.0' in text
    assert 'fa_monitor_state{monitor="news-in",state="disconnected"} 1.0' in text
    assert 'fa_monitor_state{monitor="news-in",state="watching"} 0.0' in text
