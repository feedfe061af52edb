"""The record chain of a volume that votes: what becomes of it when nodes race, when records are lost, and when they are
not those that were there (SAFETY.md R8, R13)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fa.core.array_messages import MESSAGES, Accept, Accepted, Nack, Prepare, Promise, Query, Stat
from fa.core.array_volume import Record
from fa.core.view import Ballot, Member, View, next_epoch
from fa.node import volume_probe, volume_vote
from fa.node.clock import wall_ms
from fa.node.helper import helper_command
from fa.node.volume_probe import adopt
from fa.node.volume_vote import FOLDER, RECORDS_KEPT, SECONDS_KEPT, NoVote, VoteChain
from fa.replication.durable import read_record, write_record

ARRAY = "array-1"
A = Member("a", "a.1")


def view(epoch: int) -> View:
    return View(epoch, "a", (A,), (A,), (A,))


class San:
    """A volume that votes, and the nodes that ask it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "san"
        self.root.mkdir()
        assert adopt(str(self.root), ARRAY, "san") == ""
        self.folder = self.root / FOLDER
        self._nodes = root

    def memory(self, node: str) -> Path:
        return self._nodes / f"{node}-san.json"

    def helper(self, node: str = "a") -> VoteChain:
        """One that was just started, on this node."""
        return VoteChain(self.root, ARRAY, "san", self.memory(node))

    def record(self, number: int) -> Path:
        return self.folder / f"r.{number:08d}"

    def records(self) -> list[Record]:
        paths = sorted(self.folder.glob("r.*"))
        assert [path.name for path in paths] == [f"r.{n:08d}" for n in range(1, len(paths) + 1)], "no gap"
        return [msgspec.convert(read_record(path), Record) for path in paths]


@pytest.fixture
def san(tmp_path: Path) -> San:
    made = San(tmp_path)
    made.helper().enrol()
    return made


def promise(chain: VoteChain, epoch: int) -> None:
    assert isinstance(chain.answer("a", Prepare(epoch)), Promise)


def refuses(chain: VoteChain, why: str) -> None:
    for message in (Query(1), Prepare(10 << 20), Accept(view(10 << 20))):
        with pytest.raises(NoVote, match=why):
            chain.answer("a", message)


# --- as it should be ---


def test_what_one_node_was_promised_all_know(san: San) -> None:
    promise(san.helper("a"), 2049)
    assert san.helper("b").answer("b", Prepare(2049)) == Nack(2049)
    assert san.helper("b").answer("b", Accept(view(2049))) == Accepted(2049, san.records()[0].incarnation)
    (stat,) = [san.helper("a").answer("a", Query(5))]
    assert stat == Stat(5, san.records()[0].incarnation, 2049, view(2049), hears=False)
    assert [record.ballot for record in san.records()] == [Ballot(), Ballot(2049), Ballot(2049, view(2049))]


def test_the_folder_is_as_durable_as_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut of the volume took the identity with all votes: their folders were never synced."""
    synced: list[Path] = []
    monkeypatch.setattr(volume_probe, "sync", synced.append)
    monkeypatch.setattr(volume_vote, "sync_folder", synced.append)
    san = San(tmp_path)
    assert synced[1:] == [san.root / ".fa", san.root]
    synced.clear()
    san.helper().enrol()
    assert synced == [san.root / ".fa", san.folder]


def test_it_is_enrolled_once(san: San) -> None:
    promise(san.helper(), 2049)
    assert {san.helper("b").enrol().incarnation, san.helper("a").enrol().incarnation} == {san.records()[0].incarnation}
    assert len(san.records()) == 2


def test_a_question_leaves_nothing_behind(san: San) -> None:
    for ask in (lambda chain: chain.answer("a", Query(1)), VoteChain.look):
        ask(san.helper())
    assert [path.name for path in san.folder.iterdir()] == ["r.00000001"]


def test_what_is_told_as_accepted_is_durable(san: San, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever linked the record may have died before it could sync the folder."""
    chain, synced = san.helper(), []
    promise(chain, 2049)
    monkeypatch.setattr(volume_vote, "sync_folder", _fails)
    with pytest.raises(OSError, match="EIO"):
        chain.answer("a", Accept(view(2049)))
    assert san.records()[-1].ballot.accepted == view(2049), "it is there, for now"
    monkeypatch.setattr(volume_vote, "sync_folder", synced.append)
    assert isinstance(chain.answer("a", Accept(view(2049))), Accepted)
    assert synced == [san.folder]


def _fails(folder: Path) -> None:
    raise OSError(5, "EIO")


# --- nodes race ---

RACERS, TURNS = 4, 12


class Helper:
    """A real helper process of a node, asked as a node asks it."""

    def __init__(self, san: San, index: int) -> None:
        self.index = index
        self.node = f"n{index}"
        words = helper_command("volume-vote", str(san.root), ARRAY, "san", str(san.memory(self.node)))
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, message: Any) -> Any:
        """What it answers; a sentence when it gives no vote."""
        assert self.process.stdin and self.process.stdout
        question = [self.node, type(message).__name__, msgspec.to_builtins(message)]
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        name, body = json.loads(self.process.stdout.readline())
        return body["why"] if name == "NoVote" else msgspec.convert(body, MESSAGES[name])

    def race(self) -> list[Promise | Accepted]:
        """Try to be elected again and again; what was promised and accepted, in order."""
        won: list[Promise | Accepted] = []
        for _ in range(TURNS):
            epoch = next_epoch(self.ask(Query(0)).epoch, self.index)
            for message in (Prepare(epoch), Accept(view(epoch))):
                answer = self.ask(message)
                if isinstance(answer, Nack):
                    break
                assert isinstance(answer, Promise | Accepted), answer
                won.append(answer)
        return won

    def close(self) -> None:
        self.process.communicate("")


def test_of_nodes_that_race_each_sees_what_the_others_were_told(san: San) -> None:
    """Read-modify-write loses votes here: two are promised by one record, and one of them is forgotten."""
    helpers = [Helper(san, index) for index in range(1, RACERS + 1)]
    try:
        for helper in helpers:
            helper.ask(Query(0))  # all are up before the first begins
        with ThreadPoolExecutor(RACERS) as pool:
            won = [each for those in pool.map(Helper.race, helpers) for each in those]
    finally:
        for helper in helpers:
            helper.close()
    ballots = [record.ballot for record in san.records()]
    promised = {answer.epoch: answer.accepted for answer in won if isinstance(answer, Promise)}
    accepted = {answer.epoch for answer in won if isinstance(answer, Accepted)}
    assert len(ballots) == 1 + len(won) == 1 + len(promised) + len(accepted), "each answer has a record of its own"
    for before, after in pairwise(ballots):
        if after.accepted == before.accepted:
            assert after.epoch > before.epoch and promised[after.epoch] == before.accepted
        else:
            assert after.accepted and after.accepted.epoch == after.epoch == before.epoch and after.epoch in accepted
    assert 0 < len(accepted) < RACERS * TURNS, "they were in each other's way, and not only that"


def test_a_folder_that_is_never_left_alone_gives_no_vote(san: San, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_vote, "claim", lambda path, record: False)
    with pytest.raises(NoVote, match="Too many"):
        san.helper().answer("a", Prepare(2049))
    with pytest.raises(NoVote, match="Too many"):
        san.helper().renew()


def test_a_link_that_reports_an_error_and_happened_counts(san: San, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def late(source: Path, target: Path) -> None:
        real(source, target)
        raise TimeoutError

    monkeypatch.setattr(os, "link", late)
    promise(san.helper(), 2049)
    assert san.records()[-1].ballot == Ballot(2049)
    monkeypatch.setattr(os, "link", _fails_to_link)
    with pytest.raises(OSError, match="EIO"):
        san.helper().answer("a", Prepare(3073))
    assert len(san.records()) == 2


def _fails_to_link(source: Path, target: Path) -> None:
    raise OSError(5, "EIO")


# --- records are lost ---


def test_an_emptied_folder_promises_nothing(san: San) -> None:
    """Neither by the helper that runs, nor by a new one, nor by that of a node that has never seen it (R8)."""
    running = san.helper("a")
    promise(running, 5121)
    for empty in (lambda: [path.unlink() for path in san.folder.iterdir()], lambda: shutil.rmtree(san.folder)):
        empty()
        for chain in (running, san.helper("a"), san.helper("new")):
            refuses(chain, "has lost its vote records")
            with pytest.raises(NoVote):
                chain.look()
    assert not san.folder.exists(), "nobody made one"


def test_one_that_was_emptied_is_another_voter(san: San) -> None:
    before = san.records()[0].incarnation
    running = san.helper("b")
    promise(running, 5121)
    shutil.rmtree(san.folder)
    after = san.helper("a").enrol()
    assert after.incarnation != before and after.ballot == Ballot()
    for chain in (running, san.helper("b"), san.helper("a"), san.helper("new")):
        answer = chain.answer("a", Query(1))
        assert isinstance(answer, Stat) and answer.incarnation == after.incarnation


def set_back(san: San, records: int) -> None:
    for path in sorted(san.folder.glob("r.*"))[-records:]:
        path.unlink()


def test_one_that_was_set_back_is_not_believed_by_who_saw_more(san: San) -> None:
    running = san.helper("a")
    promise(running, 1025)
    promise(running, 5121)
    set_back(san, 1)
    for chain in (running, san.helper("a")):
        refuses(chain, "set back in time: its newest record is 2 of epoch 1025, but this node has seen record 3 of")
    promise(san.helper("blind"), 6145)
    promise(san.helper("blind"), 7169)
    refuses(san.helper("a"), "set back in time")
    promise(san.helper("blind"), 8193)
    fresh = san.helper("blind").renew()
    for chain in (running, san.helper("a")):
        assert chain.enrol() == fresh, "another voter, which can be admitted"


def test_one_that_grew_again_before_anybody_looked_is_not_believed_either(san: San) -> None:
    """Each node that starts makes records: who has not seen those that were lost builds on what is left."""
    promise(san.helper("a"), 1025)
    promise(san.helper("blind"), 2049)
    running = san.helper("a")
    promise(running, 3073)
    set_back(san, 1)
    for epoch in (3074, 4098):
        promise(san.helper("blind"), epoch)
        for chain in (running, san.helper("a")):
            refuses(chain, "set back in time: its vote record 4 is another one than this node has seen")


def test_what_was_replaced_does_not_come_back(san: San) -> None:
    """A whole folder restored from a backup."""
    chain = san.helper()
    promise(chain, 2049)
    shutil.copytree(san.folder, san.root / "backup")
    fresh = chain.renew()
    assert san.helper().answer("a", Query(1)) == Stat(1, fresh.incarnation, 0, None, hears=False)
    shutil.rmtree(san.folder)
    (san.root / "backup").rename(san.folder)
    for helper in (chain, san.helper()):
        refuses(helper, "of a vote that another one took the place of")


@pytest.mark.parametrize("damage", [lambda raw: raw[: len(raw) // 2], lambda raw: b"", lambda raw: raw[1:]])
def test_a_torn_record_is_no_vote(san: San, damage: Callable[[bytes], bytes]) -> None:
    running = san.helper("a")
    promise(running, 2049)
    san.record(2).write_bytes(damage(san.record(2).read_bytes()))
    for chain in (running, san.helper("a"), san.helper("new")):
        refuses(chain, "Vote record 2 of volume san is damaged")
    assert len(list(san.folder.iterdir())) == 2, "and nothing is built on it"
    fresh = san.helper("new").enrol()
    assert running.enrol() == fresh and fresh.ballot == Ballot()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"array_id": "another", "incarnation": "x"}, r"of another array \(another\)"),
        ({"array_id": ARRAY}, "is damaged"),
        ({"by": "p0"}, "is damaged"),
    ],
)
def test_a_foreign_record_is_no_vote(san: San, written: dict[str, str], said: str) -> None:
    write_record(san.record(2), written)
    refuses(san.helper(), said)


def test_a_foreign_volume_is_no_vote(san: San) -> None:
    identity = san.root / ".fa" / "volume.json"
    for other in ({"array_id": "another", "volume": "san"}, {"array_id": ARRAY, "volume": "nas"}, ["san"]):
        identity.write_text(json.dumps(other))
        refuses(san.helper(), "is not volume san of this array")
    identity.unlink()
    for ask in (VoteChain.enrol, VoteChain.renew, VoteChain.look):
        with pytest.raises(FileNotFoundError):
            ask(san.helper())


def test_an_unreadable_folder_is_not_an_empty_one(san: San, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", refused)
        for ask in (VoteChain.enrol, VoteChain.renew, VoteChain.look):
            with pytest.raises(PermissionError):
                ask(san.helper("new"))
    assert len(san.records()) == 1
    shutil.rmtree(san.folder)
    san.folder.touch()
    with pytest.raises(NotADirectoryError):
        san.helper().enrol()


def test_a_helper_says_why_and_lives_on(san: San) -> None:
    helper = Helper(san, 1)
    try:
        san.record(1).rename(san.root / "aside")
        assert helper.ask(Prepare(2049)) == "Volume san has lost its vote records."
        (san.root / "aside").rename(san.record(1))
        assert isinstance(helper.ask(Prepare(2049)), Promise)
        san.folder.rename(san.root / "aside")
        san.folder.touch()
        assert helper.ask(Prepare(3073)) == "No vote record of volume san can be read or made: Not a directory."
    finally:
        helper.close()


def test_a_memory_that_is_damaged_or_cannot_be_kept_withholds_no_vote(san: San) -> None:
    promise(san.helper("a"), 2049)
    san.memory("a").write_bytes(b"torn")
    promise(san.helper("a"), 3073)
    assert b"3073" in san.memory("a").read_bytes()
    san.memory("b").mkdir()
    promise(san.helper("b"), 4097)


# --- old records are collected ---


def age(path: Path, seconds: float) -> None:
    at = wall_ms() / 1000 - seconds
    os.utime(path, (at, at))


def lengthen(san: San, count: int) -> None:
    """As after so many votes, all of them long ago."""
    for number in range(2, count + 1):
        shutil.copyfile(san.record(1), san.record(number))
    for number in range(1, count + 1):
        age(san.record(number), SECONDS_KEPT + 60)


def test_records_go_when_they_are_old_and_far_behind(san: San) -> None:
    assert RECORDS_KEPT >= 1000 and SECONDS_KEPT >= 24 * 3600, "SAFETY.md asks for both"
    lengthen(san, RECORDS_KEPT + 1)
    age(san.record(2), SECONDS_KEPT - 60)
    chain = san.helper()
    promise(chain, 2049)  # record 1,002: number 2 is 1,000 behind, but too young
    assert san.record(1).exists() and san.record(2).exists()
    promise(chain, 3073)
    assert not san.record(3).exists()
    assert san.record(4).exists(), "old, but not far behind"
    chain.answer("a", Query(1))
    assert san.record(4).exists(), "who only looks collects nothing"


def test_who_slept_while_its_newest_was_collected_finds_the_end_all_the_same(san: San) -> None:
    """A secondary asks the volume at its start, and then not before its coordinator is lost: days later."""
    sleeper = san.helper("b")
    sleeper.answer("b", Query(1))
    lengthen(san, 8)
    for number in range(1, 6):
        san.record(number).unlink()
    promise(san.helper("a"), 2049)
    promise(sleeper, 3073)
