"""The parts of `fa demo`; the whole of it runs in the e2e tests."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from pathlib import Path

import pytest

from fa.cli import demo, demo_report
from fa.cli.context import Context
from fa.cli.demo_clips import CLIPS, FACTORIES
from fa.cli.demo_nodes import DemoNode, NodeDied, whole
from fa.cli.demo_nodes import fa as run_fa
from fa.core.recipe import parse_factory
from fa.errors import Conflict, FaError
from fa.transcode.synthetic import KINDS
from tests.cli import samples as s


def test_the_recipes_are_valid_and_deliver_to_the_volume() -> None:
    for name, text in FACTORIES.items():
        recipe = parse_factory(text)
        assert recipe.name == name
        assert all(product.destination.startswith("san:out/") for product in recipe.products)
    assert {kind for _, kind, _, _ in CLIPS} == set(KINDS)


def test_only_a_folder_of_a_demo_is_cleared(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    volume = demo.prepare(root)
    (volume / "out" / "old.mp4").touch()
    demo.prepare(root)
    assert not (volume / "out" / "old.mp4").exists() and (volume / "in").is_dir()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "film.mxf").touch()
    with pytest.raises(Conflict, match="--dir"):
        demo.prepare(tmp_path / "precious")
    assert (tmp_path / "precious" / "film.mxf").exists()


def test_every_file_is_compared_with_what_was_recorded(tmp_path: Path) -> None:
    volume = tmp_path / "san"
    (volume / "out").mkdir(parents=True)
    file = volume / "out" / "clip-proxy.mp4"
    task = s.succeeded()
    assert demo_report.row(s.job(), task, volume)["checked"] == "MISSING"
    file.write_bytes(b"other")
    assert demo_report.row(s.job(), task, volume)["checked"] == "DIFFERS"
    task["output"] |= {"bytes": 5, "sha256": hashlib.sha256(b"other").hexdigest()}
    row = demo_report.row(s.job(), task, volume)
    assert (row["checked"], row["file"]) == ("ok", "san/out/clip-proxy.mp4")
    assert "checked" not in demo_report.row(s.job(), s.failed(), volume)


def test_what_no_job_made_is_found(tmp_path: Path) -> None:
    (tmp_path / "san" / "out" / "deep").mkdir(parents=True)
    (tmp_path / "san" / "out" / "clip.mp4").touch()
    (tmp_path / "san" / "out" / "deep" / "twice.mp4").touch()
    assert demo_report.strays([{"file": "san/out/clip.mp4"}, {}], tmp_path / "san") == ["san/out/deep/twice.mp4"]


def test_the_demo_is_good_only_when_all_is_there_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volume = tmp_path / "san"
    (volume / "out").mkdir(parents=True)
    (volume / "out" / "clip-proxy.mp4").write_bytes(b"five!")
    task = s.succeeded()
    task["output"] |= {"bytes": 5, "sha256": hashlib.sha256(b"five!").hexdigest()}
    context = Context(Namespace())
    assert demo_report.report(context, [s.job(1, "succeeded", task)], volume)
    assert not demo_report.report(context, [s.job(1, "failed", task, s.failed("hd"))], volume)
    (volume / "out" / "twice.mp4").touch()
    assert not demo_report.report(context, [s.job(1, "succeeded", task)], volume)
    captured = capsys.readouterr()
    assert "moov atom not found" in captured.err and "twice.mp4 is on the volume, but no job made it" in captured.err


def test_when_the_array_is_whole() -> None:
    assert whole(s.status(), 2)
    assert not whole(s.status(), 3)
    solo = s.status(mirror={"state": "solo", "txid": 1, "lag_ms": 0.0})
    assert not whole(solo, 2)
    assert whole({**solo, "nodes": solo["nodes"][:1]}, 1)


def test_the_blow_comes_in_the_middle() -> None:
    assert not demo.half_way([s.job(1, "running", s.running(), s.task("b"))])
    assert not demo.half_way([s.job(1, "running", s.running(), s.succeeded("b"))])
    assert demo.half_way([s.job(1, "running", s.running(), s.succeeded("b")), s.job(2)])


def test_a_node_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    node = DemoNode("a", tmp_path / "a")
    node.start()
    try:
        with pytest.raises(NodeDied, match="There is no node"):
            node.wait_ready()
    finally:
        node.stop()


def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(FaError, match="no command"):
        run_fa("ini")
