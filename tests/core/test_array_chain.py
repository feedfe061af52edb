"""Positions without a gap, and what they prove."""

from __future__ import annotations

import pytest

from fa.core import array_chain
from fa.core.array_chain import Chain, Link
from fa.core.position import EMPTY, Position


def link(txid: int, epoch: int = 1, checksum: int = 0) -> Link:
    return Link(Position(txid, checksum or 100 + txid), epoch)


def chain(*epochs: int) -> Chain:
    made = Chain()
    for txid, epoch in enumerate(epochs, 1):
        made.append(link(txid, epoch))
    return made


def test_an_empty_store_stands_at_the_origin() -> None:
    assert Chain().end == EMPTY and EMPTY in Chain() and chain(1, 1).end == Position(2, 102)


def test_it_knows_what_is_on_it_and_what_contradicts_it() -> None:
    made = chain(1, 1, 1)
    assert Position(2, 102) in made
    assert Position(2, 999) not in made and made.refutes(Position(2, 999))
    assert Position(4, 104) not in made and not made.refutes(Position(4, 104))


def test_the_epoch_of_each_segment_is_kept() -> None:
    made = chain(1, 1, 2, 2, 3)
    assert [made.at(txid).epoch for txid in range(1, 6)] == [1, 1, 2, 2, 3]  # type: ignore[union-attr]
    assert made.at(6) is None


def test_a_gap_is_refused() -> None:
    with pytest.raises(AssertionError):
        chain(1).append(link(3))


def test_a_cut_forgets_the_tail() -> None:
    made = chain(1, 1, 2, 3)
    made.cut(Position(2, 102))
    assert made.end == Position(2, 102) and made.at(3) is None
    made.append(link(3, 9, 777))
    assert made.at(3) == link(3, 9, 777)
    with pytest.raises(AssertionError):
        made.cut(Position(2, 5))


def test_a_copy_begins_anew() -> None:
    made = chain(1, 1)
    made.restart(link(50, 4))
    assert made.end == Position(50, 150) and made.at(49) is None and not made.refutes(Position(1, 9))


def test_the_last_positions() -> None:
    made = chain(1, 1, 1, 1)
    assert made.last(2, 9) == (Position(3, 103), Position(4, 104))
    assert made.last(2, 2) == (Position(1, 101), Position(2, 102))
    assert made.last(9, 1) == (EMPTY, Position(1, 101))


def test_only_a_window_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_chain, "WINDOW", 4)
    made = chain(*[1] * 5, *[2] * 6)
    assert made.at(1) is None and made.end == Position(11, 111)
    known = [txid for txid in range(12) if made.at(txid)]
    assert len(known) >= 4 and known == list(range(known[0], 12))
    assert [made.at(txid).epoch for txid in known] == [1 if txid <= 5 else 2 for txid in known]  # type: ignore[union-attr]
