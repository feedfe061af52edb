"""What is done to a source once its jobs are over: never anything that could lose one."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from fa.core.arrivals import Sighting
from fa.core.monitor import Monitor, parse_monitor
from fa.core.watch_messages import AfterOrder, Sightings
from fa.node import afterwards
from fa.node.afterwards import carry_out
from fa.node.scan import stamp_of
from fa.node.wire import decode, encode

MONITOR = parse_monitor('name = "m"\nfolder = "san:in"\nfactories = ["one"]\n')


def order(root: Path, path: str, move: str = "done", answer: str = "") -> AfterOrder:
    status = (root / path).stat()
    return AfterOrder(7, 1, path, status.st_size, status.st_mtime_ns, move, answer)


def put(root: Path, path: str, content: str = "clip") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def there(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def monitor() -> Monitor:
    return MONITOR


def test_a_file_is_moved_below_the_folder_with_its_own_folders(tmp_path: Path, monitor: Monitor) -> None:
    put(tmp_path, "in/day 1/a.mxf")
    told = order(tmp_path, "in/day 1/a.mxf", "done/old")
    assert carry_out(str(tmp_path), monitor, told) == "in/done/old/day 1/a.mxf"
    assert there(tmp_path) == ["in/done/old/day 1/a.mxf"]
    assert carry_out(str(tmp_path), monitor, told) == "", "done again: it is gone from its place"


def test_nothing_is_ever_replaced(tmp_path: Path, monitor: Monitor) -> None:
    put(tmp_path, "in/done/a.mxf", "an earlier one")
    put(tmp_path, "in/a.mxf")
    assert carry_out(str(tmp_path), monitor, order(tmp_path, "in/a.mxf")) == "in/done/a~7.mxf"
    assert (tmp_path / "in/done/a.mxf").read_text() == "an earlier one"
    put(tmp_path, "in/a.mxf")
    with pytest.raises(FileExistsError):
        carry_out(str(tmp_path), monitor, order(tmp_path, "in/a.mxf"))
    assert (tmp_path / "in/a.mxf").read_text() == "clip"


def test_another_file_of_that_name_is_left_alone(tmp_path: Path, monitor: Monitor) -> None:
    put(tmp_path, "in/a.mxf")
    told = order(tmp_path, "in/a.mxf")
    put(tmp_path, "in/a.mxf", "new content")
    assert carry_out(str(tmp_path), monitor, told) == ""
    assert there(tmp_path) == ["in/a.mxf"]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path, monitor: Monitor) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "san"
    put(root, "in/a.mxf")
    (root / "in/done").symlink_to(outside, target_is_directory=True)
    with pytest.raises(OSError):
        carry_out(str(root), monitor, order(root, "in/a.mxf"))
    assert there(root / "in") == ["a.mxf"] and list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["-rf", ".mxf", "a\nb.mxf", "\udcff.mxf", "x" * 251 + ".mxf", "🎬.mxf"])
def test_hostile_names_are_moved_as_they_are(tmp_path: Path, monitor: Monitor, name: str) -> None:
    for _ in range(2):
        put(tmp_path, f"in/{name}")
        carry_out(str(tmp_path), monitor, order(tmp_path, f"in/{name}"))
    assert len(list((tmp_path / "in/done").iterdir())) == 2 and not (tmp_path / f"in/{name}").exists()


def test_an_answer_is_a_new_file_beside_the_ticket(tmp_path: Path, monitor: Monitor) -> None:
    put(tmp_path, "in/t.xml")
    told = order(tmp_path, "in/t.xml", move="", answer='{"state": "succeeded"}')
    assert carry_out(str(tmp_path), monitor, told) == "in/t.xml"
    assert carry_out(str(tmp_path), monitor, told) == "in/t.xml", "the same answer is not written twice"
    assert there(tmp_path) == ["in/t.xml", "in/t.xml.answer.json"]
    other = order(tmp_path, "in/t.xml", answer='{"state": "refused"}')
    assert carry_out(str(tmp_path), monitor, other) == "in/done/t.xml"
    assert there(tmp_path) == ["in/done/t.xml", "in/t.xml.answer-2.json", "in/t.xml.answer.json"]
    assert (tmp_path / "in/t.xml.answer.json").read_text() == '{"state": "succeeded"}'


def test_an_answer_never_replaces_what_a_person_put_there(tmp_path: Path, monitor: Monitor) -> None:
    put(tmp_path, "in/t.xml")
    put(tmp_path, "in/t.xml.answer.json", "mine")
    os.mkfifo(tmp_path / "in/t.xml.answer-2.json")
    carry_out(str(tmp_path), monitor, order(tmp_path, "in/t.xml", answer="{}"))
    assert (tmp_path / "in/t.xml.answer.json").read_text() == "mine"
    assert (tmp_path / "in/t.xml.answer-3.json").read_text() == "{}"


def test_a_move_that_fails_leaves_all_as_it_was(
    tmp_path: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    put(tmp_path, "in/a.mxf")
    monkeypatch.setattr(afterwards, "rename_no_replace", full)
    with pytest.raises(OSError, match="No space"):
        carry_out(str(tmp_path), monitor, order(tmp_path, "in/a.mxf", answer="{}"))
    assert there(tmp_path) == ["in/a.mxf"]


@pytest.mark.parametrize("year", [1601, 2400, 9999])
def test_a_file_of_any_year_is_told_and_moved(year: int) -> None:
    """1601 is what Windows shares give for a time that was never set. The store keeps 64 bits of nanoseconds."""
    ns = (datetime(year, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    status = SimpleNamespace(st_size=4, st_mtime_ns=ns, st_ctime_ns=ns, st_ino=2**64 - 1)
    stamp = stamp_of(status)  # type: ignore[arg-type]
    seen = Sighting("in/a.mxf", *stamp[:3], "00")
    assert decode(encode(Sightings("b", 1, 1, (seen,))))[0].files == (seen,)
    assert -(2**63) <= stamp.mtime_ns < 2**63 and -(2**63) <= stamp.ctime_ns < 2**63
    other = SimpleNamespace(st_size=4, st_mtime_ns=ns + 1, st_ctime_ns=ns, st_ino=1)
    assert stamp_of(other).mtime_ns != stamp.mtime_ns, "another time is another file"  # type: ignore[arg-type]


def test_a_file_of_the_far_future_is_the_one_that_was_told_of(tmp_path: Path, monitor: Monitor) -> None:
    file = put(tmp_path, "in/a.mxf")
    os.utime(file, ns=(0, 13_569_465_600 * 10**9))
    if file.stat().st_mtime_ns < 2**63:
        pytest.skip("this file system keeps no year 2400")
    size, mtime_ns, _, _ = stamp_of(file.stat())
    assert (
        carry_out(str(tmp_path), monitor, AfterOrder(7, 1, "in/a.mxf", size, mtime_ns, "done", "")) == "in/done/a.mxf"
    )


def test_an_answer_for_which_there_is_no_room_leaves_nothing(
    tmp_path: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again and again: each try left a hidden file."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    put(tmp_path, "in/t.xml")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        carry_out(str(tmp_path), monitor, order(tmp_path, "in/t.xml", move="", answer="{}"))
    assert there(tmp_path) == ["in/t.xml"]


LONG = ("Dr. " + "x" * 251, "映" * 84 + ".xm", "é" * 125 + ".mxf", "a" + "é" * 125 + ".mf")


@pytest.mark.parametrize("name", LONG, ids=range(len(LONG)))
def test_long_names_stay_names(tmp_path: Path, monitor: Monitor, name: str) -> None:
    put(tmp_path, f"in/done/{name}", "an earlier one")
    put(tmp_path, f"in/{name}")
    moved = carry_out(str(tmp_path), monitor, order(tmp_path, f"in/{name}", answer="{}"))
    made = [file.rpartition("/")[2] for file in there(tmp_path) if file != f"in/done/{name}"]
    assert len(made) == 2 and moved.rpartition("/")[2] in made and "~7" in moved
    assert all(each.encode() for each in made), "no character is cut in two"


def test_a_file_of_the_folder_before_keeps_its_path(tmp_path: Path, monitor: Monitor) -> None:
    """The monitor watched `inbox`; it was changed while the file was encoded."""
    put(tmp_path, "inbox/a.mxf")
    assert carry_out(str(tmp_path), monitor, order(tmp_path, "inbox/a.mxf")) == "in/done/inbox/a.mxf"
