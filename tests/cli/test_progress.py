"""Bars and changes are lines; on a terminal they are redrawn in place."""

from __future__ import annotations

from fa.cli.nouns import job_progress, percent
from fa.cli.progress import LINES_MAX, Live, bars, changes
from fa.client.text import width
from tests.cli import samples as s
from tests.cli.conftest import Terminal


def test_bars() -> None:
    jobs = [s.job(17, "running", s.task("poster"), s.running(), s.succeeded("hd"))]
    assert bars(jobs, 100) == [
        "17 proxy                 ━━━━━━━━────────────  43% flipping on b eta 0:01:02",
        "17 poster                ────────────────────   0% queued",
        "1 of 3 products done",
    ]


def test_bars_fit_any_terminal_and_any_name() -> None:
    jobs = [s.job(17, "running", s.running(s.HOSTILE * 3), s.running("東京" * 20))]
    for columns in (20, 40, 79):
        lines = bars(jobs, columns)
        assert all(width(line) <= columns and line.isprintable() for line in lines)


def test_many_bars_are_counted() -> None:
    lines = bars([s.job(number) for number in range(50)], 80)
    assert len(lines) == LINES_MAX + 1
    assert lines[-1] == "0 of 50 products done, 30 more to do"


def test_only_changes_are_told() -> None:
    before, after = s.job(17, "running", s.running(progress=0.1)), s.job(17, "running", s.running(progress=0.8))
    assert list(changes(before, after)) == []
    assert list(changes(after, s.job(17, "succeeded", s.succeeded()))) == ["job/17 proxy: succeeded on b"]


def test_lines_are_redrawn_in_place() -> None:
    terminal = Terminal()
    live = Live(terminal, {"TERM": "xterm"})
    live.draw(["one", "two"])
    live.draw(["one", "two"])
    live.draw(["three"])
    live.end()
    assert terminal.getvalue() == ("\r\x1b[Kone\n\r\x1b[Ktwo\n\x1b[J\x1b[2A\r\x1b[Kthree\n\x1b[J\x1b[1A\x1b[J")


def test_nothing_moves_on_a_dumb_terminal() -> None:
    terminal = Terminal()
    Live(terminal, {"TERM": "dumb"}).draw(["one"])
    assert terminal.getvalue() == ""


def test_the_progress_of_a_job() -> None:
    assert job_progress(s.job(1)) is None
    assert job_progress(s.job(1, "running", s.running(progress=0.5), s.succeeded("b"), s.task("c"))) == 0.5
    assert [percent(value) for value in (None, 0.0, 0.999, 1.0, 7.0, -1.0)] == [None, "0%", "99%", "100%", "100%", "0%"]
