"""Stuck or only slow."""

from __future__ import annotations

from fa.transcode.progress import Progress
from fa.transcode.stall import StallWatch

STILL = Progress(frames=1, seconds=0.04, size=100)


def test_pictures_bytes_or_time_are_life() -> None:
    watch = StallWatch(10.0, now=0.0)
    for second in range(1, 60):
        assert not watch.stuck(Progress(frames=second), 0.0, float(second * 9))


def test_processor_time_is_life() -> None:
    watch = StallWatch(10.0, now=0.0)
    for second in range(1, 60):
        assert not watch.stuck(STILL, second * 0.5, float(second * 9))


def test_waking_up_to_say_nothing_is_not() -> None:
    watch = StallWatch(10.0, now=0.0)
    stuck = [watch.stuck(STILL, second * 0.002, float(second)) for second in range(1, 30)]
    assert stuck.index(True) == 10


def test_dead_children_take_their_time_along() -> None:
    watch = StallWatch(10.0, now=0.0)
    watch.stuck(STILL, 50.0, 1.0)
    assert not watch.stuck(STILL, 1.0, 5.0)
    assert watch.stuck(STILL, 1.5, 11.0)


def test_it_looks_for_processor_time_only_when_nothing_else_moves() -> None:
    watch = StallWatch(10.0, now=0.0)
    assert watch.moved(STILL)
    watch.stuck(STILL, 0.0, 1.0)
    assert not watch.moved(STILL)


def test_how_often_it_asks() -> None:
    assert StallWatch(60.0, 0.0).period == 5.0
    assert StallWatch(4.0, 0.0).period == 1.0
