"""When a file has settled: looks as a script of moments and stamps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from fa.core.arrivals import stat_key
from fa.core.intake import PATIENCE, REFUSED_AGAIN, Intake, Stamp
from fa.core.intake_rules import Rules
from fa.core.monitor import Monitor, parse_monitor


def monitor(**settings: Any) -> Monitor:
    given = {"name": "m", "folder": "san:in", "factories": ["one"], "poll": "2s", "quiet": "5s"} | settings
    return parse_monitor("".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items()))


def stamp(size: int = 10, mtime: int = 1, ctime: int = 1, inode: int = 7) -> Stamp:
    return Stamp(size, mtime, ctime, inode)


class Folder:
    """A watch folder and its intake; `look` is a scan after some seconds."""

    def __init__(self, **settings: Any) -> None:
        self.intake = Intake(monitor(**settings))
        self.files: dict[str, Stamp] = {}
        self.now = 1000.0

    def look(self, seconds: float = 2.0, whole: bool = True, unseen: Sequence[str] = ()) -> list[str]:
        """What is ready then."""
        self.now += seconds
        self.intake.begin(self.now)
        for path, each in self.files.items():
            self.intake.mark(path)
            if not self.intake.rules.why_not(path):
                self.intake.see(path, each)
        self.intake.end(whole and not unseen, unseen)
        return [path for path, _ in self.intake.ready()]

    def take(self, path: str) -> None:
        self.intake.offered(path, self.files[path])
        self.intake.heard(path, self.files[path])


def test_a_file_is_ready_when_it_stood_still() -> None:
    folder = Folder()
    folder.files["a"] = stamp()
    assert [folder.look(), folder.look(), folder.look(), folder.look(1.0)] == [[], [], [], ["a"]]
    assert (folder.intake.seen, folder.intake.settling) == (1, 1)
    folder.take("a")
    assert folder.look() == []
    assert (folder.intake.seen, folder.intake.settling) == (1, 0)


@pytest.mark.parametrize("changed", [stamp(size=11), stamp(mtime=2), stamp(ctime=2), stamp(inode=8), stamp(size=9)])
def test_any_change_begins_the_quiet_time_anew(changed: Stamp) -> None:
    folder = Folder()
    folder.files["a"] = stamp()
    for _ in range(3):
        assert folder.look() == []
    folder.files["a"] = changed
    assert [folder.look(), folder.look(4.9)] == [[], []]
    assert folder.look(0.1) == ["a"]


def test_the_time_in_which_the_folder_hung_is_no_quiet_time() -> None:
    folder = Folder()
    folder.files["a"] = stamp()
    assert [folder.look(), folder.look(4.0)] == [[], []]
    folder.intake.stalled(60.0)
    assert [folder.look(60.0), folder.look(0.5)] == [[], []], "its writer hung as well"
    assert folder.look(0.5) == ["a"]


def test_its_own_times_are_never_compared_with_a_clock_of_ours() -> None:
    for old in (-(10**18), 0, 946_684_800 * 10**9, 4 * 10**18):
        folder = Folder()
        folder.files["a"] = stamp(mtime=old, ctime=old)
        assert [folder.look(), folder.look(5.0)] == [[], ["a"]]


def test_no_file_is_taken_at_its_first_sight() -> None:
    folder = Folder(quiet="0s")
    folder.files["a"] = stamp()
    assert [folder.look(100.0), folder.look(0.1)] == [[], ["a"]]


def test_a_renamed_file_is_complete_at_once() -> None:
    folder = Folder(end="rename")
    folder.files["a.tmp"] = stamp()
    assert folder.look() == []
    folder.files = {"a": stamp()}
    assert folder.look() == ["a"]


def test_an_end_marker_is_waited_for() -> None:
    folder = Folder(end="done")
    folder.files["a.mxf"] = stamp()
    for _ in range(5):
        assert folder.look() == []
    folder.files["a.mxf.done"] = stamp(0)
    assert folder.look() == ["a.mxf"], "the marker itself is none"


@pytest.mark.parametrize("marker", ["a.xml", "a.json", "a.mxf.xml", "a.mxf.json"])
def test_a_sidecar_is_an_end_marker(marker: str) -> None:
    folder = Folder(end="sidecar")
    folder.files["a.mxf"] = stamp()
    assert [folder.look(), folder.look(6.0)] == [[], []]
    folder.files[marker] = stamp()
    assert folder.look() == ["a.mxf"]


def test_what_is_submitted_is_not_offered_again() -> None:
    folder = Folder()
    folder.files["a"] = stamp()
    folder.intake.learn([stat_key("in/a", 10, 1, 1)])
    assert [folder.look(), folder.look(6.0)] == [[], []]
    assert (folder.intake.seen, folder.intake.settling) == (1, 0)


def test_new_content_under_an_old_name_is_a_new_file() -> None:
    folder = Folder()
    folder.files["a"] = stamp()
    folder.intake.learn([stat_key("in/a", 10, 1, 1)])
    folder.look()
    folder.files["a"] = stamp(ctime=2)  # same size, same mtime: `cp -p` of another file
    assert [folder.look(), folder.look(6.0)] == [[], ["a"]]
    folder.take("a")
    folder.files["a"] = stamp()
    assert [folder.look(), folder.look(6.0)] == [[], []], "the first content is known still"


def test_an_unmounted_folder_forgets_nothing() -> None:
    folder = Folder()
    folder.files["a"] = stamp()
    folder.look()
    folder.look(6.0)
    folder.take("a")
    kept, folder.files = folder.files, {}
    folder.look()
    folder.files = kept
    assert [folder.look(), folder.look(6.0)] == [[], []]


def test_a_look_that_saw_not_all_forgets_nothing() -> None:
    folder = Folder()
    folder.files |= {"a": stamp(), "b": stamp()}
    folder.look()
    kept, folder.files = folder.files, {"a": stamp()}
    folder.look(3.0, whole=False)
    folder.files = kept
    assert folder.look(2.0) == ["a", "b"]


def test_what_is_gone_is_forgotten_but_in_folders_that_were_not_seen() -> None:
    folder = Folder(recursive=True)
    folder.files = {path: stamp() for path in ("a", "b", "x/a", "x/b", "xy")}
    folder.look()
    folder.take("a")
    folder.take("x/a")
    folder.files = {}
    folder.look(unseen=["x"])
    assert folder.intake.seen == 2, "x/a and x/b may be there"
    folder.files = {"x/a": stamp(), "x/b": stamp()}
    assert folder.look(5.0) == ["x/b"]


def test_what_is_offered_is_not_offered_twice() -> None:
    folder = Folder()
    folder.files["a"] = stamp()
    folder.look()
    assert folder.look(6.0) == ["a"]
    folder.intake.offered("a", folder.files["a"])
    assert folder.look(6.0) == []
    folder.files["a"] = stamp(size=20)
    assert [folder.look(), folder.look(6.0)] == [[], ["a"]], "it changed meanwhile"
    folder.intake.heard("a", stamp())
    assert folder.look() == ["a"], "what was heard is the earlier one"


def test_a_refused_file_comes_again_and_is_named() -> None:
    folder = Folder()
    folder.files["a"] = stamp()
    folder.look()
    folder.look(6.0)
    folder.intake.offered("a", stamp())
    folder.intake.refused("a", stamp(), "no such factory", folder.now)
    assert folder.intake.troubles() == [("a", "no such factory")]
    assert folder.look(REFUSED_AGAIN - 1) == []
    assert folder.look(1.5) == ["a"]
    folder.take("a")
    assert folder.intake.troubles() == []


def test_a_file_without_an_index_is_tried_again_and_at_last_named() -> None:
    folder = Folder()
    folder.files["a"] = stamp()
    folder.look()
    folder.look(6.0)
    tried = 0
    since, end = folder.now, folder.now + PATIENCE + 61
    while folder.now < end:
        if folder.look():
            tried += 1
            folder.intake.unready("a", stamp(), "moov atom not found", folder.now)
        if folder.now < since + PATIENCE - 6:
            assert folder.intake.troubles() == [] and folder.intake.settling == 1
    assert 10 < tried < 30, "with longer and longer waits"
    assert folder.intake.troubles() == [("a", "moov atom not found")]
    folder.files["a"] = stamp(size=20)
    folder.look()
    assert folder.intake.troubles() == []


def test_growing_files_are_told_with_their_rate() -> None:
    folder = Folder()
    folder.files |= {"a": stamp(100), "b": stamp(5)}
    folder.look()
    folder.files["a"] = stamp(500, 2)
    folder.look(4.0)
    (growing,) = folder.intake.growing()
    assert (growing.path, growing.size, growing.rate) == ("in/a", 500, 100.0)
    folder.look(6.0)
    assert folder.intake.growing() == ()


def test_a_file_that_went_away_is_forgotten() -> None:
    folder = Folder()
    folder.files["a"] = stamp()
    folder.look()
    folder.files = {}
    folder.look()
    assert (folder.intake.seen, folder.intake.settling) == (0, 0)


def test_whoever_stops_early_finds_the_others_at_the_next_look() -> None:
    folder = Folder()
    folder.files |= {"a": stamp(), "b": stamp()}
    folder.look()
    folder.now += 6.0
    folder.intake.begin(folder.now)
    for path, each in folder.files.items():
        folder.intake.see(path, each)
    assert not folder.intake.more, "nothing is given out before the look has ended"
    folder.intake.end(True)
    first, _ = next(folder.intake.ready())
    assert first == "a" and folder.intake.more
    folder.take("a")
    assert folder.look() == ["b"] and not folder.intake.more


def test_a_name_is_known_once_its_file_was_taken_and_as_long_as_it_is_there() -> None:
    folder = Folder()
    folder.files["a"] = stamp()
    folder.look()
    folder.look(6.0)
    assert not folder.intake.knows("a")
    folder.take("a")
    assert folder.intake.knows("a") and not folder.intake.knows("b")
    folder.files = {}
    folder.look()
    assert not folder.intake.knows("a")


# --- names ---


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("a.mxf", ""),
        ("A.MXF", ""),
        ("sub/a.mov", ""),
        ("\udcff\n %d.mxf", ""),
        ("-rf.mxf", ""),
        ("a.txt", "not included"),
        (".a.mxf", "hidden"),
        ("~$a.mxf", "hidden"),
        ("a.mxf.part", "a partial name"),
        ("a.mxf.TMP", "a partial name"),
        ("a.mxf~", "a partial name"),
        ("no-a.mxf", "excluded"),
        ("t.xml.answer.json", "an answer of fa"),
        ("t.xml.answer-3.json", "an answer of fa"),
    ],
)
def test_names_that_are_taken(path: str, why: str) -> None:
    rules = Rules(monitor(include=["*.mxf", "*.mov"], exclude=["no-*"]))
    assert rules.why_not(path) == why


def test_patterns_with_a_folder_mean_the_path() -> None:
    rules = Rules(monitor(include=["cam?/*.mxf"]))
    assert [rules.why_not(path) for path in ("cam1/a.mxf", "cam/a.mxf", "a.mxf")] == [
        "",
        "not included",
        "not included",
    ]


def test_folders_that_are_looked_into() -> None:
    rules = Rules(monitor(recursive=True, depth=2, after="move:done/", after_failure="move:bad/"))
    assert [name for name in ("a", "a/b", "a/b/c", "done", "bad", ".fa", ".x") if rules.enters(name)] == [
        "a", "a/b",
    ]  # fmt: skip
    assert not Rules(monitor()).enters("a")


def test_tickets_are_taken_whatever_is_included() -> None:
    rules = Rules(monitor(include=["*.mxf"], tickets=True, end="done"))
    assert rules.why_not("t.xml") == "" and rules.is_marked("t.xml", set())
    assert Rules(monitor(include=["*.mxf"])).why_not("t.xml") == "not included"


def test_only_containers_that_are_closed_at_their_end_are_probed() -> None:
    rules = Rules(monitor())
    assert [name for name in ("a.MOV", "a.mxf", "a.ts", "a.wav", "a") if rules.is_closed_at_the_end(name)] == [
        "a.MOV", "a.mxf",
    ]  # fmt: skip
    assert not Rules(monitor(probe=False)).is_closed_at_the_end("a.mov")


@pytest.mark.parametrize(("end", "marker"), [("done", "Clip.MXF.DONE"), ("sidecar", "CLIP.XML")])
def test_an_end_marker_counts_whatever_its_case(end: str, marker: str) -> None:
    folder = Folder(end=end)
    folder.files = {"CLIP.MXF": stamp(), marker: stamp()}
    folder.look()
    assert folder.look(5.0) == ["CLIP.MXF"]


def test_the_folder_of_what_is_over_is_not_looked_into_whatever_its_case() -> None:
    """A Windows share takes `done` and `Done` for one: what was moved there would be submitted again and again."""
    rules = Rules(monitor(recursive=True, after="move:done/", after_failure="move:Bad/old/"))
    assert [rules.enters(folder) for folder in ("Done", "bad/OLD", "bad", "done2")] == [False, False, True, True]
