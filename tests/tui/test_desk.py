"""Stories at the desk: what a key does, to the array and to the screen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fa.client.feed import Live, Relist, Stale
from fa.tui.host import Copy, Mouse, Quit, Redraw, Save
from fa.tui.look import Look
from fa.tui.values import Monitor
from fa.tui.views.monitors import not_taken
from tests.tui import fake
from tests.tui.fake import Array
from tests.tui.world import Seat

# going about


@pytest.mark.parametrize(
    ("key", "shows"),
    [("1", "Running 8"), ("2", "all jobs"), ("3", "coordinator"), ("4", "hls-ladder"), ("5", "DISCONNECTED"),
     ("6", "Take-overs"), ("7", "node c is lost")],
)  # fmt: skip
def test_numbers_go_to_the_screens(key: str, shows: str) -> None:
    assert shows in Seat().press(key).text


def test_enter_opens_and_escape_goes_back() -> None:
    seat = Seat(width=80, height=24)
    for number, shows in (("1", "Job 993"), ("2", "Job 1000"), ("3", "Node a"), ("4", "Factory proxy"),
                          ("5", "Monitor news-in")):  # fmt: skip
        assert f"› {shows}" in seat.press(number, "enter").screen[1]
        assert "›" not in seat.press("escape").screen[1]


def test_an_event_opens_what_it_is_about() -> None:
    seat = Seat()
    assert "› Node c" in seat.press("7", "enter").screen[1]
    assert "› Job 999" in seat.press("7", "down", "enter").screen[1]


def test_moves() -> None:
    seat = Seat().press("2")
    for key, at in (("j", 1), ("down", 2), ("k", 1), ("up", 0), ("pagedown", 17), ("ctrl+u", 0), ("ctrl+d", 17),
                    ("g", 0)):  # fmt: skip
        assert seat.press(key).desk.jobs.roll.at == at


# a million jobs


def test_a_million_jobs_are_walked_through_in_windows() -> None:
    seat = Seat(Array(total=1_000_000)).press("2")
    assert "Jobs 1 of 1,000,00" in seat.text
    for _ in range(120):
        seat.press("pagedown")
    jobs = seat.desk.jobs
    assert jobs.window.rows[jobs.roll.at].id == 1_000_000 - 120 * 17
    assert len(jobs.window) <= 1600, "pages far away are let go"
    for _ in range(120):
        seat.press("pageup")
    assert jobs.window.rows[jobs.roll.at].id == 1_000_000
    assert all("offset" not in line for line in seat.asked("GET /v1/jobs")), "pages go by keys"


def test_the_end_is_one_request_away_and_pages_up_from_there() -> None:
    seat = Seat(Array(total=1_000_000)).press("2", "G")
    assert "v1.mxf" in seat.text and "Jobs …" in seat.text
    for _ in range(12):
        seat.press("pageup")
    jobs = seat.desk.jobs
    assert jobs.window.rows[jobs.roll.at].id == 1 + 12 * 17
    assert "v1000000.mxf" in seat.press("g").text


def test_new_jobs_do_not_move_what_one_looks_at() -> None:
    seat = Seat().press("2", "pagedown")
    before = seat.screen[5:]
    seat.array.total += 3
    for number in (1001, 1002, 1003):
        seat.tell("job", {"id": number, "state": "queued", "was": None})
    seat.tick()
    assert "▲ 3 newer (g)" in seat.text and seat.screen[5:-12] == before[:-12]
    seat.press("g")
    assert seat.desk.jobs.window.rows[0].id == 1003 and "newer" not in seat.text


def test_at_the_top_the_list_follows() -> None:
    seat = Seat().press("2")
    seat.array.total += 1
    seat.tell("job", {"id": 1001, "state": "queued"}).tick()
    assert "v1001.mxf" in seat.text
    seat.press("F")
    seat.array.total += 1
    seat.tell("job", {"id": 1002, "state": "queued"}).tick()
    assert "v1002.mxf" not in seat.text and "▲ 1 newer" in seat.text


def test_what_happens_while_the_list_is_read_is_not_forgotten() -> None:
    """The page was read before the job was there, and arrives after the news of it."""
    seat = Seat().press("2")
    seat.held = True
    seat.desk.jobs.reload()
    seat.settle()
    (asked,) = seat.waiting
    early: list[object] = []
    seat.reply(replace(asked, then=early.append))
    seat.held, seat.waiting = False, []
    seat.array.total += 1
    seat.tell("job", {"id": 1001, "state": "queued"})
    asked.then(early[0])
    assert "v1001.mxf" not in seat.text
    assert "v1001.mxf" in seat.tick().text


def test_with_a_filter_what_begins_to_match_appears() -> None:
    seat = Seat().press("2", "/").type("state:held").press("enter")
    seat.array.changed[1000] = {"state": "held"}
    seat.tell("job", {"id": 1000, "state": "held", "was": "queued"}).tick()
    assert " 1000 " in seat.screen[5]
    seat.press("down")
    seat.array.changed[999] = {"state": "held"}
    seat.tell("job", {"id": 999, "state": "held", "was": "queued"}).tick()
    assert "▲ newer (g)" in seat.text and " 999 " not in seat.text


def test_what_is_wrong_with_the_array_is_told_in_its_own_words() -> None:
    assert "node c is lost" in Seat(width=80, height=24).screen[2]


def test_the_delay_of_commits_is_sampled_on_every_screen() -> None:
    seat = Seat()
    for _ in range(20):
        seat.tick()
    assert 8 <= len(seat.desk.world.delays) <= 12


def test_a_change_that_the_stream_tells_is_read_from_the_array() -> None:
    seat = Seat().press("2")
    seat.array.changed[998] = {"state": "failed"}
    seat.tell("job", {"id": 998, "state": "failed", "was": "running"}).tick()
    row = next(line for line in seat.screen if " 998 " in line)
    assert "✗ FAIL" in row


def test_progress_moves_the_bars_without_asking() -> None:
    seat = Seat().press("2")
    asked = len(seat.array.asked)
    seat.tell("progress", {"9990": {"phase": "delivering", "progress": 0.97, "fps": 50, "speed": 2, "eta": 3}})
    row = next(line for line in seat.screen if " 999 " in line)
    assert "d 97%" in row and len(seat.array.asked) == asked


# the filter


def test_a_filter_works_while_it_is_typed() -> None:
    seat = Seat().press("2", "/").type("state:fail")
    assert not any("state%3Afail" in line for line in seat.array.asked)
    seat.tick(0.3)
    assert all("FAIL" in line for line in seat.screen[5:18])
    seat.press("enter")
    assert "/ state:fail" in seat.text
    assert "all jobs" in seat.press("escape").text


def test_escape_while_typing_leaves_the_filter_as_it_was() -> None:
    seat = Seat().press("2", "/").type("state:fail").tick(0.3).press("escape")
    assert "all jobs" in seat.text and "RUN" in seat.text


def test_a_wrong_filter_is_told_and_not_sent() -> None:
    seat = Seat().press("2", "/").type("state:broken").tick(0.3)
    assert "'broken' is not a state" in seat.text
    seat.press("enter")
    assert "not a state" in seat.toast and not any("broken" in line for line in seat.array.asked)


def test_an_answer_to_an_earlier_filter_comes_too_late() -> None:
    seat = Seat().press("2")
    seat.held = True
    seat.desk.jobs.filter("state:held")
    seat.desk.jobs.filter("state:failed")
    seat.settle()
    seat.waiting.reverse()
    seat.release()
    assert all("FAIL" in line for line in seat.screen[5:18])


# marks and what is done to jobs


def test_cancel_lists_what_it_would_cancel_and_does_nothing_by_default() -> None:
    seat = Seat().press("2", "c")
    assert "Cancel 1 job?" in seat.text and "$ fa job cancel 1000" in seat.text and "of work" in seat.text
    for key in ("enter", "space", "escape"):
        seat.press(key)
    assert not seat.writes() and "Cancel" not in seat.text.replace("c Cancel", "")


def test_cancel_acts_on_the_listed_jobs_once() -> None:
    seat = Seat().press("2", "space", "space", "c")
    seat.held = True
    seat.press("y", "y", "y")
    seat.release()
    assert seat.writes() == ["POST /v1/jobs:cancel"] and seat.array.bodies == [{"ids": [1000, 999]}]
    assert "2 jobs cancelled; u takes it back (retry)" in seat.toast
    assert not seat.desk.jobs.marks
    seat.tick()
    assert sum("CNCL" in line for line in seat.screen[5:8]) == 2


def test_undo_takes_it_back() -> None:
    seat = Seat().press("2", "c", "y", "u")
    assert seat.writes() == ["POST /v1/jobs/1000/cancel", "POST /v1/jobs/1000/retry"]
    assert "nothing to take back" in seat.press("u", "u").toast or len(seat.writes()) == 3


def test_what_a_state_does_not_allow_is_not_sent() -> None:
    seat = Seat().press("2")
    for key, why in (("r", "a job that is running cannot be queued again"),
                     ("h", "a job that is running cannot be held"),
                     ("H", "a job that is running cannot be released")):  # fmt: skip
        assert why in seat.press(key).toast
    assert not seat.writes()


@pytest.mark.parametrize(
    ("key", "state", "action"), [("h", "queued", "hold"), ("H", "held", "release"), ("r", "failed", "retry")]
)
def test_safe_actions_on_one_job_need_no_question(key: str, state: str, action: str) -> None:
    array = Array(changed={1000: {"state": state}})
    array.changed[1000]["tasks"] = [{**array.job(1000)["tasks"][0], "state": state}]
    seat = Seat(array).press("2", key)
    assert seat.writes() == [f"POST /v1/jobs/1000/{action}"]


def test_priorities() -> None:
    seat = Seat().press("2", "+")
    assert seat.writes() == ["PATCH /v1/jobs/1000"] and seat.array.bodies == [{"priority": 60}]
    seat.press("-", "-")
    assert seat.array.bodies[-1] == {"priority": 40}
    seat.press("P").type("urgent").press("enter")
    assert seat.array.bodies[-1] == {"priority": "urgent"}
    seat.press("P").type("101").press("enter")
    assert "0 to 100" in seat.toast and len(seat.array.bodies) == 4
    seat.press("escape", "u")
    assert seat.array.bodies[-1] == {"priority": 40}


def test_marks() -> None:
    seat = Seat().press("2", "space", "down", "down", "v")
    assert sorted(seat.desk.jobs.marks.jobs) == [997, 998, 999, 1000]
    assert "● 4 marked" in seat.text
    seat.press("U")
    assert not seat.desk.jobs.marks
    seat.press("*")
    assert len(seat.desk.jobs.marks) == 1000
    assert "Leave? 1,000 marks are lost." in seat.press("q").text
    seat.press("escape", "escape")
    assert not seat.desk.jobs.marks and not seat.effects


def test_the_bulk_menu_greys_what_cannot_be_done() -> None:
    seat = Seat().press("2", "space", "b")
    assert "none of them can be held" in seat.text
    seat.press("h")
    assert "none of them can be held" in seat.toast and not seat.writes()
    seat.press("c", "y")
    assert seat.writes() == ["POST /v1/jobs/1000/cancel"]


def test_bulk_results_that_failed_are_told() -> None:
    seat = Seat().press("2", "space", "space", "c")
    seat.held = True
    seat.press("y")
    items = [{"id": 1000, "ok": True}, {"id": 999, "ok": False, "code": "conflict", "detail": "It is over."}]
    seat.waiting[0].then({"action": "cancel", "items": items})
    assert "job 1000 cancelled; 1 not: It is over." in seat.toast


def test_a_lost_answer_is_told_and_not_repeated() -> None:
    seat = Seat(Array(broken={"POST /v1/jobs/1000/cancel": (503, "unavailable")})).press("2", "c", "y")
    assert "may have been done nevertheless" in seat.toast
    assert seat.writes() == ["POST /v1/jobs/1000/cancel"]
    seat.tick().tick()
    assert len(seat.writes()) == 1


def test_why_is_one_key_away() -> None:
    for screen in ("1", "2"):
        text = Seat().press(screen, "W").text
        assert "all 4 slots are taken" in text and "Why job" in text


def test_submit() -> None:
    seat = Seat().press("2", "n").type("sa").press("tab").type("in/new.mxf").press("enter").type("pr").press("tab")
    assert "known: proxy prores" in seat.text
    seat.type("xy").press("tab").type("high").press("tab").type("promo").press("enter")
    assert "$ fa submit san:in/new.mxf -f proxy --priority high --subject promo" in seat.text
    seat.type("2026-11-26T22:00Z").press("enter")
    assert seat.array.bodies == [
        {"source": "san:in/new.mxf", "factory": "proxy", "priority": "high", "subject": "promo",
         "defer_until": "2026-11-26T22:00:00+00:00"}
    ]  # fmt: skip
    assert "job 1001 submitted, mirrored" in seat.toast and "in/new.mxf" in seat.text
    assert "Cancel job 1001?" in seat.press("u").text


@pytest.mark.parametrize(
    ("source", "factory", "why"),
    [("clip.mxf", "proxy", "volume:path"), ("san:x", "", "which factory"), ("san:x", "prx", "no factory prx")],
)
def test_what_cannot_be_submitted_is_not_sent(source: str, factory: str, why: str) -> None:
    seat = Seat().press("2", "n").type(source).press("down").type(factory).press("ctrl+s")
    assert why in seat.toast and not seat.writes()


# a job alone


def test_the_log_opens_at_its_end_and_goes_up() -> None:
    seat = Seat().press("2", "l")
    assert "frame= 35988" in seat.text and seat.asked("GET /v1/jobs/1000/attempts/1/log")[0].endswith("offset=-65536")
    for _ in range(60):
        seat.press("pageup")
    assert "frame= 35988" not in seat.text
    seat.press("home", "home", "home", "home")
    assert "frame=     0" in seat.text
    assert "frame= 35988" in seat.press("G").text


def test_long_lines_are_read_to_their_end() -> None:
    seat = Seat(width=40, height=12).press("2", "l")
    assert "speed=1.9x" not in seat.text and "frame= 35988" in seat.text
    seat.press("right")
    assert "speed=1.9x" in seat.text and "frame= 35988" not in seat.text
    assert "frame= 35988" in seat.press("left", "left").text
    assert "{job}.mp4" in Seat(width=40, height=12).press("4", "enter", "right").text


def test_a_log_grows_while_it_runs_and_its_last_words_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    seat = Seat().press("2", "l")
    monkeypatch.setattr(fake, "LOG", fake.LOG + b"still going\n")
    assert "still going" in seat.tick().text
    monkeypatch.setattr(fake, "LOG", fake.LOG + b"last words\n")
    seat.array.changed[1000] = {"state": "failed"}
    seat.tell("job", {"id": 1000, "state": "failed", "was": "running"})
    seat.tick()
    assert "last words" in seat.tick().text
    asked = len(seat.array.asked)
    seat.tick()
    assert not any("log" in line for line in seat.array.asked[asked:]), "what is over is not asked for again"


def test_tabs_of_a_job() -> None:
    seat = Seat().press("2", "a")
    assert "Invalid data" in seat.text and "TRY" in seat.text
    for shows in ("submitted", "no speed seen", '"id": 1000', "frame="):
        assert shows in seat.press("]").text
    assert '"id": 1000' in seat.press("[").text
    seat.tell("progress", {"10000": {"phase": "flipping", "progress": 0.5, "fps": 61.0}})
    assert "61.0" in seat.press("[").text
    assert "frame=" in seat.press("a", "enter").text
    assert "frame=" in seat.press("<", ">").text


def test_a_job_that_is_gone_says_so() -> None:
    seat = Seat().press(":").type("job 4711").press("enter")
    assert "There is no job 4711." in seat.text


# nodes, monitors, factories, the mirror, alerts


def test_nodes_are_paused_drained_and_resumed() -> None:
    seat = Seat().press("3", "p")
    assert "takes nothing new" in seat.text and "$ fa node pause a" in seat.text
    seat.press("y")
    assert "u resumes it" in seat.toast
    seat.press("u", "d", "y", "R")
    assert seat.writes() == [f"POST /v1/nodes/a/{action}" for action in ("pause", "resume", "drain", "resume")]
    seat.press("down", "p")
    assert seat.writes()[-1] == "POST /v1/nodes/b/resume", "what drains is resumed by the same key"


def test_removing_a_node_wants_its_name() -> None:
    seat = Seat().press("3", "x").type("y").press("enter")
    assert "that is not a" in seat.toast and not seat.writes()
    seat.press("backspace").type("a").press("enter")
    assert seat.writes() == ["DELETE /v1/nodes/a"]


def test_a_switch_over_wants_its_name() -> None:
    seat = Seat().press("6", "s")
    assert "from a to b" in seat.text
    seat.type("b").press("enter")
    assert seat.writes() == ["POST /v1/mirror/switchover"] and seat.array.bodies == [{"node": "b"}]


def test_the_copies_are_compared() -> None:
    seat = Seat().press("6", "V")
    assert "812" in seat.text and "pages" in seat.text


def test_what_a_monitor_does_not_take_is_counted_below_the_list() -> None:
    seat = Seat().press("5")
    assert "not taken  1 growing: big.mxf" in seat.text
    assert "not taken  1 refused, 1 growing: big.mxf" in seat.press("down").text
    assert not_taken(Monitor("m")) == "", "nothing is said where there is nothing"


def test_monitors_are_enabled_and_disabled() -> None:
    seat = Seat().press("5", "D")
    assert "news-in disabled; u takes it back" in seat.toast
    assert "paused" in seat.text
    seat.press("u")
    assert "watching" in seat.text
    seat.press("down", "e")
    assert seat.writes()[-1] == "POST /v1/monitors/sports/enable"
    assert "big.mxf  3.0 GB  12.0 MB/s" in seat.press("enter").text and "refused 1" in seat.text
    seat.press("D")
    seat.tell("event", {}).tick().tick()
    assert "= paused" in seat.text


def test_factories_are_tested_and_read() -> None:
    seat = Seat().press("4", "t")
    assert "✓ proxy" in seat.text and "POST /v1/factories:test" in seat.writes()
    seat.press("escape", "enter")
    assert "→ san:out/{source.stem}-{job}.mp4" in seat.text and "runs on a b" in seat.text
    assert 'preset = "h264-mp4"' in seat.press("]").text
    assert "admin:QX7" in seat.press("tab").text
    assert "factory proxy" in seat.press("n").text.replace("factory    ", "factory ")


def test_alerts_are_acknowledged() -> None:
    seat = Seat().press("7", "a")
    assert seat.writes() == ["POST /v1/alerts/4/ack"] and "acked" in seat.text
    assert "no alert under the cursor" in seat.press("down", "a").toast


# the whole


def test_keys_that_the_role_does_not_allow_are_grey_and_say_why() -> None:
    array = Array(role="viewer", denied=("POST /v1/jobs/{id}/cancel", "POST /v1/jobs"))
    seat = Seat(array).press("2", "c")
    assert "your role, viewer, does not allow it (POST /v1/jobs/{id}/cancel)" in seat.toast
    footer = seat.desk.lines(120, 36)[-1]
    assert next(span for span in footer if span.text == "c").style == "off"
    assert next(span for span in footer if span.text == "W").style == "key"
    seat.press("?")
    assert "your role, viewer" in seat.text
    assert not seat.press("escape", "n").desk.boxes and not seat.writes()


def test_readonly_changes_nothing() -> None:
    seat = Seat(readonly=True)
    assert "READ ONLY" in seat.screen[0]
    for key in "crhHP+-n":
        assert "--readonly" in seat.press("2", key).toast
    assert "all 4 slots" in seat.press("W").text and not seat.writes()


def test_the_command_log_teaches_the_cli() -> None:
    seat = Seat().press("2", "c", "y", "@")
    assert "$ fa job cancel 1000" in seat.text and "done" in seat.text


def test_commands() -> None:
    seat = Seat().press(":").type("jo")
    assert "open a job" in seat.text
    seat.press("tab").type(" 17").press("enter")
    assert "› Job 17" in seat.screen[1]
    assert "/ state:held" in seat.press(":").type("jobs state:held").press("enter").text
    assert "until:2026-11-20" in seat.press(":").type("at 2026-11-20").press("enter").text
    assert "› Node b" in seat.press(":").type("node b").press("enter").screen[1]
    assert "› Factory proxy" in seat.press(":").type("factory prox").press("tab", "enter").screen[1]
    assert "› Monitor sports" in seat.press(":").type("monitor sp").press("tab", "enter").screen[1]
    assert "Why job 17" in seat.press(":").type("why job/17").press("enter").text
    assert "Take-overs" in seat.press("escape", ":").type("fa mirror").press("enter").text
    assert "no command 'blub'" in seat.press(":").type("blub").press("enter").toast
    assert "wants ID" in seat.press(":").type("job").press("enter").toast
    assert "not the number of a job" in seat.press(":").type("job x").press("enter").toast
    assert "no theme" in seat.press(":").type("theme pink").press("enter").toast
    assert seat.press(":").type("theme none").press("enter").desk.look.theme == "none"
    assert seat.press(":", "enter").desk.typing is None
    assert seat.press(":", "backspace").desk.typing is None


def test_each_try_in_vain_leaves_it_stale() -> None:
    """A node without a coordinator refuses the stream again and again: the screen is as old as before."""
    seat = Seat()
    seat.desk.heard(Live("b"))
    for second in range(1, 20):
        seat.desk.heard(Stale("no majority of the voters answers"))
        seat.tick()
        assert second <= 3 or f"STALE {second}s" in seat.text, seat.screen[0]
    assert "no majority of the voters answers" in seat.text


def test_the_whole_text_of_an_event_can_be_read() -> None:
    seat = Seat(width=80, height=24).press("7")
    text = "a was silent for 3 s; 2 of its attempts are given away, and its monitors move on to other nodes"
    row = {"id": 91, "at": "2026-11-26T12:00:00.000Z", "kind": "node.lost", "severity": "error", "subject": "node/a"}
    seat.desk.world.told("events", {"items": [{**row, "text": text}]})
    seat.desk.world.told("alerts", {"items": []})
    assert seat.screen[-4].startswith("a was silent") and seat.screen[-3] == "to other nodes"


def test_the_palette_finds_actions_by_their_words() -> None:
    seat = Seat().press("2", "ctrl+p").type("blub")
    assert not seat.desk.boxes[0].shown()  # type: ignore[attr-defined]
    seat.press("ctrl+u").type("order")
    assert "choose the order" in seat.text
    seat.press("enter", "2")
    assert "v1.mxf" in seat.text and "sort id" in seat.text
    assert seat.press("S", "f").desk.jobs.query == "state:failed since:24h"


def test_copy_save_mouse_redraw_quit() -> None:
    seat = Seat().press("2", "y")
    assert "curl --unix-socket" in seat.text
    seat.press("1", "y", "2", "ctrl+s", "%", "ctrl+l", "q")
    copied, source, saved, mouse, redrawn, left = seat.effects
    assert copied == Copy("1000", "id") and source == Copy("san:in/show/EP10_v1000.mxf", "source")
    assert isinstance(saved, Save) and saved.name == "fa-jobs" and "v1000.mxf" in "\n".join(saved.lines)
    assert (mouse, redrawn, left) == (Mouse(True), Redraw(), Quit())


def test_control_c_never_cancels() -> None:
    seat = Seat().press("2", "ctrl+c")
    assert "q quits" in seat.toast and not seat.writes() and not seat.effects


def test_utc_ages_wide_freeze() -> None:
    seat = Seat().press("2", "A")
    assert "12:00:00" in seat.screen[5]
    assert "UTC" in seat.press("Z").toast and "local" in seat.press("Z").toast
    narrow = Seat(width=80, height=24).press("2")
    assert "SUBJECT" not in narrow.text
    assert "FPS" in narrow.press("w").screen[3]
    before = seat.press("z").screen[2:-2]
    assert "FROZEN" in seat.screen[0]
    seat.tell("progress", {"9990": {"phase": "flipping", "progress": 0.01}}).tick()
    assert seat.screen[2:-2] == before
    assert seat.press("z").screen[2:-2] != before


def test_refresh_asks_everything_again() -> None:
    seat = Seat().press("2")
    seat.array.health = "ok"
    asked = len(seat.array.asked)
    assert "OK" in seat.press("ctrl+r").screen[0] and len(seat.array.asked) > asked


def test_a_dead_stream_is_told_and_a_new_lead_as_well() -> None:
    seat = Seat()
    seat.desk.heard(Stale("connection lost"))
    seat.tick(2.0)
    assert "STALE" not in seat.screen[0], "a switch-over is shorter than that"
    seat.tick(10.0)
    assert "STALE 12s" in seat.screen[0] and "Nothing is heard of the array (connection lost)" in seat.screen[2]
    seat.array.epoch, seat.array.coordinator = 8, "b"
    seat.desk.heard(Live("b"))
    seat.tick()
    assert "STALE" not in seat.screen[0] and "b►a" in seat.screen[0] and "via b" in seat.screen[0]
    assert "the lead moved from a to b (epoch 8)" in seat.toast
    seat.array.door = "c"
    seat.tell("mirror", {}).tick()
    assert "via c" in seat.screen[0], "the node that was asked, not the coordinator behind it"


def test_a_lead_that_moves_while_nobody_leads_is_told_too() -> None:
    seat = Seat()
    seat.array.coordinator = ""
    seat.tell("mirror", {}).tick()
    assert "nobody►" in seat.screen[0]
    seat.array.epoch, seat.array.coordinator = 8, "b"
    seat.tell("mirror", {}).tick()
    assert "the lead moved from a to b (epoch 8)" in seat.toast
    seat.array.epoch = 9
    seat.tell("mirror", {}).tick()
    assert "b leads again (epoch 9)" in seat.toast


def test_a_word_of_the_stream_that_cannot_be_read_ends_nothing() -> None:
    seat = Seat().press("2").tell("progress", {"10": {"progress": "much"}}).tell("job", {"id": 999, "tasks": 7})
    assert "as this version knows it" in seat.toast
    seat.tell("job", "rubbish").tell("progress", ["x"]).tell("unheard-of", None).tick()
    assert "v999.mxf" in seat.text


def test_over_a_slow_link_an_answer_has_the_time_to_come() -> None:
    seat = Seat().press("2")
    seat.held = True
    for number in range(1001, 1006):
        seat.array.total = number
        seat.tell("job", {"id": number, "state": "queued"}).tick()
    lists = [each for each in seat.waiting if each.call.route == "/v1/jobs" and not each.call.query.get("q")]
    assert len(lists) == 1
    seat.release()
    assert "v1005.mxf" in seat.text


def test_missed_events_make_everything_old() -> None:
    seat = Seat().press("2")
    seat.array.total += 5
    seat.desk.heard(Relist())
    seat.settle()
    assert "v1005.mxf" in seat.text


def test_what_was_listed_before_the_stream_was_open_is_listed_again() -> None:
    seat = Seat(opened=False).press("2")
    seat.array.total += 5
    seat.desk.heard(Live("a"))
    seat.settle()
    assert "v1005.mxf" in seat.text


def test_ages_are_counted_by_the_clock_of_the_server() -> None:
    seat = Seat().press("2")
    seat.tell("", "2026-11-26T13:00:00.000Z")
    assert "1h" in seat.screen[5] and "13:00" in seat.screen[0]


def test_what_cannot_be_read_is_told_and_asked_again() -> None:
    array = Array(broken={"GET /v1/monitors": (503, "unavailable")})
    seat = Seat(array).press("5")
    assert "unavailable says the test." in seat.text
    array.broken.clear()
    assert "news-in" in seat.tick().text


def test_a_node_of_another_version_is_shown_as_far_as_it_is_understood() -> None:
    seat = Seat()
    seat.desk.world.told(
        "status", {"array": "x", "health": "shiny", "new": 1, "nodes": [{"name": "a", "state": "odd"}]}
    )
    assert "? shiny" in seat.screen[0]


@pytest.mark.parametrize(("width", "height"), [(20, 5), (1, 1), (40, 10), (80, 24), (120, 36), (200, 60)])
def test_every_screen_fits_every_terminal(width: int, height: int) -> None:
    seat = Seat(width=width, height=height)
    for screen in "1234567":
        for keys in ((), ("enter",), ("y",)):
            assert len(seat.press(screen, *keys).screen) == height
            seat.press("escape", "escape")
    for keys in (("2", "n"), ("2", "c"), ("2", "W"), ("2", "b"), ("6", "s"), ("3", "x"), ("?",), ("ctrl+p",), (":",)):
        assert seat.press(*keys).screen
        seat.press("escape")


def test_ascii_terminals_get_ascii() -> None:
    seat = Seat(look=Look(ascii=True))
    seat.array.changed[991] = {"source": "san:plain.mxf"}
    for screen in "1234567":
        assert seat.press(screen).text.isascii()


def test_the_mouse_chooses_rows_and_tabs() -> None:
    seat = Seat()
    seat.desk.click(12, 1)
    seat.settle()
    assert "all jobs" in seat.text
    row = next(y for y, line in enumerate(seat.screen) if " 997 " in line)
    seat.desk.click(5, row)
    assert "Job 997" in seat.text
    seat.desk.wheel(3)
    assert seat.desk.jobs.roll.at == 6
    for screen in "1357":
        seat.press(screen)
        row = next(y for y, line in enumerate(seat.screen) if line.startswith("│ ›"))
        seat.desk.click(5, row + 1)
        assert seat.screen[row + 1].startswith("│ ›") or screen == "1"
