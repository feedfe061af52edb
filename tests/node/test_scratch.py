"""Scratch at the start of a node: what its earlier life left, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from fa.core.commands import Order
from fa.node.scratch import clear, copy_for


def order(node: str, task: int = 7) -> Order:
    return Order(1, task, 1, node, 1, "p", "san:in/x", "san:out/1", "copy", 1, "", 50, 1, "cpu", 1)


def test_what_an_earlier_life_left_goes(tmp_path: Path) -> None:
    for task in (7, 8):
        copy_for(tmp_path, order("a", task)).write_text("a copy")
    clear(tmp_path, "a")
    assert list(tmp_path.iterdir()) == []


def test_what_others_have_there_stays(tmp_path: Path) -> None:
    """The folder may be that of several nodes, or of people."""
    others = [copy_for(tmp_path, order(node)) for node in ("b", "ba", "a-1", "A")]
    others += [tmp_path / name for name in ("7-1", "factory-test-1~a", "x-1~a", "7-1~a.mov", "notes")]
    for path in others:
        path.write_text("theirs")
    clear(tmp_path, "a")
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_without_a_folder_there_is_nothing_to_clear(tmp_path: Path) -> None:
    clear(tmp_path / "scratch", "a")


def test_trouble_with_it_is_none_of_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    copy_for(tmp_path, order("a")).mkdir()
    clear(tmp_path, "a")
    assert "could not be cleared" in caplog.text
