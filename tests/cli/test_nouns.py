"""Nodes, factories, monitors, volumes, the mirror: each command's good end and its problems."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fa.cli.main import main
from fa.cli.mirror import moment
from fa.errors import Invalid
from tests.cli import samples as s
from tests.cli.conftest import Line
from tests.client.fake import Answer, FakeArray, problem

RECIPE = 'name = "proxy"\n# Grüße\n'
MIRROR = {
    "state": "lock-step",
    "epoch": 3,
    "secondaries": ["b", "c"],
    "copies": [{"node": "b", "txid": 1234, "lag_ms": 3}, {"node": "c", "txid": 1233, "lag_ms": 9}],
}


def test_nodes(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/nodes"] = s.page(s.node(), s.node("b", "lost", quarantined=["proxy"]))
    assert fa("nodes").out == (
        "NAME\tSTATE\tSLOTS\tRUNS\tQUARANTINED\tVERSION\na\tup\tcpu:1/2\t1\t-\t0.1.0\nb\tlost\tcpu:1/2\t1\tproxy\t0.1.0\n"
    )
    assert fa("nodes", "-o", "name").out == "node/a\nnode/b\n"


def test_node_show(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/nodes/a"] = s.node(unhealthy={"volume:nas": "does not answer"})
    out = fa("node", "show", "a").out
    assert out.startswith("node/a  up\nslots                cpu:1/2\n")
    assert "not now: volume:nas  does not answer\n" in out
    assert "runs                 task 5.1\n" in out


@pytest.mark.parametrize(
    ("action", "said"), [("pause", "paused"), ("resume", "resumed"), ("drain", "drains"), ("remove", "removed")]
)
def test_node_actions(fa: Line, array: FakeArray, action: str, said: str) -> None:
    removed = action == "remove"
    line = "DELETE /v1/nodes/a" if removed else f"POST /v1/nodes/a/{action}"
    array.answers[line] = {"removed": "a"} if removed else s.node(state="paused")
    done = fa("node", action, "a")
    assert (done.code, done.out) == (0, f"node/a {said}" + ("\n" if removed else " (now paused)\n"))
    assert array.lines() == [line]
    assert fa("node", action, "nobody", "a").code == 3, "one that is not there does not keep the other from it"
    assert array.lines()[-1] == line
    assert fa("node", action, "a", "--dry-run").out == f"would ask: {line}\n"


def test_removing_a_node_wants_its_name_typed(fa: Line, array: FakeArray) -> None:
    array.answers["DELETE /v1/nodes/tx03"] = {"removed": "tx03"}
    assert fa("node", "remove", "tx03", stdin="y\n", tty=True).code == 1
    assert not array.asked
    assert fa("node", "remove", "tx03", stdin="tx03\n", tty=True).code == 0


def test_factories(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/factories"] = [Answer(s.page(s.FACTORY)), Answer(s.page())]
    assert fa("factories").out == ("NAME\tVERSION\tBY\tAGE\nproxy\t2\tlocal:root\t2026-01-02T03:04:06.000Z\n")
    assert "fa factory apply" in fa("factories").err


def test_a_factory_is_shown_as_it_was_applied(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/factories/proxy"] = {**s.FACTORY, "text": RECIPE, "warning": "No node can run it."}
    done = fa("factory", "show", "proxy", "--version", "2")
    assert (done.out, done.err) == (RECIPE, "warning: No node can run it.\n")
    assert array.lines() == ["GET /v1/factories/proxy?version=2"]


def test_apply(fa: Line, array: FakeArray, tmp_path: Path) -> None:
    array.answers["POST /v1/factories"] = s.FACTORY
    (tmp_path / "proxy.toml").write_text(RECIPE)
    assert fa("factory", "apply", "-f", str(tmp_path / "proxy.toml")).out == "factory/proxy applied (version 2)\n"
    assert array.asked[0].body.decode() == RECIPE
    assert array.asked[0].headers["Content-Type"] == "application/toml"
    assert fa("factory", "apply", "-f", "-", stdin=RECIPE, tty=False).code == 0
    array.answers["POST /v1/factories"] = {**s.FACTORY, "warning": "No node can run it."}
    flagged = fa("factory", "apply", "-f", "-", stdin=RECIPE, tty=False)
    assert (flagged.code, flagged.err) == (0, "warning: No node can run it.\n")
    assert fa("factory", "apply", "-f", str(tmp_path / "missing.toml")).code == 3
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    assert fa("factory", "apply", "-f", str(tmp_path / "bad.toml")).code == 1


def test_a_recipe_with_a_typo_says_where(fa: Line, array: FakeArray) -> None:
    bad = problem(422, "bad-recipe", "Not valid.", errors=[{"pointer": "/products/0/presett", "detail": "no such key"}])
    array.answers["POST /v1/factories:validate"] = bad
    done = fa("factory", "validate", "-f", "-", stdin=RECIPE)
    assert done.code == 1
    assert "/products/0/presett: no such key" in done.err


def test_validate(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/factories:validate"] = {"name": "proxy", "recipe": {}, "nodes": ["a", "b"], "warning": None}
    assert fa("factory", "validate", "-f", "-", stdin=RECIPE).out == "factory/proxy is valid; can run on: a b\n"


def test_test(fa: Line, array: FakeArray) -> None:
    good = {"product": "proxy", "ok": True, "bytes": 9, "seconds": 2.0, "video": ["h264 1x1"], "audio": ["aac"]}
    bad = {"product": "hd", "ok": False, "error": "no encoder"}
    array.answers["GET /v1/factories/proxy"] = {**s.FACTORY, "text": RECIPE}
    array.answers["POST /v1/factories:test"] = [Answer(s.page(good)), Answer(s.page(good, bad))]
    assert fa("factory", "test", "proxy").code == 0
    assert array.asked[1].body.decode() == RECIPE
    done = fa("factory", "test", "-f", "-", stdin=RECIPE)
    assert done.code == 1
    assert "hd\tfailed\t-\t-\t-\t-\t-\tno encoder\n" in done.out
    assert fa("factory", "test").code == 1


def test_versions_and_remove(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/factories/proxy/versions"] = s.page(s.FACTORY)
    array.answers["DELETE /v1/factories/proxy"] = {"removed": "proxy"}
    assert "proxy\t2\t" in fa("factory", "versions", "proxy").out
    assert fa("factory", "remove", "proxy", stdin="no\n", tty=True).code == 1
    assert fa("factory", "remove", "proxy").out == "factory/proxy removed\n"


def test_monitors(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/monitors"] = s.page(s.MONITOR)
    array.answers["GET /v1/monitors/news-in"] = s.MONITOR
    array.answers["POST /v1/monitors"] = s.MONITOR
    array.answers["POST /v1/monitors/news-in/disable"] = {**s.MONITOR, "state": "paused"}
    array.answers["POST /v1/monitors/news-in/enable"] = s.MONITOR
    assert "news-in\twatching\ta\t40\t1\t39\tclip.mxf\n" in fa("monitors").out
    shown = fa("monitor", "show", "news-in").out
    assert re.search(r"^factories +proxy$", shown, re.M)
    assert "growing  watch/news/live.mov  10.0 MB, 2.5 MB/s" in shown
    assert fa("monitor", "apply", "-f", "-", stdin="x").out == "monitor/news-in applied\n"
    assert fa("monitor", "disable", "news-in").out == "monitor/news-in disabled (now paused)\n"
    assert fa("monitor", "enable", "news-in").out == "monitor/news-in enabled (now watching)\n"


def test_what_a_monitor_would_do(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/monitors/news-in"] = s.MONITOR
    array.answers["POST /v1/monitors:test"] = s.MONITOR_TEST
    told = fa("monitor", "test", "news-in")
    assert told.code == 0 and "submit\twatch/news/a.mxf\t1000\tonce it stood still\n" in told.out
    assert "ignore\twatch/news/.b\t-\thidden\n" in told.out
    nothing = {"state": "disconnected", "why": "no folder", "files": []}
    array.answers["POST /v1/monitors:test"] = s.MONITOR_TEST | nothing
    gone = fa("monitor", "test", "-f", "-", stdin="x")
    assert gone.code == 1 and "disconnected: no folder" in gone.err
    assert "Say which monitor" in fa("monitor", "test").err


def test_removing_a_monitor(fa: Line, array: FakeArray) -> None:
    array.answers["DELETE /v1/monitors/news-in"] = {"removed": "news-in"}
    assert fa("monitor", "remove", "news-in", "--yes").out == "monitor/news-in removed\n"


def test_volumes(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/volumes"] = s.page(s.VOLUME)
    assert fa("volume", "list").out == "NAME\tNODE\tSTATE\tFREE\tTOTAL\tPATH\nsan\ta\thealthy\t5\t10\t/mnt/san\n"


def test_a_fresh_vote_of_a_volume_wants_its_name_typed_on_a_terminal(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/volumes/san/vote"] = {"voter": "volume:san"}
    assert fa("volume", "vote", "san", stdin="y\n", tty=True).code == 1
    assert array.lines() == []
    assert fa("volume", "vote", "san", stdin="san\n", tty=True).out == "volume/san has a fresh vote\n"
    assert json.loads(fa("volume", "vote", "san", "-o", "json").out) == {"voter": "volume:san"}
    assert array.lines() == ["POST /v1/volumes/san/vote"] * 2


def test_mirror_status(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/mirror"] = MIRROR
    assert fa("mirror", "status").out == (
        "mirror  lock-step\nepoch        3\nsecondaries  b c\n\nNODE\tTXID\tLAG_MS\nb\t1234\t3\nc\t1233\t9\n"
    )
    assert json.loads(fa("mirror", "status", "-o", "json").out) == MIRROR


def test_mirror_history(fa: Line, array: FakeArray) -> None:
    item = {"epoch": 3, "coordinator": "a", "before": "b", "at": "2026-01-02T03:04:06.000Z"}
    array.answers["GET /v1/mirror/history"] = s.page(item)
    assert "3\ta\tb\t-\t-\t-\t2026-01-02T03:04:06.000Z\n" in fa("mirror", "history").out
    item |= {"kind": "switch-over", "outage_seconds": 0.2345, "by": "admin:QX7"}
    assert "3\ta\tb\tswitch-over\t0.2s\tadmin:QX7\t" in fa("mirror", "history").out


def test_switchover_wants_the_name_typed_on_a_terminal(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/mirror/switchover"] = MIRROR
    assert fa("mirror", "switchover", "b", stdin="y\n", tty=True).code == 1
    assert fa("mirror", "switchover", "b", stdin="b\n", tty=True).code == 0
    assert fa("mirror", "switchover", "b").code == 0
    assert [asked.json for asked in array.asked] == [{"node": "b"}, {"node": "b"}]


def test_restore(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is restored is held by the tests of replication; here the way there."""
    words = ["mirror", "restore", str(tmp_path / "out.db"), "--dir", str(tmp_path / "a")]
    assert main(words) == 3
    (tmp_path / "a" / "replica").mkdir(parents=True)
    assert main(words) != 0, "there is nothing in it"
    assert main([*words, "--at", "sometime"]) == 1
    assert not (tmp_path / "out.db").exists()


def test_moments_of_a_restore() -> None:
    now = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert moment("", now) is None
    assert moment("txid:17", now) == 17
    assert moment("1 hour ago", now) == now - timedelta(hours=1)
    assert moment("2026-01-02T03:04:05Z", now) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for text in ("txid:x", "txid:" + "9" * 5000, "1d"):
        with pytest.raises(Invalid):
            moment(text, now)


def test_files_of_a_volume(fa: Line, array: FakeArray) -> None:
    def entry(name: str, kind: str = "file") -> dict[str, object]:
        place, size = f"san:in/{name}", 5 if kind == "file" else None
        return {
            "name": name,
            "kind": kind,
            "place": place,
            "bytes": size,
            "modified_at": "2026-01-02T03:04:06.000Z",
            "exact": True,
        }

    page = {"volume": "san", "path": "in", "node": "a", **s.page(entry("a.mxf"), entry("news", "folder"))}
    array.answers["GET /v1/volumes/san/files"] = page
    assert fa("volume", "files", "san", "in").out.splitlines()[1].split("\t")[:3] == ["a.mxf", "file", "5"]
    assert fa("volume", "files", "san:in/", "-q").out == "san:in/a.mxf\nsan:in/news\n"
    assert array.lines() == ["GET /v1/volumes/san/files?path=in&limit=101"] * 2
    cut = fa("volume", "files", "san:in", "--limit", "1")
    assert len(cut.out.splitlines()) == 2 and "There are more" in cut.err
