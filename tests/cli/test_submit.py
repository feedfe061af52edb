"""`fa submit` and waiting: what is sent, what is shown while it runs, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fa.cli import waiting
from fa.cli.sources import mounts, names_volume, to_place
from fa.errors import Invalid
from tests.cli import samples as s
from tests.cli.conftest import Line
from tests.client.fake import Answer, Asked, FakeArray, problem


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)


def test_one(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/jobs"] = Answer(s.submitted(), 201)
    done = fa("submit", "san:in/clip.mxf", "-f", "proxy", "-p", "high", "--subject", "news", "--key", "k1")
    assert (done.code, done.out) == (0, "job/17 queued: san:in/clip.mxf -> proxy\n")
    [asked] = array.asked
    assert asked.json == {"source": "san:in/clip.mxf", "factory": "proxy", "priority": "high", "subject": "news"}
    assert asked.headers["Idempotency-Key"] == "k1"
    assert json.loads(fa("submit", "san:a", "-f", "proxy", "-o", "json").out)["durability"] == "mirrored"
    assert fa("submit", "san:a", "-f", "proxy", "-q").out == "17\n"


def test_one_copy_is_said(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/jobs"] = Answer(s.submitted(durability="solo"), 201)
    assert fa("submit", "san:a", "-f", "proxy").out.endswith("-> proxy (solo)\n")


def test_several_go_in_batches_of_which_each_has_its_key(fa: Line, array: FakeArray) -> None:
    def batch(asked: Asked) -> Answer:
        return Answer({"items": [s.job(i + 1) for i in range(len(asked.json["jobs"]))], "durability": "mirrored"}, 201)

    array.answers["POST /v1/jobs:batch"] = batch
    stdin = "".join(f"san:in/{number}.mxf\n" for number in range(600))
    done = fa("submit", "-", "-f", "proxy", "-f", "air", "--key", "k", "-q", stdin=stdin)
    assert done.code == 0 and len(done.out.splitlines()) == 1200
    assert [len(asked.json["jobs"]) for asked in array.asked] == [1000, 200]
    assert [asked.headers["Idempotency-Key"] for asked in array.asked] == ["k", "k-1"]


def test_a_path_below_a_volume(fa: Line, array: FakeArray, tmp_path: Path) -> None:
    array.answers["GET /v1/volumes"] = s.page({**s.VOLUME, "path": str(tmp_path)})
    array.answers["POST /v1/jobs"] = Answer(s.submitted(), 201)
    assert fa("submit", str(tmp_path / "in" / "clip 1.mxf"), "-f", "proxy").code == 0
    assert array.asked[-1].json["source"] == "san:in/clip 1.mxf"
    outside = fa("submit", "/nowhere/clip.mxf", "-f", "proxy")
    assert outside.code == 1 and f"san = {tmp_path}" in outside.err


@pytest.mark.parametrize(("text", "yes"), [("san:a", True), ("./san:a", False), ("/san:a", False), ("clip", False)])
def test_what_names_a_volume(text: str, yes: bool) -> None:
    assert names_volume(text) is yes


def test_mounts_of_the_node_that_was_asked_win() -> None:
    a, b = {**s.VOLUME, "path": "/mnt/a"}, {**s.VOLUME, "node": "b", "path": "/mnt/b"}
    assert mounts([a, b], "b") == [("san", "/mnt/b")]
    assert mounts([a, b], "c") == [("san", "/mnt/a"), ("san", "/mnt/b")]


def test_the_innermost_volume_wins_and_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "link").symlink_to("deep")
    mounted = [("outer", str(tmp_path)), ("inner", str(tmp_path / "deep"))]
    assert to_place(str(tmp_path / "deep" / "x"), mounted) == "inner:x"
    assert to_place(str(tmp_path / "link" / "x"), mounted[1:]) == "inner:x"
    with pytest.raises(Invalid):
        to_place(f"{tmp_path}x/y", mounted)


def test_dry_run(fa: Line, array: FakeArray) -> None:
    out = fa("submit", "san:a", "-f", "proxy", "--dry-run").out
    assert out == 'would ask: POST /v1/jobs {"source": "san:a", "factory": "proxy"}\n'
    assert not array.asked


def test_defer(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/jobs"] = Answer(s.submitted(), 201)
    assert fa("submit", "san:a", "-f", "proxy", "--defer", "2026-11-22T02:00:00+01:00").code == 0
    assert array.asked[0].json["defer_until"] == "2026-11-22T01:00:00.000Z"
    assert fa("submit", "san:a", "-f", "proxy", "--defer", "soon").code == 1


def test_wait_ends_with_what_was_made(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/jobs"] = Answer(s.submitted(), 201)
    array.answers["GET /v1/jobs/17"] = [
        Answer(s.detail(17, "queued")),
        Answer(s.detail(17, "running", s.running())),
        Answer(s.detail(17, "running", s.running(progress=0.9))),
        Answer(s.detail(17, "succeeded", s.succeeded())),
    ]
    done = fa("submit", "san:in/clip.mxf", "-f", "proxy", "--wait")
    assert done.code == 0
    assert done.out == f"JOB\tPRODUCT\tPATH\tSIZE\tSHA256\n17\tproxy\tsan:out/clip-proxy.mp4\t3210000\t{s.SHA}\n"
    assert done.err.splitlines() == [
        "job/17 queued: san:in/clip.mxf -> proxy",
        "job/17 proxy: queued",
        "job/17 proxy: running (flipping) on b",
        "job/17 proxy: succeeded on b",
    ]


def test_wait_says_why_a_job_failed(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs/17"] = s.detail(17, "failed", s.failed(), s.succeeded("poster"))
    done = fa("job", "wait", "17")
    assert done.code == 8
    assert "clip-poster.mp4" in done.out
    assert "job/17 proxy failed: moov atom not found\n" in done.err
    assert json.loads(fa("job", "wait", "17", "-o", "json").out)["state"] == "failed"


def test_one_failed_job_of_several_is_enough(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs/17"] = s.detail(17, "succeeded", s.succeeded())
    array.answers["GET /v1/jobs/18"] = s.detail(18, "cancelled", s.task(state="cancelled"))
    assert fa("job", "wait", "17", "18").code == 8
    assert fa("job", "wait", "17").code == 0


def test_wait_gives_up_in_time(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs/17"] = s.detail(17, "running", s.running())
    done = fa("job", "wait", "17", "--timeout", "0.01s")
    assert done.code == 7
    assert "fa job wait 17" in done.err


def test_wait_outlives_an_election(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs/17"] = [
        Answer(s.detail(17, "running", s.running())),
        Answer(drop=True),
        problem(503, "unavailable", "Electing."),
        Answer(s.detail(17, "succeeded", s.succeeded())),
    ]
    assert fa("job", "wait", "17").code == 0


def test_an_interrupt_leaves_the_jobs_and_says_how_to_go_on(
    fa: Line, array: FakeArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    array.answers["GET /v1/jobs/17"] = s.detail(17, "running", s.running())
    monkeypatch.setattr("fa.cli.waiting.time.sleep", interrupt)
    done = fa("job", "wait", "17")
    assert done.code == 130
    assert "The jobs go on. Wait again: fa job wait 17" in done.err


def test_a_dead_array_ends_the_waiting_but_not_the_jobs(
    fa: Line, array: FakeArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fa.cli.context.PATIENCE", 0.3)
    array.answers["GET /v1/jobs/17"] = Answer(drop=True)
    done = fa("job", "wait", "17")
    assert done.code == 6
    assert "Wait again: fa job wait 17" in done.err
