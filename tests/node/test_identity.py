"""What a node keeps of its vote: it survives a restart, word for word."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fa.core.array_messages import Unproven
from fa.core.trust import Mark, PeerMark
from fa.core.view import Ballot
from fa.node.found import found
from fa.node.identity import Identity, VoteFiles
from fa.node.settings import StateDir
from fa.replication.errors import CopyDamaged


def test_what_the_core_saved_is_what_it_starts_with(tmp_path: Path) -> None:
    votes = VoteFiles(tmp_path / "vote")
    votes.save_identity(Identity("a.1"))
    assert votes.started(votes.boot(), ()).unproven is None
    mark = PeerMark("b", "b.1", "r", 2, 2048, 1, 1024, 9)
    votes.save_ballot(Ballot(2048))
    votes.save_marks((mark,))
    votes.save_unproven(Unproven(2, 1024, ("r1", "r2")))
    started = VoteFiles(tmp_path / "vote").started(votes.boot(), ())
    assert (started.incarnation, started.boots, started.mark) == ("a.1", 2, Mark.OK)
    assert (started.ballot, started.marks, started.unproven) == (
        Ballot(2048), (mark,), Unproven(2, 1024, ("r1", "r2")),
    )  # fmt: skip


def test_a_disk_that_was_confirmed_has_nothing_to_prove(tmp_path: Path) -> None:
    votes = VoteFiles(tmp_path / "vote")
    votes.save_unproven(Unproven(2, 1024, ("r1",)))
    votes.save_unproven(None)
    assert votes.unproven() is None


def kept(folder: Path) -> VoteFiles:
    votes = VoteFiles(folder)
    votes.save_identity(Identity("a.1"))
    votes.save_ballot(Ballot(2048))
    votes.save_marks((PeerMark("b", "b.1", "r", 2, 2048, 1, 1024, 9),))
    votes.save_unproven(Unproven(2, 1024, ("r1", "r2")))
    return votes


TORN: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda raw: raw[: len(raw) // 2],
    "empty": lambda raw: b"",
    "zeroes": lambda raw: bytes(len(raw)),
    "a flipped bit": lambda raw: raw[:20] + bytes([raw[20] ^ 1]) + raw[21:],
}


@pytest.mark.parametrize("how", TORN)
@pytest.mark.parametrize("name", ["identity", "ballot", "marks", "unproven"])
def test_a_torn_record_is_not_taken_for_none(tmp_path: Path, name: str, how: str) -> None:
    """A promise that cannot be read is not one that was never made: the node does not start (SAFETY.md 9)."""
    votes = kept(tmp_path / "vote")
    path = tmp_path / "vote" / f"{name}.json"
    path.write_bytes(TORN[how](path.read_bytes()))
    with pytest.raises(CopyDamaged, match=f"{name}.json"):
        votes.started(votes.boot(), ())


def test_a_node_with_a_torn_vote_says_why_it_does_not_start(tmp_path: Path) -> None:
    place = StateDir(tmp_path / "a")
    found(place, array="t", node="a", listen="127.0.0.1:7001", volumes={})
    ballot = tmp_path / "a" / "vote" / "ballot.json"
    ballot.write_bytes(ballot.read_bytes()[:-30])
    words = [sys.executable, "-m", "fa.cli", "run", "--dir", str(tmp_path / "a")]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode != 0
    assert "ballot.json" in ran.stderr and "Traceback" not in ran.stderr, ran.stderr
