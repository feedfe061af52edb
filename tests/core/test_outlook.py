from __future__ import annotations

import pytest

from fa.core.outlook import Space, low_volumes, solo
from fa.core.work_messages import VolumeHealth


@pytest.mark.parametrize(
    ("free", "was_low", "low"),
    [(4, False, True), (5, False, False), (5, True, True), (6, True, False), (0, False, True), (100, True, False)],
)
def test_low_is_low_until_it_is_well_again(free: int, was_low: bool, low: bool) -> None:
    assert Space(5.0).is_low(free, 100, was_low) is low


@pytest.mark.parametrize("total", [None, 0])
def test_a_volume_that_tells_nothing_stays_what_it_was(total: int | None) -> None:
    assert Space().is_low(None, total, True) and not Space().is_low(None, total, False)


def test_solo_says_what_to_do() -> None:
    assert solo("a", ("b",), (), ("a", "b")) is None
    alone, learning, none = (
        solo("a", (), (), ("a",)), solo("a", (), ("b",), ("a", "b")), solo("a", (), (), ("a", "b"))
    )  # fmt: skip
    assert alone and "fa join" in alone.text and alone.subject == "array"
    assert learning and "b is being brought up to date" in learning.text
    assert none and "no other node can take one now" in none.text and "fa join" not in none.text


def test_a_shared_volume_is_one_trouble_whoever_sees_it() -> None:
    seen = [
        VolumeHealth("san", "/mnt/san", "healthy", "", 10 << 20, 1000 << 20),
        VolumeHealth("san", "/san", "healthy", "", 10 << 20, 1000 << 20),
        VolumeHealth("big", "/big", "healthy", "", 900, 1000),
        VolumeHealth("gone", "/gone", "disconnected"),
    ]
    (trouble,) = low_volumes(seen, Space(), ())
    assert (trouble.kind, trouble.subject) == ("disk.low", "volume/san")
    assert trouble.text == "volume san has 1.0 % of its room left (10 MiB)"
    assert [low.subject for low in low_volumes(seen, Space(), ("gone",))] == ["volume/gone", "volume/san"]
