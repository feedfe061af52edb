"""Crashes: kill -9 of writer and copy under load, images of a power cut, a full disk (REPLICATION.md section 7.9)."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fa.errors import StoreFull
from fa.replication.directory import ReplicaDirectory
from fa.replication.errors import CopyDamaged
from fa.replication.litestream import verify
from fa.replication.segment import decode
from fa.replication.writer import Limits
from tests.replication.conftest import Bench, Follower, insert, rows, wait_for

ROOT = Path(__file__).resolve().parents[2]
KILLS = 8


def test_no_acknowledged_row_is_lost_to_kill_9(fast_home: Path) -> None:
    chance = random.Random(11)
    for home in ("a", "b"):
        (fast_home / home).mkdir()
    acked = fast_home / "acked"
    acked.touch()
    for epoch in range(1, KILLS + 1):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.replication.crashing_pair", str(fast_home), str(epoch)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        before, more = acked.stat().st_size, chance.randint(1, 4000)
        assert child.stdout is not None
        assert child.stdout.readline() == "running\n"
        with suppress(AssertionError):
            wait_for(lambda b=before, m=more, c=child: acked.stat().st_size > b + m or c.poll() is not None)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL, child.stdout.read()
        child.stdout.close()
    check_promised(fast_home)


def check_promised(home: Path) -> None:
    """Both hold every row that was acknowledged, once, and restores of their directories as well."""
    promised = (home / "acked").read_text().split()
    assert len(promised) > KILLS
    for name in ("a", "b"):
        follower = Follower(home / name)
        state = follower.copy.promote()
        present = [text for _, text in rows(follower.db)]
        assert set(promised) <= set(present), name
        assert len(present) == len(set(present))
        assert state.position == follower.directory.chain.last
        follower.directory.close()
        assert verify(follower.directory).rows["t"] == len(present)


class Apart:
    """A writer and a copy in processes of their own."""

    def __init__(self, home: Path) -> None:
        self.home, self.epoch = home, 0
        self.acked = home / "acked"
        self.acked.touch()
        self.children: dict[str, subprocess.Popen[str]] = {}
        for name in ("a", "b"):
            (home / name).mkdir()
        for role in ("copy", "writer"):
            self.start(role)

    def start(self, role: str) -> None:
        words = [role, str(self.home)]
        if role == "writer":
            self.epoch += 1
            words.append(str(self.epoch))
        command = [sys.executable, "-m", "tests.replication.crashing_apart", *words]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.children[role] = child
        assert child.stdout is not None
        assert child.stdout.readline() == "running\n"

    def kill(self, role: str) -> None:
        child = self.children.pop(role)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL, f"{role} had ended by itself"
        assert child.stdout is not None
        child.stdout.close()

    def wait_acked(self, more: int) -> None:
        """Until so many bytes more were acknowledged, or somebody has ended who should not."""
        end = self.acked.stat().st_size + more
        wait_for(lambda: self.acked.stat().st_size > end or any(child.poll() for child in self.children.values()))


def test_the_writer_and_the_copy_are_killed_one_without_the_other(fast_home: Path) -> None:
    """Who lives on waits for who does not, and goes on where both are."""
    chance = random.Random(12)
    apart = Apart(fast_home)
    try:
        for role in chance.sample(["writer", "copy"] * KILLS, KILLS):
            apart.wait_acked(chance.randint(1, 1500))
            apart.kill(role)
            apart.start(role)
        apart.wait_acked(100)
    finally:
        for role in list(apart.children):
            apart.kill(role)
    check_promised(fast_home)


@pytest.fixture
def crashed(fast_home: Path) -> Iterator[tuple[Bench, Follower]]:
    """A writer (still running), and a copy of its files as a power cut might leave them: damage it, then ``open``."""
    bench = Bench(fast_home / "a", limits=Limits(wal_bytes=300_000, wal_seconds=1e9))
    bench.writer.open_epoch(1)
    while bench.writer.checkpointed < 10 or bench.writer.position.txid - bench.writer.checkpointed < 8:
        bench.do(insert(f"{bench.writer.position.txid}" * 200))
        assert bench.writer.position.txid < 200
    bench.writer.freeze()
    shutil.copytree(bench.home, fast_home / "image")
    image = Follower.__new__(Follower)
    image.home, image.db = fast_home / "image", fast_home / "image" / "store.db"
    yield bench, image
    bench.close()


def matches(bench: Bench, image: Follower) -> bool:
    image.copy.apply(bench.writer.position)
    image.close()
    bench.close()
    return image.db.read_bytes() == bench.db.read_bytes()


def damage_segments(image: Follower, seed: int, above: int) -> None:
    """Own segments above the last flush were never fsynced: any of them may be missing, empty or torn."""
    chance = random.Random(seed)
    for file in ReplicaDirectory(image.home / "replica", read_only=True).files(0):
        if file.max_txid > above:
            fate = chance.randrange(4)
            if fate == 0:
                file.path.unlink()
            elif fate < 3:
                os.truncate(file.path, chance.randrange(file.size) if fate == 1 else 0)


@pytest.mark.parametrize("seed", range(6))
def test_segments_lost_in_a_power_cut_are_made_again_from_the_wal(crashed: tuple[Bench, Follower], seed: int) -> None:
    bench, image = crashed
    damage_segments(image, seed, bench.writer.checkpointed)
    os.truncate(image.home / "replica" / "chain.log", 32 * bench.writer.checkpointed + 5)
    assert image.open() == bench.writer.position
    assert not image.db.with_name("store.db-wal").exists()
    assert [image.directory.chain.at(e.max_txid) for e, _ in bench.shipped] == [e.after for e, _ in bench.shipped]
    assert matches(bench, image)
    assert verify(image.directory).rows["t"] == bench.writer.position.txid - 1


@pytest.mark.parametrize("seed", range(6))
def test_sectors_lost_while_checkpointing_are_healed(crashed: tuple[Bench, Follower], seed: int) -> None:
    """The database file may hold any mixture of old, new and torn pages of segments above the marker."""
    bench, image = crashed
    chance = random.Random(seed)
    new = {n: page for _, ltx in bench.shipped[bench.writer.checkpointed :] for n, page in decode(ltx).pages}
    with image.db.open("r+b") as file:
        for number, page in sorted(new.items()):
            file.seek((number - 1) * 4096)
            file.write(bytes(page)[: 512 * chance.randrange(9)])
    damage_segments(image, seed, bench.writer.checkpointed)
    os.truncate(image.home / "replica" / "chain.log", 32 * bench.writer.checkpointed)
    assert image.open() == bench.writer.position
    for envelope, _ in bench.shipped:
        assert image.directory.chain.at(envelope.max_txid) in (envelope.after, None), (
            "no record rather than a wrong one"
        )
    assert matches(bench, image)


def test_a_torn_frame_at_the_end_of_the_wal_is_no_transaction(crashed: tuple[Bench, Follower]) -> None:
    bench, image = crashed
    wal = image.db.with_name("store.db-wal")
    for file in ReplicaDirectory(image.home / "replica", read_only=True).files(0)[-1:]:
        file.path.unlink()
    os.truncate(image.home / "replica" / "chain.log", 32 * (bench.writer.position.txid - 1))
    size = 32 + bench.writer.wal_bytes
    os.truncate(wal, size - 100)
    assert image.open() == bench.shipped[-2][0].after


def test_what_was_answered_for_and_is_nowhere_is_called_damage(crashed: tuple[Bench, Follower]) -> None:
    bench, image = crashed
    image.db.with_name("store.db-wal").unlink()
    last = bench.writer.position.txid
    ReplicaDirectory(image.home / "replica", read_only=True).path(last, last).unlink()
    with pytest.raises(CopyDamaged, match=f"Segment {last} is missing"):
        image.open()


def test_the_wal_without_the_markers_segment_is_not_guessed_at(crashed: tuple[Bench, Follower]) -> None:
    bench, image = crashed
    for file in ReplicaDirectory(image.home / "replica", read_only=True).files(0)[bench.writer.checkpointed - 1 :]:
        file.path.unlink()
    with pytest.raises(CopyDamaged, match="cannot be read"):
        image.open()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    if os.geteuid():
        pytest.skip("needs root (to mount a small tmpfs)")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def until_full(bench: Bench) -> int:
    """Insert until the disk is full; how many rows were acknowledged."""
    for number in range(10_000):
        try:
            bench.do(insert(f"{number}-" + os.urandom(6000).hex()))
        except StoreFull:
            return number
    raise AssertionError("the disk never filled")


def test_a_full_disk_refuses_works_and_loses_nothing(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    bench = Bench(small_disk / "a")
    bench.writer.open_epoch(1)
    count = until_full(bench)
    assert count > 5
    with pytest.raises(StoreFull, match="Free space"):
        bench.do(insert("y" * 100_000))
    assert not bench.dead
    ballast.unlink()
    bench.do(insert("room again"))
    assert len(bench.rows()) in (count + 1, count + 2)
    bench.close()
    assert not bench.dead


def test_a_full_replica_disk_keeps_segments_in_memory_until_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "replica").symlink_to(small_disk)
    bench = Bench(tmp_path / "a")
    bench.writer.open_epoch(1)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    count = until_full(bench)
    assert len(bench.shipped) == count + 1, "the last one was committed and shipped although its own file had no room"
    assert len(bench.directory.files(0)) == count
    ballast.unlink()
    bench.do(insert("room again"))
    assert len(bench.directory.files(0)) == count + 2
    assert bench.directory.chain.last == bench.writer.position
    bench.close()
    assert not bench.dead


@pytest.fixture
def cramped(small_disk: Path) -> Iterator[Follower]:
    """A copy on the small disk."""
    made = Follower(small_disk / "b")
    yield made
    made.close()


def test_a_full_disk_of_a_secondary_refuses_the_segment_until_there_is_room(cramped: Follower, bench: Bench) -> None:
    bench.do(insert("first"))
    cramped.take(bench.shipped)
    ballast = cramped.home.with_name("ballast")
    with suppress(OSError):
        ballast.write_bytes(bytes(4_000_000))
    for number in range(12):
        bench.do(insert(f"{number}-" + os.urandom(6000).hex()))
    with pytest.raises(OSError, match="No space left"):
        cramped.take(bench.shipped[2:])
    stopped = cramped.copy.position
    assert 2 <= stopped.txid < bench.writer.position.txid
    ballast.unlink()
    cramped.take(bench.shipped[stopped.txid :])
    assert cramped.copy.position == bench.writer.position
    cramped.close()
    assert cramped.open() == bench.writer.position
    cramped.copy.apply(bench.writer.position)
    bench.close()
    assert cramped.db.read_bytes() == bench.db.read_bytes()


def test_a_disk_that_cannot_sync_stops_the_writer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    bench.do(insert("one"))
    monkeypatch.setattr(bench.directory, "write", broken)
    with pytest.raises(Exception, match="idempotency key"):
        bench.do(insert("two"))
    assert bench.died.wait(30)
    assert isinstance(bench.dead[0], OSError)
