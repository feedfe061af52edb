"""The granted rename on real files: each outcome, twice, half, late; and that no source is ever touched by it."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fa.core.model import Output, Spare
from fa.core.work import Publish, PublishResult
from fa.node import publish as publish_module
from fa.node import replacing
from fa.node.publish import publish
from tests.node.shares import REPLACING, Shares, digest, fill, make_part, make_volume, read, wish

OLD = {"all.m3u8": "old", "360p/1.ts": "old segment"}
NEW = {"all.m3u8": "new", "360p/1.ts": "new segment", "360p/2.ts": "more"}


class Killed(BaseException):
    """As kill -9: nothing that follows is carried out."""


@pytest.fixture
def san(tmp_path: Path) -> Path:
    made = make_volume(tmp_path / "san")
    (made / "in" / "clip").write_text("the source")
    return made


@pytest.fixture
def shares(san: Path) -> Shares:
    return Shares(san=san)


def run(shares: Shares, granted: Publish) -> PublishResult:
    result, sentence = publish(shares, granted, digest, "a")
    assert (sentence == "") == (result is PublishResult.PUBLISHED)
    return result


def parts_of(san: Path) -> list[str]:
    return [path.name for folder in ("part", "grave") for path in (san / ".fa" / folder).glob("*")]


def kill_at(point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(name: str) -> None:
        if name == point:
            raise Killed

    for module in (publish_module, replacing):
        monkeypatch.setattr(module, "reached", reached)


def deliver(shares: Shares, san: Path, content: str | dict[str, str], to: str = "out/x") -> None:
    assert run(shares, wish(make_part(san, content), to)) is PublishResult.PUBLISHED


# --- without replace ---


@pytest.mark.parametrize("content", ["new", NEW])
def test_a_part_becomes_the_output_and_does_again(san: Path, shares: Shares, content: str | dict[str, str]) -> None:
    granted = wish(make_part(san, content))
    assert run(shares, granted) is PublishResult.PUBLISHED
    assert run(shares, granted) is PublishResult.PUBLISHED, "whoever comes second finds it done"
    assert read(san / "out" / "x") == content
    assert parts_of(san) == []


@pytest.mark.parametrize("standing", ["mine", {"mine": "x"}])
@pytest.mark.parametrize("content", ["new", NEW])
def test_what_exists_stays(
    san: Path, shares: Shares, content: str | dict[str, str], standing: str | dict[str, str]
) -> None:
    (san / "out").mkdir()
    fill(san / "out" / "x", standing)
    assert run(shares, wish(make_part(san, content))) is PublishResult.EXISTS
    assert read(san / "out" / "x") == standing
    assert parts_of(san) == [], "it can not happen any more"


def test_a_link_at_the_destination_is_not_followed(san: Path, shares: Shares) -> None:
    (san / "out").mkdir()
    (san / "out" / "x").symlink_to("../in/new")
    assert run(shares, wish(make_part(san))) is PublishResult.EXISTS
    assert not (san / "in" / "new").exists()


def test_a_part_that_is_gone_is_gone(san: Path, shares: Shares) -> None:
    part = make_part(san)
    granted = wish(part)
    part[1].unlink()
    assert run(shares, granted) is PublishResult.GONE
    (san / ".fa" / "part").rmdir()
    assert run(shares, granted) is PublishResult.GONE


def test_what_lies_there_already_is_the_output_also_where_nothing_is_left_of_parts(san: Path, shares: Shares) -> None:
    granted = wish(make_part(san))
    run(shares, granted)
    (san / ".fa" / "part").rmdir()
    assert run(shares, granted) is PublishResult.PUBLISHED


def test_the_same_content_is_the_output_whoever_brought_it(san: Path, shares: Shares) -> None:
    (san / "out").mkdir()
    (san / "out" / "x").write_text("new")
    assert run(shares, wish(make_part(san))) is PublishResult.PUBLISHED
    assert parts_of(san) == []


def test_a_file_stands_where_a_folder_is_needed(san: Path, shares: Shares) -> None:
    (san / "out").write_text("a file")
    part = make_part(san)
    assert run(shares, wish(part)) is not PublishResult.PUBLISHED
    assert (san / "out").read_text() == "a file"


def test_trouble_keeps_the_part(san: Path, shares: Shares, monkeypatch: pytest.MonkeyPatch) -> None:
    part = make_part(san)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publish_module, "rename_no_replace", full)
    assert run(shares, wish(part)) is PublishResult.TROUBLE
    assert part[1].exists()


@pytest.fixture
def sealed(san: Path) -> Iterator[Path]:
    folder = san / "out"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["chattr", "+i", str(folder)], check=False, capture_output=True).returncode:
        pytest.skip("needs root, and a file system with the immutable attribute")
    yield folder
    subprocess.run(["chattr", "-i", str(folder)], check=True)


def test_a_sealed_folder_is_not_written_to(san: Path, shares: Shares, sealed: Path) -> None:
    assert run(shares, wish(make_part(san))) is not PublishResult.PUBLISHED
    assert list(sealed.iterdir()) == []


# --- the right volume ---


def test_an_empty_mount_point_is_trouble_and_gets_nothing(san: Path, tmp_path: Path) -> None:
    granted = wish(make_part(san))
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(Shares(san=empty), granted) is PublishResult.TROUBLE
    assert list(empty.iterdir()) == []
    assert run(Shares(san=tmp_path / "nothing"), granted) is PublishResult.TROUBLE
    assert run(Shares(san=san), granted) is PublishResult.PUBLISHED, "the part was safe on its share"


@pytest.mark.parametrize(("name", "array"), [("san", "another"), ("nas", "0123")])
def test_another_share_is_trouble_and_gets_nothing(san: Path, tmp_path: Path, name: str, array: str) -> None:
    granted = wish(make_part(san))
    other = make_volume(tmp_path / "other", name, array)
    (other / "out").mkdir()
    (other / "out" / "x").write_text("new")
    assert run(Shares(san=other), granted) is PublishResult.TROUBLE, "not even where the same file lies there"
    assert {path.name for path in (other / ".fa").iterdir()} == {"volume.json"}
    assert run(Shares(san=san), granted) is PublishResult.PUBLISHED


def test_a_torn_identity_is_trouble(san: Path, shares: Shares) -> None:
    granted = wish(make_part(san))
    (san / ".fa" / "volume.json").write_text('{"array')
    assert run(shares, granted) is PublishResult.TROUBLE


# --- replace ---


def test_a_file_replaces_a_file(san: Path, shares: Shares) -> None:
    deliver(shares, san, "old")
    granted = wish(make_part(san), replace=True)
    assert run(shares, granted) is PublishResult.PUBLISHED
    assert run(shares, granted) is PublishResult.PUBLISHED
    assert read(san / "out" / "x") == "new"
    assert parts_of(san) == []


@pytest.mark.parametrize("destination", ["in/clip", "in", "in/other", "twice/clip"])
def test_the_source_is_never_replaced(san: Path, tmp_path: Path, destination: str) -> None:
    """By its own path, as a folder around it, by a hard link, by the name of another volume."""
    second = make_volume(tmp_path / "second", "twice")
    (san / "twice").mkdir()
    os.link(san / "in" / "clip", san / "in" / "other")
    os.link(san / "in" / "clip", san / "twice" / "clip")
    os.link(san / "in" / "clip", second / "in" / "clip")
    source = "twice:in/clip" if destination.startswith("twice") else "san:in/clip"
    shares = Shares(san=san, twice=second)
    for content in ("new", NEW):
        granted = wish(make_part(san, content), destination, replace=True, source=source)
        assert run(shares, granted) is PublishResult.EXISTS
        assert read(san / "in" / "clip") == read(san / "in" / "other") == read(second / "in" / "clip") == "the source"
        assert (san / "twice" / "clip").stat().st_nlink == 4
        assert parts_of(san) == []


@pytest.mark.parametrize(
    ("delivered", "result"), [(None, "EXISTS"), ("what fa delivered", "PUBLISHED"), ("something else", "EXISTS")]
)
def test_the_source_of_another_job_is_replaced_only_by_who_delivered_it(
    san: Path, shares: Shares, delivered: str | None, result: str
) -> None:
    (san / "out").mkdir()
    fill(san / "out" / "x", "what fa delivered")
    ours = delivered and (len(delivered), hashlib.sha256(delivered.encode()).hexdigest())
    spare = Spare(12, Output("san:out/x", *ours) if ours else None)
    granted = dataclasses.replace(wish(make_part(san), replace=True), spare=spare)
    for _ in range(2):
        ended = publish(shares, granted, digest, "a")
        assert ended[0] is PublishResult[result], ended
        assert read(san / "out" / "x") == ("new" if result == "PUBLISHED" else "what fa delivered")
        assert ("source of job 12" in ended[1]) is (result != "PUBLISHED")
        assert parts_of(san) == []
        if result != "PUBLISHED":
            break


def test_a_source_that_cannot_be_looked_at_is_not_risked(san: Path, shares: Shares) -> None:
    deliver(shares, san, "old")
    granted = wish(make_part(san), replace=True, source="nas:in/clip")
    assert run(shares, granted) is PublishResult.TROUBLE
    assert read(san / "out" / "x") == "old"
    (san / "out" / "x").unlink()
    assert run(shares, granted) is PublishResult.PUBLISHED, "where nothing stands nothing is at risk"


def test_a_source_that_was_moved_away_is_no_hindrance(san: Path, shares: Shares) -> None:
    deliver(shares, san, "old")
    (san / "in" / "clip").unlink()
    assert run(shares, wish(make_part(san), replace=True)) is PublishResult.PUBLISHED
    (san / "in").rmdir()
    assert run(shares, wish(make_part(san, "newer"), replace=True)) is PublishResult.PUBLISHED
    assert read(san / "out" / "x") == "newer"


@pytest.mark.parametrize(("standing", "content"), [("mine", NEW), (OLD, "new")])
def test_files_and_folders_never_replace_each_other(
    san: Path, shares: Shares, standing: str | dict[str, str], content: str | dict[str, str]
) -> None:
    deliver(shares, san, standing)
    assert run(shares, wish(make_part(san, content), replace=True)) is PublishResult.EXISTS
    assert read(san / "out" / "x") == standing
    assert parts_of(san) == []


@pytest.mark.parametrize("content", ["new", NEW])
def test_links_and_pipes_are_not_replaced(san: Path, shares: Shares, content: str | dict[str, str]) -> None:
    (san / "out").mkdir()
    os.mkfifo(san / "out" / "pipe")
    (san / "out" / "link").symlink_to("../in/clip")
    for name in ("pipe", "link"):
        assert run(shares, wish(make_part(san, content), f"out/{name}", replace=True)) is PublishResult.EXISTS
    assert (san / "out" / "link").is_symlink()
    assert (san / "out" / "pipe").is_fifo()


# --- a folder that replaces one ---


def test_a_folder_replaces_an_earlier_delivery(san: Path, shares: Shares) -> None:
    deliver(shares, san, OLD)
    for content in (NEW, OLD, NEW):
        granted = wish(make_part(san, content), replace=True)
        assert run(shares, granted) is PublishResult.PUBLISHED
        assert run(shares, granted) is PublishResult.PUBLISHED
        assert read(san / "out" / "x") == content
        assert parts_of(san) == []
    left = [path for path in (san / ".fa" / "aside").rglob("*") if path.is_file()]
    assert {path.name for path in left} == {replacing.OVER}, "only the markers"


def _add(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def _change(folder: Path) -> None:
    (folder / "360p" / "1.ts").write_text("OLD SEGMENT")


def _lose(folder: Path) -> None:
    (folder / "360p" / "1.ts").unlink()


def _link(folder: Path) -> None:
    (folder / "link").symlink_to("all.m3u8")


@pytest.mark.parametrize("touch", [_add, _change, _lose, _link])
def test_a_folder_that_others_touched_is_not_replaced(san: Path, shares: Shares, touch: object) -> None:
    deliver(shares, san, OLD)
    assert callable(touch)
    touch(san / "out" / "x")
    before = read(san / "out" / "x")
    assert run(shares, wish(make_part(san, NEW), replace=True)) is PublishResult.EXISTS
    assert read(san / "out" / "x") == before
    assert parts_of(san) == []


def test_a_folder_that_fa_did_not_deliver_is_not_replaced(san: Path, shares: Shares) -> None:
    (san / "out").mkdir()
    fill(san / "out" / "x", OLD)
    assert run(shares, wish(make_part(san, NEW), replace=True)) is PublishResult.EXISTS
    assert read(san / "out" / "x") == OLD


def test_a_source_that_lies_in_the_delivery_keeps_it(san: Path, tmp_path: Path) -> None:
    """As a hard link, so that the place of the source says nothing of it."""
    shares = Shares(san=san)
    deliver(shares, san, OLD)
    os.link(san / "out" / "x" / "all.m3u8", san / "in" / "again")
    granted = wish(make_part(san, NEW), replace=True, source="san:in/again")
    assert run(shares, granted) is PublishResult.EXISTS
    assert read(san / "out" / "x") == OLD


@pytest.mark.parametrize("point", REPLACING)
@pytest.mark.parametrize("again", [1, 3])
def test_who_dies_while_it_replaces_a_folder_brings_nothing_back(
    san: Path, shares: Shares, point: str, again: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(shares, san, OLD)
    granted = wish(make_part(san, NEW), replace=True)
    with monkeypatch.context() as patch:
        kill_at(point, patch)
        with pytest.raises(Killed):
            publish(shares, granted, digest, "a")
    assert read(san / "out" / "x") in (OLD, NEW, None)
    for _ in range(again):
        assert run(shares, granted) is PublishResult.PUBLISHED
        assert read(san / "out" / "x") == NEW
    left = [path for folder in ("part", "grave", "aside") for path in (san / ".fa" / folder).rglob("*")]
    assert {path.name for path in left if path.is_file()} == {replacing.OVER}


@pytest.mark.parametrize("point", REPLACING)
def test_another_node_finishes_at_any_moment_of_the_first(
    san: Path, shares: Shares, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nodes hold the grant: while one stands at a point, the other does all of it."""
    deliver(shares, san, OLD)
    granted = wish(make_part(san, NEW), replace=True)
    others: list[PublishResult] = []

    def reached(name: str) -> None:
        if name == point and not others:
            others.append(PublishResult.TROUBLE)
            others.append(run(shares, granted))

    for module in (publish_module, replacing):
        monkeypatch.setattr(module, "reached", reached)
    assert run(shares, granted) is PublishResult.PUBLISHED
    assert others == [PublishResult.TROUBLE, PublishResult.PUBLISHED]
    assert read(san / "out" / "x") == NEW
    left = [path for folder in ("part", "grave", "aside") for path in (san / ".fa" / folder).rglob("*")]
    assert {path.name for path in left if path.is_file()} == {replacing.OVER}


def test_what_was_written_into_the_old_folder_while_it_was_replaced_is_kept(
    san: Path, shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(shares, san, OLD)
    inside = os.open(san / "out" / "x", os.O_RDONLY)

    def reached(name: str) -> None:
        if name == "replace cleared":
            os.close(os.open("late", os.O_CREAT | os.O_WRONLY, dir_fd=inside))

    monkeypatch.setattr(replacing, "reached", reached)
    assert run(shares, wish(make_part(san, NEW), replace=True)) is PublishResult.PUBLISHED
    os.close(inside)
    (kept,) = (san / ".fa" / "aside").iterdir()
    assert read(kept) == OLD | {"late": ""}
    replacing.sweep_aside(str(san), lambda path, mark: True)
    assert read(kept) == OLD | {"late": ""}, "nor does the sweep remove it"


def test_the_old_folder_comes_back_where_the_new_one_cannot_take_its_place(
    san: Path, shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(shares, san, OLD)
    honest = replacing.rename_no_replace

    def rename(from_fd: int, name: str, to_fd: int, to_name: str) -> None:
        if to_name == "x" and not monkeypatch_done:
            monkeypatch_done.append(True)
            raise OSError(28, "No space left on device")
        honest(from_fd, name, to_fd, to_name)

    monkeypatch_done: list[bool] = []
    monkeypatch.setattr(replacing, "rename_no_replace", rename)
    granted = wish(make_part(san, NEW), replace=True)
    assert run(shares, granted) is PublishResult.TROUBLE
    assert read(san / "out" / "x") == OLD
    assert run(shares, granted) is PublishResult.PUBLISHED
    assert read(san / "out" / "x") == NEW


def test_a_part_that_is_lost_half_way_leaves_the_old_folder(
    san: Path, shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(shares, san, OLD)
    part = make_part(san, NEW)
    granted = wish(part, replace=True)
    with monkeypatch.context() as patch:
        kill_at("replace cleared", patch)
        with pytest.raises(Killed):
            publish(shares, granted, digest, "a")
    part[1].rename(san / "lost")
    assert run(shares, granted) is PublishResult.GONE
    assert read(san / "out" / "x") == OLD


def test_a_marker_guards_for_a_while_and_is_swept(san: Path, shares: Shares) -> None:
    deliver(shares, san, OLD)
    granted = wish(make_part(san, NEW), replace=True)
    run(shares, granted)
    assert replacing.sweep_aside(str(san), lambda path, mark: False) == []
    assert len(replacing.sweep_aside(str(san), lambda path, mark: True)) == 1
    assert list((san / ".fa" / "aside").iterdir()) == []
    assert run(shares, granted) is PublishResult.PUBLISHED
    assert read(san / "out" / "x") == NEW


def test_who_finds_it_published_makes_it_durable(san: Path, shares: Shares, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who renamed it may have died before it did."""
    granted = wish(make_part(san))
    run(shares, granted)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    assert run(shares, granted) is PublishResult.PUBLISHED
    assert (san / "out").stat().st_ino in synced


# --- another node helps ---


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_who_helps_and_may_not_leaves_it_to_its_own_node(
    san: Path, shares: Shares, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    granted = wish(make_part(san))
    with monkeypatch.context() as patch:
        patch.setattr(publish_module, "rename_no_replace", refuse)
        result, sentence = publish(shares, granted, digest, "c")
    assert (result, os.strerror(number) in sentence) == (PublishResult.TROUBLE, True)
    assert run(shares, granted) is PublishResult.PUBLISHED
    assert publish(shares, granted, digest, "c") == (PublishResult.PUBLISHED, ""), "so it sees at its next try"


def test_who_helps_puts_away_what_nobody_can_deliver(san: Path, shares: Shares) -> None:
    (san / "out").mkdir()
    (san / "out" / "x").write_text("mine")
    assert publish(shares, wish(make_part(san)), digest, "c")[0] is PublishResult.EXISTS
    assert parts_of(san) == []
