"""Whose fault a failure is."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from fa.core.commands import Order
from fa.core.work import AttemptFailed
from fa.errors import FaError
from fa.node.mishap import Hopeless, NotFromHere, failed_by
from fa.node.volumes import VolumeGone
from fa.transcode import classify
from fa.transcode.errors import BadSource
from fa.transcode.perform import EncodeFailure
from tests.node.test_attempt import failure, san

__all__ = ["san"]  # a fixture

ORDER = Order(1, 7, 1, "a", 1, "p", "san:in/x", "san:out/1", "copy", 1, "", 50, 1, "cpu", 1)


@pytest.mark.parametrize(
    ("error", "permanent", "blame"),
    [
        (BadSource("The source is not media that can be opened: it says."), True, True),
        (Hopeless("The source is empty."), True, False),
        (OSError(errno.EISDIR, os.strerror(errno.EISDIR)), True, False),
        (OSError(errno.EIO, os.strerror(errno.EIO)), False, True),
        (NotFromHere("The source is not there."), False, True),
        (VolumeGone("It went."), False, False),
    ],
)
def test_a_verdict_of_a_program_is_permanent_and_may_be_the_nodes_own_fault(
    error: FaError | OSError, permanent: bool, blame: bool
) -> None:
    mishap = failed_by(ORDER, error)
    assert (mishap.permanent, mishap.blame) == (permanent, blame)


@pytest.mark.parametrize(
    ("code", "blame"), [("bad-source", True), ("exec-failed", True), (classify.CONTRADICTS, False)]
)
async def test_so_is_what_an_encode_ends_with_but_not_a_recipe_that_cannot_be(
    san: Path, monkeypatch: pytest.MonkeyPatch, code: str, blame: bool
) -> None:
    async def encode(*args: Any) -> EncodeFailure:
        return EncodeFailure(True, code, "it failed")

    monkeypatch.setattr("fa.node.attempt.perform", encode)
    (san / "in" / "x.txt").write_text("film")
    assert await failure(san) == AttemptFailed(7, 1, "it failed", True, blame)
