"""`fa jobs`, `fa job …`, `fa why`."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from tests.cli import samples as s
from tests.cli.conftest import Line
from tests.client.fake import Answer, FakeArray, problem


def test_a_list_in_a_pipe(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs"] = s.page(s.job(18, "running", s.running(), s.succeeded("poster")), s.job(17))
    done = fa("jobs", "state:running,queued", "since:24h")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "ID\tSTATE\tPRI\tDONE\tNODE\tFACTORY\tSOURCE\tAGE\n"
        "18\trunning\t50\t71%\tb\tproxy\tsan:in/clip.mxf\t2026-01-02T03:04:06.000Z\n"
        "17\tqueued\t50\t-\t-\tproxy\tsan:in/clip.mxf\t2026-01-02T03:04:06.000Z\n"
    )
    assert array.lines() == ["GET /v1/jobs?q=state%3Arunning%2Cqueued+since%3A24h&limit=50"]


def test_an_order_may_begin_with_a_minus(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs"] = s.page(s.job())
    assert fa("jobs", "--sort", "-priority", "state:queued").code == 0
    assert array.lines() == ["GET /v1/jobs?q=state%3Aqueued&limit=50&sort=-priority"]


def test_every_format(fa: Line, array: FakeArray) -> None:
    listed = s.page(s.job(17, source='san:in/a,"b".mxf'), s.job(18), next="cursor")
    array.answers["GET /v1/jobs"] = listed
    assert json.loads(fa("jobs", "-o", "json").out) == listed
    assert [json.loads(line)["id"] for line in fa("jobs", "-o", "ndjson").out.splitlines()] == [17, 18]
    assert fa("jobs", "-o", "name").out == "job/17\njob/18\n"
    assert fa("jobs", "-q").out == "17\n18\n"
    rows = list(csv.DictReader(io.StringIO(fa("jobs", "-o", "csv").out)))
    assert [row["source"] for row in rows] == ['san:in/a,"b".mxf', "san:in/clip.mxf"]
    assert "VERSION" in fa("jobs", "-o", "wide").out
    assert fa("jobs", "--no-header").out.startswith("17\t")


def test_more_pages_are_told_and_fetched(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs"] = s.page(s.job(17), next="cursor7")
    assert "--after cursor7" in fa("jobs", "--limit", "1").err
    array.answers["GET /v1/jobs"] = [Answer(s.page(s.job(17), next="cursor7")), Answer(s.page(s.job(16)))]
    assert fa("jobs", "--all", "-q").out == "17\n16\n"
    assert array.lines()[-1] == "GET /v1/jobs?after=cursor7&limit=500"


def test_no_job(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs"] = s.page()
    done = fa("jobs")
    assert (done.out, done.err) == ("", "no job\n")
    assert json.loads(fa("jobs", "-o", "json").out)["items"] == []


def test_hostile_names_stay_one_clean_cell(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs"] = s.page(s.job(17, source=f"san:{s.HOSTILE}", subject=s.HOSTILE))
    array.answers["GET /v1/jobs/17"] = s.detail(17, "failed", s.failed(), source=f"san:{s.HOSTILE}")
    for words in (("jobs",), ("jobs", "-o", "wide"), ("jobs", "-o", "csv"), ("job", "show", "17")):
        out = fa(*words).out
        assert s.HOSTILE_SHOWN in out
        assert re.sub(r"[\n\t]", "", out).isprintable()
    assert json.loads(fa("jobs", "-o", "json").out)["items"][0]["subject"] == s.HOSTILE


def test_show(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs/17"] = s.detail(17, "running", s.running(), s.succeeded("poster"), s.failed("hd"))
    out = fa("job", "show", "job/17").out
    assert out.startswith("job/17  running\nsource           san:in/clip.mxf\n")
    assert "proxy  running  flipping 43% on b eta 0:01:02\n" in out
    assert f"  san:out/clip-poster.mp4  3.2 MB  sha256:{s.SHA}\n" in out
    assert "hd  failed\n  moov atom not found\n  [mov] second line\n" in out
    assert "proxy\t1\tb\tfailed\t2026-01-02T03:04:10.000Z" in out
    assert json.loads(fa("job", "show", "17", "-o", "json").out)["id"] == 17


@pytest.mark.parametrize(
    ("action", "sentence"),
    [("cancel", "cancelled"), ("retry", "queued again"), ("hold", "held"), ("release", "released")],
)
def test_actions(fa: Line, array: FakeArray, action: str, sentence: str) -> None:
    array.answers[f"POST /v1/jobs/17/{action}"] = s.job(17, "held")
    done = fa("job", action, "17")
    assert (done.code, done.out) == (0, f"job/17 {sentence} (now held)\n")
    assert fa("job", action, "17", "-o", "name").out == "job/17\n"
    assert json.loads(fa("job", action, "17", "-o", "json").out)["state"] == "held"


def test_ids_from_stdin_and_a_problem_with_one_of_them(fa: Line, array: FakeArray) -> None:
    good = {"ok": True, "state": "queued", "code": None, "detail": None}
    bad = {"id": 2, "ok": False, "state": None, "code": "conflict", "detail": "Job 2 runs."}
    array.answers["POST /v1/jobs:retry"] = {"action": "retry", "items": [{"id": 1, **good}, bad, {"id": 3, **good}]}
    done = fa("job", "retry", "-", "3", stdin="job/1\n2\n\n3\n")
    assert done.code == 5
    assert done.out == "job/1 queued again (now queued)\njob/3 queued again (now queued)\n"
    assert done.err == "fa: Job 2 runs.\n"
    assert array.asked[0].json == {"ids": [1, 2, 3]}
    assert fa("job", "retry", "1", "2", "-q").out == "1\n3\n"
    assert len(json.loads(fa("job", "retry", "1", "2", "-o", "json").out)["items"]) == 3
    assert fa("job", "retry", "1", "x").code == 1


def test_thousands_go_in_batches(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/jobs:hold"] = {"action": "hold", "items": []}
    assert fa("job", "hold", "-", stdin="".join(f"{number}\n" for number in range(1, 1502))).code == 0
    assert [len(asked.json["ids"]) for asked in array.asked] == [1000, 501]


def part(action: str, ids: range, further: int | None = None) -> dict[str, Any]:
    items = [{"id": each, "ok": True, "state": "cancelled", "code": None, "detail": None} for each in ids]
    return {"action": action, "items": items, "next": further}


def test_all_that_match_as_a_fixed_set(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/selections"] = s.SELECTION
    answers = [part("cancel", range(1, 4), 3), part("cancel", range(4, 5))]
    array.answers["POST /v1/jobs:cancel"] = lambda asked: answers[0 if asked.json["after"] == 0 else 1]
    done = fa("job", "cancel", "--query", "state:queued,running", tty=True, stdin="y\n")
    assert done.code == 0
    assert "Cancel 1,200 jobs (1,199 queued, 1 running)?" in done.err and "job/17  running" in done.err
    assert done.out.splitlines() == [f"job/{each} cancelled (now cancelled)" for each in range(1, 5)]
    assert [asked.json for asked in array.asked] == [
        {"q": "state:queued,running"},
        {"selection": "tok", "after": 0, "without": []},
        {"selection": "tok", "after": 3, "without": []},
    ]
    assert fa("job", "cancel", "--query", "", "-q").out == "1\n2\n3\n4\n"
    assert len(json.loads(fa("job", "cancel", "--query", "", "-o", "json").out)["items"]) == 4


def test_a_set_is_not_acted_on_without_a_yes(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/selections"] = s.SELECTION
    assert fa("job", "hold", "--query", "x", tty=True, stdin="n\n").code == 1
    dry = fa("job", "prio", "low", "--query", "x", "--dry-run")
    assert dry.code == 0 and "would ask: Give priority low to 1,200 jobs" in dry.out and "job/17" in dry.out
    array.answers["POST /v1/selections"] = {**s.SELECTION, "count": 0, "sample": []}
    nothing = fa("job", "retry", "--query", "x")
    assert nothing.code == 0 and nothing.err == "no job matches\n"
    assert {line for line in array.lines() if line.startswith("POST")} == {"POST /v1/selections"}


def test_a_set_that_is_gone_says_how_far_it_came(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/selections"] = s.SELECTION

    def answer(asked: Any) -> Any:
        gone = problem(410, "selection-gone", "This selection is not kept any more. List the jobs again.")
        return gone if asked.json["after"] else part("release", range(1, 4), 3)

    array.answers["POST /v1/jobs:release"] = answer
    done = fa("job", "release", "--query", "x")
    assert done.code == 5 and len(done.out.splitlines()) == 3
    assert "3 jobs of the set were done." in done.err and "List the jobs again" in done.err


def test_ids_or_a_query(fa: Line, array: FakeArray) -> None:
    assert fa("job", "cancel").code == fa("job", "cancel", "17", "--query", "x").code == 2
    assert fa("job", "prio", "60").code == 2 and not array.asked


def test_priority_of_many_goes_in_one_request(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/jobs:priority"] = part("priority", range(17, 19))
    done = fa("job", "prio", "60", "17", "18")
    assert done.out.splitlines()[0] == "job/17 has priority 60 (now cancelled)"
    assert [asked.json for asked in array.asked] == [{"ids": [17, 18], "priority": 60}]


def test_priority(fa: Line, array: FakeArray) -> None:
    array.answers["PATCH /v1/jobs/17"] = s.job(17)
    assert fa("job", "prio", "urgent", "17").out == "job/17 has priority urgent (now queued)\n"
    assert fa("job", "prio", "60", "17").code == 0
    assert [asked.json for asked in array.asked] == [{"priority": "urgent"}, {"priority": 60}]
    assert fa("job", "prio", "soon", "17").code == 2


def test_dry_run_asks_for_nothing(fa: Line, array: FakeArray) -> None:
    out = fa("job", "cancel", "17", "--dry-run").out + fa("job", "prio", "60", "17", "--dry-run").out
    assert out == 'would ask: POST /v1/jobs/17/cancel\nwould ask: PATCH /v1/jobs/17 {"priority": 60}\n'
    assert not array.asked


def test_cancel_is_confirmed_on_a_terminal_with_the_objects(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs/17"] = s.detail(17, "running", s.running())
    array.answers["POST /v1/jobs/17/cancel"] = s.job(17, "cancelled")
    refused = fa("job", "cancel", "17", stdin="n\n", tty=True)
    assert refused.code == 1 and "job/17  running  san:in/clip.mxf" in refused.err
    assert array.lines() == ["GET /v1/jobs/17"]
    assert fa("job", "cancel", "17", stdin="y\n", tty=True).code == 0
    assert fa("job", "cancel", "17", "--yes", tty=True).code == 0


def test_log(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs/17"] = s.detail(17, "running", s.running(), s.task("poster"))
    array.answers["GET /v1/jobs/17/attempts/1/log"] = b"frame=1\rframe=2\n\x1b[31mred\n"
    assert fa("job", "log", "17").out == "frame=1\nframe=2\n\\x1b[31mred\n"
    assert array.lines()[-1] == "GET /v1/jobs/17/attempts/1/log?product=proxy&offset=-65536"
    fa("job", "log", "17", "--product", "proxy", "--attempt", "3", "--all")
    assert array.lines()[-1] == "GET /v1/jobs/17/attempts/3/log?product=proxy"


def test_which_log_is_asked_for(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs/17"] = s.detail(17, "running", s.running(), s.succeeded("poster"))
    assert "--product proxy or poster" in fa("job", "log", "17").err
    assert fa("job", "log", "17", "--product", "none").code == 3
    array.answers["GET /v1/jobs/17"] = s.detail(17)
    assert "fa why 17" in fa("job", "log", "17").err


def test_why(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs/17/why"] = s.WHY
    assert fa("why", "17").out == ("job/17  queued: waits for a slot\nproxy  waits\n  a  has no open slot\n")
    assert json.loads(fa("why", "17", "-o", "json").out) == s.WHY
    assert fa("why", "17", "-q").out == "a\n"


def test_not_found(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs/9"] = problem(
        404, "not-found", "There is no job 9. `fa jobs` lists them.", request_id="r"
    )
    done = fa("job", "show", "9")
    assert (done.code, done.out) == (3, "")
    assert done.err == "fa: There is no job 9. `fa jobs` lists them. (asked a, request r)\n"
