"""Monitors as operators write them."""

from __future__ import annotations

import json

import pytest

from fa.core.monitor import End, MonitorError, monitor_to_dict, parse_monitor, read_monitor
from fa.core.places import Place

EXAMPLE = """
name = "news-in"
folder = "san:watch/news"
factories = ["proxy"]
poll = "2s"
quiet = "5s"
include = ["*.mxf", "*.mov"]
after = "leave"
"""


def test_the_example_of_the_design() -> None:
    monitor = parse_monitor(EXAMPLE)
    assert (monitor.name, monitor.folder, monitor.factories) == ("news-in", Place("san", "watch/news"), ("proxy",))
    assert (monitor.poll, monitor.quiet, monitor.after, monitor.moves) == (2.0, 5.0, "", ())
    assert (monitor.end, monitor.probe, monitor.recursive, monitor.tickets) == (End.QUIET, True, False, False)


def test_everything_at_once() -> None:
    monitor = parse_monitor("""
name = "m"
folder = "san:in/"
factories = ["a", "b"]
node = "b"
poll = "500ms"
quiet = 0
end = "sidecar"
probe = false
exclude = ["*.txt"]
recursive = true
depth = 3
limit = 10
priority = "urgent"
subject = "news"
defer = "2h"
after = "move:done/old/"
after_failure = "move:failed"
tickets = true
""")
    assert (monitor.poll, monitor.quiet, monitor.end, monitor.priority, monitor.defer) == (
        0.5, 0.0, End.SIDECAR, 100, 7200.0,
    )  # fmt: skip
    assert monitor.moves == ("done/old", "failed")
    plain = monitor_to_dict(monitor)
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["folder"], plain["after"], plain["end"]) == ("san:in", "move:done/old/", "sidecar")


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ('name = "-x"', "name", "letters"),
        ('folder = "watch"', "folder", "volume"),
        ('folder = "san:/etc"', "folder", "absolute"),
        ('folder = "san:a/../b"', "folder", "'..'"),
        ('folder = "san:.fa/part"', "folder", "fa's own"),
        ("factories = []", "factories", "1 to 20"),
        ('factories = ["a", "a"]', "factories", "each once"),
        ('poll = "0s"', "poll", "100 ms"),
        ('quiet = "soon"', "quiet", "0 to 24 h"),
        ('end = "sidekick"', "end", "one of quiet, rename, done, sidecar"),
        ('include = ["", "x"]', "include", "patterns"),
        ("recursive = 1", "recursive", "true or false"),
        ("depth = 0", "depth", "1 to 64"),
        ("priority = 101", "priority", "0 to 100"),
        ('after = "move:"', "after", "leave"),
        ('after = "move:../x"', "after", "leave"),
        ('after = "delete"', "after", "leave"),
        ('after_failure = "move:.fa/x"', "after_failure", "leave"),
        ('inclde = ["*"]', "inclde", "did you mean 'include'?"),
    ],
)
def test_mistakes_are_named(change: str, pointer: str, words: str) -> None:
    key = change.partition(" ")[0]
    kept = "\n".join(line for line in EXAMPLE.splitlines() if not line.startswith(f"{key} "))
    with pytest.raises(MonitorError) as caught:
        parse_monitor(f"{kept}\n{change}\n")
    ((place, sentence),) = caught.value.problems
    assert place == pointer and words in sentence


def test_all_mistakes_at_once() -> None:
    with pytest.raises(MonitorError, match="is not TOML"):  # Python reads no number so long
        parse_monitor(f"priority = {'9' * 5000}")
    with pytest.raises(MonitorError, match="The monitor cannot be used") as caught:
        parse_monitor('poll = "x"\n')
    assert [pointer for pointer, _ in caught.value.problems] == ["name", "folder", "poll", "factories"]


def test_a_text_of_a_later_version_is_not_read() -> None:
    assert read_monitor(EXAMPLE + 'color = "red"') is None
    assert read_monitor("x = ") is None
    assert read_monitor(EXAMPLE) == parse_monitor(EXAMPLE)


def test_tickets_may_name_the_factories_themselves() -> None:
    text = EXAMPLE.replace('factories = ["proxy"]\n', "tickets = true\n")
    assert parse_monitor(text).factories == ()
