"""Restores of any moment, by our code and by the real litestream (REPLICATION.md section 7, items 1, 2, 6 and 7)."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastcrc.crc64 import go_iso

from fa.replication.checksum import HIGH_BIT
from fa.replication.directory import ReplicaDirectory
from fa.replication.errors import (
    LineageBroken,
    NoSuchMoment,
    RestoreFailed,
    RestoreTargetExists,
    SegmentCorrupt,
    SegmentFileDamaged,
    StockToolFailed,
)
from fa.replication.litestream import dump_digest, find_program, row_counts, stock_restore, verify
from fa.replication.restore import restore
from fa.replication.segment import FRAME, HEADER, NO_CHECKSUM, Encoder, Header, decode, encode, file_name
from fa.replication.writer import Limits
from tests.replication.conftest import Bench, insert, memory_backed


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def digest(directory: Path, out: Path, **how: object) -> str:
    stock_restore(directory, out, **how)  # type: ignore[arg-type]
    return dump_digest(out)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, dict[int, str]]]:
    """A closed store of 1,001 transactions across checkpoints and a restart, and dumps of every 250th state."""
    shelf = memory_backed(tmp_path_factory.mktemp("long"))
    home = shelf / "a"
    dumps: dict[int, str] = {}
    clock = iter(range(1_700_000_000_000, 1_800_000_000_000, 10))

    def note(connection: sqlite3.Connection) -> None:
        dumps[bench.writer.position.txid] = dump(connection)

    for epoch in (1, 2):
        bench = Bench(home, limits=Limits(wal_bytes=400_000), now_ms=lambda: next(clock))
        bench.writer.open_epoch(epoch)
        for number in range(499 + epoch):
            bench.do(insert(f"{epoch}-{number}-" + "x" * (number % 97) * 10))
            if bench.writer.position.txid % 250 == 0:
                bench.do(note)
        bench.close()
        assert not bench.dead
    assert bench.writer.position.txid == 1003
    yield bench, dumps
    shutil.rmtree(shelf)


def dump(connection: sqlite3.Connection) -> str:
    return hashlib.sha256("".join(connection.iterdump()).encode()).hexdigest()


def test_the_stock_tool_restores_the_same_bytes(long_run: tuple[Bench, dict[int, str]], tmp_path: Path) -> None:
    bench, _ = long_run
    stock_restore(bench.directory.root, tmp_path / "stock.db")
    ours = restore(ReplicaDirectory(bench.directory.root, read_only=True), tmp_path / "ours.db")
    assert ours.position == bench.writer.position
    assert ours.proved
    assert (tmp_path / "stock.db").read_bytes() == (tmp_path / "ours.db").read_bytes() == bench.db.read_bytes()


def test_every_recorded_transaction_is_restored(long_run: tuple[Bench, dict[int, str]], tmp_path: Path) -> None:
    bench, dumps = long_run
    assert len(dumps) == 4
    directory = ReplicaDirectory(bench.directory.root, read_only=True)
    for txid, expected in dumps.items():
        assert digest(directory.root, tmp_path / f"s{txid}", txid=txid) == expected
        restore(directory, tmp_path / f"o{txid}", txid)
        assert dump_digest(tmp_path / f"o{txid}") == expected


def test_moments_are_clamped_by_us_and_strict_for_the_stock_tool(
    long_run: tuple[Bench, dict[int, str]], tmp_path: Path
) -> None:
    bench, dumps = long_run
    directory = ReplicaDirectory(bench.directory.root, read_only=True)
    files = directory.files(0)
    at = files[499].mtime_ms
    assert files[499].max_txid == 500
    for name, when, txid in [
        ("equal", at, 500),
        ("one later", at + 1, 500),
        ("one earlier", at - 1, 499),
        ("last", files[-1].mtime_ms, 1003),
        ("after the last", files[-1].mtime_ms + 10**9, 1003),
        ("first", files[0].mtime_ms, 1),
    ]:
        assert restore(directory, tmp_path / name, moment(when)).position.txid == txid
    assert dump_digest(tmp_path / "equal") == dumps[500]
    with pytest.raises(NoSuchMoment, match="reaches from 2023"):
        restore(directory, tmp_path / "before", moment(files[0].mtime_ms - 1))
    assert not (tmp_path / "before").exists()
    assert digest(directory.root, tmp_path / "s", at=moment(at + 1)) == dumps[500]
    before = digest(directory.root, tmp_path / "t", at=moment(at))
    assert before == digest(directory.root, tmp_path / "r", txid=499) != dumps[500], "strictly before"
    last = {"at": moment(files[-1].mtime_ms)}
    assert digest(directory.root, tmp_path / "v", **last) == digest(directory.root, tmp_path / "w", txid=1002)
    first = files[0].mtime_ms
    for when in (files[-1].mtime_ms + 1, files[-1].mtime_ms + 10**9, first - 1, first - 10**9):
        with pytest.raises(StockToolFailed, match="timestamp does not exist"):
            stock_restore(directory.root, tmp_path / "u", at=moment(when))
    with pytest.raises(StockToolFailed, match="no matching backup"):
        stock_restore(directory.root, tmp_path / "u", at=moment(first))


def test_verify_reports_rows(long_run: tuple[Bench, dict[int, str]]) -> None:
    bench, _ = long_run
    report = verify(ReplicaDirectory(bench.directory.root, read_only=True))
    assert report.identical
    assert report.rows == {"position": 1, "t": 1001}


@pytest.fixture
def small(bench: Bench, tmp_path: Path) -> Path:
    """The directory of a store of seven transactions; safe to damage."""
    for number in range(6):
        bench.do(insert(f"{number}" * 9000))
    bench.close()
    shutil.copytree(bench.directory.root, tmp_path / "copy")
    return tmp_path / "copy"


def single(root: Path, txid: int) -> Path:
    return root / "ltx" / "0" / file_name(txid, txid)


def test_a_copy_without_its_times_still_knows_them(small: Path, tmp_path: Path) -> None:
    times = [file.mtime_ms for file in ReplicaDirectory(small, read_only=True).files(0)]
    for path in small.glob("ltx/0/*"):
        os.utime(path)
    directory = ReplicaDirectory(small, read_only=True)
    assert restore(directory, tmp_path / "x", moment(times[3])).position.txid == 4


@pytest.mark.parametrize("pages", [(1,), (1, 4), (1, 2, 4), (1, 2, 3)])
def test_a_page_that_is_nowhere_is_missed(tmp_path: Path, pages: tuple[int, ...]) -> None:
    directory = ReplicaDirectory(tmp_path / "replica")
    for txid, commit, changed in ((1, 1, (1,)), (2, 4, pages)):
        header = Header(512, commit, txid, txid, txid, 1)
        directory.write(header, encode(header, [(number, bytes(512)) for number in changed]))
    missing = min({1, 2, 3, 4} - set(pages))
    with pytest.raises(LineageBroken, match=f"Page {missing} is in none"):
        restore(directory, tmp_path / "out")


def test_strangers_in_the_folder_are_ignored(small: Path, tmp_path: Path) -> None:
    for name in (b"x.tmp", b"..ltx", b"a\nb.ltx", b"\xff\xfe.ltx", b"-rf"):
        Path(os.fsdecode(os.fsencode(small / "ltx" / "0") + b"/" + name)).write_bytes(b"")
    stock_restore(small, tmp_path / "s")
    assert restore(ReplicaDirectory(small, read_only=True), tmp_path / "x").position.txid == 7


def _cut(path: Path, length: int) -> None:
    os.truncate(path, length)


def _flip(path: Path, position: int, mask: int = 1) -> None:
    raw = bytearray(path.read_bytes())
    raw[position] ^= mask
    path.write_bytes(raw)


def _give_checksums(path: Path) -> None:
    """Make of it what LTX allows and Litestream does not: sound in itself, with checksums of the database."""
    raw = path.read_bytes()
    segment = decode(raw)
    flags, pre, post = bytes(4), (HIGH_BIT | 1).to_bytes(8, "big"), (HIGH_BIT | 2).to_bytes(8, "big")
    header = raw[:4] + flags + raw[8:40] + pre + raw[48 : HEADER.size]
    encoder = Encoder(segment.header)
    encoder.begin()
    encoder._crc = go_iso(header)
    frames = b"".join(encoder.page(number, page) for number, page in segment.pages)
    tail = encoder.finish()[:-16] + post
    crc = go_iso(tail, encoder._crc) | HIGH_BIT
    path.write_bytes(header + frames + tail + crc.to_bytes(8, "big"))


DAMAGE = {
    "gap": lambda path: path.unlink(),
    "zero length": lambda path: _cut(path, 0),
    "torn": lambda path: _cut(path, path.stat().st_size - 20),
    "flipped page number": lambda path: _flip(path, 103),
    "flipped page": lambda path: _flip(path, HEADER.size + FRAME.size + 1),
    "flipped index": lambda path: _flip(path, path.stat().st_size - 26),
    "flipped crc": lambda path: _flip(path, path.stat().st_size - 1),
    "says it has checksums": lambda path: _flip(path, 7, NO_CHECKSUM),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_directory_is_refused_by_both(small: Path, tmp_path: Path, kind: str) -> None:
    DAMAGE[kind](single(small, 4))
    with pytest.raises((LineageBroken, SegmentCorrupt)):
        restore(ReplicaDirectory(small, read_only=True), tmp_path / "ours")
    assert not list(tmp_path.glob("ours*"))
    with pytest.raises(StockToolFailed):
        stock_restore(small, tmp_path / "stock")


def test_a_segment_with_checksums_of_the_database_is_refused_by_both(small: Path, tmp_path: Path) -> None:
    """By the stock tool only where it is the last one: the header's flag 2 is why ours are taken."""
    _give_checksums(single(small, 7))
    with pytest.raises(SegmentFileDamaged):
        restore(ReplicaDirectory(small, read_only=True), tmp_path / "ours")
    with pytest.raises(StockToolFailed, match="post-apply checksum not allowed"):
        stock_restore(small, tmp_path / "stock")


def stock_restore_is_wrong(root: Path, out: Path) -> None:
    """The stock tool, without an integrity check, says nothing and writes a broken database."""
    command = [str(find_program()), "restore", "-o", str(out), root.as_uri()]
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == 0
    connection = sqlite3.connect(out)
    assert connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]
    connection.close()


def test_two_mixed_histories_are_refused_although_the_stock_tool_takes_them(small: Path, tmp_path: Path) -> None:
    other = Bench(tmp_path / "other")
    other.writer.open_epoch(1)
    for number in range(9):
        other.do(insert("abcdefghi"[number] * 9000))
    other.close()
    shutil.copy2(single(other.directory.root, 8), single(small, 8))
    shutil.copy2(single(other.directory.root, 9), single(small, 9))
    stock_restore_is_wrong(small, tmp_path / "stock")
    chain = small / "chain.log"
    chain.write_bytes(chain.read_bytes() + (other.directory.root / "chain.log").read_bytes()[7 * 32 : 9 * 32])
    with pytest.raises(LineageBroken, match="two histories"):
        restore(ReplicaDirectory(small, read_only=True), tmp_path / "ours")


def test_nothing_is_overwritten(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "precious"
    out.write_text("mine")
    with pytest.raises(RestoreTargetExists):
        restore(ReplicaDirectory(small, read_only=True), out)
    assert out.read_text() == "mine"


@pytest.mark.parametrize("name", ["nope/x/o.db", "file/o.db", "n" * 300])
def test_where_nothing_can_be_written(small: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RestoreFailed, match=r"cannot be read or written: .*Name a file") as told:
        restore(ReplicaDirectory(small, read_only=True), tmp_path / name)
    assert name.split("/")[0] in told.value.detail
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", ["zero length", "torn", "flipped crc"])
def test_a_damaged_file_is_named_and_what_to_do(small: Path, tmp_path: Path, kind: str) -> None:
    DAMAGE[kind](single(small, 4))
    directory = ReplicaDirectory(small, read_only=True)
    with pytest.raises(SegmentFileDamaged) as told:
        restore(directory, tmp_path / "ours")
    assert str(single(small, 4)) in told.value.detail
    assert "another node" in told.value.hint
    assert "--at txid:3" in told.value.hint
    assert "asked for again" not in str(told.value)
    assert restore(directory, tmp_path / "before", 3).proved, "as it says"


@pytest.mark.parametrize("kind", ["zero length", "says it has checksums"])
def test_a_damaged_file_hinders_only_the_moments_that_need_it(small: Path, tmp_path: Path, kind: str) -> None:
    """After a power cut the newest files may be torn; yesterday is asked for by its time."""
    times = [file.mtime_ms for file in ReplicaDirectory(small, read_only=True).files(0)]
    victim = single(small, 7)
    DAMAGE[kind](victim)
    os.utime(victim, ns=(times[6] * 1_000_000, times[6] * 1_000_000))
    directory = ReplicaDirectory(small, read_only=True)
    assert restore(directory, tmp_path / "x", moment(times[3])).position.txid == 4
    with pytest.raises(NoSuchMoment, match="It reaches from"):
        restore(directory, tmp_path / "y", moment(times[0] - 1))
    with pytest.raises(SegmentFileDamaged):
        restore(directory, tmp_path / "z", moment(times[6]))


def test_nothing_of_anybody_is_used_on_the_way(small: Path, tmp_path: Path) -> None:
    mine = tmp_path / "x.db.tmp"
    mine.write_text("mine")
    victim = tmp_path / "victim"
    victim.write_text("victim")
    (tmp_path / "y.db.tmp").symlink_to(victim)
    for name in ("x.db", "y.db"):
        restore(ReplicaDirectory(small, read_only=True), tmp_path / name)
    assert (mine.read_text(), victim.read_text()) == ("mine", "victim")
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


@pytest.mark.parametrize("taken", [False, True])
def test_where_files_have_one_name_only(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    """FAT and many shares know no links."""
    out = tmp_path / "x.db"

    def refuse(source: Path, target: Path) -> None:
        if taken:
            out.write_text("mine")
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(source))

    monkeypatch.setattr(os, "link", refuse)
    if taken:
        with pytest.raises(RestoreTargetExists):
            restore(ReplicaDirectory(small, read_only=True), out)
        assert out.read_text() == "mine"
    else:
        assert restore(ReplicaDirectory(small, read_only=True), out).proved
        assert row_counts(out)["t"] == 6
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def test_hostile_names_of_the_output(small: Path, tmp_path: Path) -> None:
    for name in ("-o", "a\nb", "%d {x} 'q' \"q\"", "é😀"):
        restored = restore(ReplicaDirectory(small, read_only=True), tmp_path / name, 3)
        assert restored.position.txid == 3
        assert row_counts(tmp_path / name)["t"] == 2
    with pytest.raises(NoSuchMoment):
        restore(ReplicaDirectory(small, read_only=True), tmp_path / "z", 8)
