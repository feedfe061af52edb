"""What a node keeps of its vote: it survives a restart, word for word."""

from __future__ import annotations

from pathlib import Path

from fa.core.array_messages import Unproven
from fa.core.trust import Mark, PeerMark
from fa.core.view import Ballot
from fa.node.identity import Identity, VoteFiles


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
