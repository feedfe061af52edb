"""Tables for people and for pipes."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from fa.cli import colours, tables
from fa.cli.nouns import JOB, NODE
from fa.cli.tables import Look, Noun, column
from fa.client.text import width
from tests.cli import samples as s

NOW = datetime(2026, 1, 2, 3, 9, 6, tzinfo=UTC)


def test_a_terminal_of_eighty_columns() -> None:
    jobs = [
        s.job(481177, "running", s.running(), source="san:in/a very long folder name/season 2/EP06_v2.mxf"),
        s.job(17, "queued", source="san:in/東京.mxf"),
    ]
    assert tables.render(JOB, jobs, Look(NOW, 80)) == [
        "ID      STATE    PRI  DONE  NODE  FACTORY  SOURCE                            AGE",
        "481177  running  50   43%   b     proxy    …older name/season 2/EP06_v2.mxf  5m",
        "17      queued   50   -     -     proxy    san:in/東京.mxf                   5m",
    ]


def test_wide_cuts_nothing() -> None:
    line = tables.render(JOB, [s.job(source="san:" + "x" * 200)], Look(NOW, 80, wide=True, header=False))[0]
    assert "x" * 200 in line and "news" in line


def test_states_are_painted_and_still_aligned() -> None:
    lines = tables.render(NODE, [s.node("a"), s.node("b", "lost")], Look(NOW, 80, paint=colours.paint))
    assert lines[1].startswith("a     \x1b[38;5;36mup\x1b[0m     cpu:1/2")
    assert lines[2].startswith("b     \x1b[1;38;5;228mlost\x1b[0m   cpu:1/2")


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.text(st.characters(codec=None)), min_size=1, max_size=5), st.integers(40, 120))
def test_no_value_breaks_a_row(names: list[str], columns: int) -> None:
    noun = Noun("x", "name", (column("NAME", "name", cut=True), column("N", "n")))
    items = [{"name": name, "n": number} for number, name in enumerate(names)]
    for look in (Look(NOW, columns), Look(NOW)):
        lines = tables.render(noun, items, look)
        assert len(lines) == len(names) + 1
        assert all(unicodedata.category(char) not in ("Cc", "Cf") or char == "\t" for line in lines for char in line)
        assert all(line.count("\t") == (0 if look.columns else 1) for line in lines)
        assert all(width(line) <= columns for line in lines) or not look.columns


def test_an_empty_table_has_its_titles() -> None:
    assert tables.render(NODE, [], Look(NOW, 80)) == ["NAME  STATE  SLOTS  RUNS  QUARANTINED  VERSION"]
    assert tables.render(NODE, [], Look(NOW, header=False)) == []


def test_a_value_of_another_shape_is_shown_as_it_is() -> None:
    noun = Noun("x", "a", (column("A", "a", "time"), column("B", "b", "bytes")))
    assert tables.render(noun, [{"a": "yesterday", "b": "many"}], Look(NOW, header=False)) == ["yesterday\tmany"]


def test_json_is_safe_to_show() -> None:
    shown = tables.as_json({"name": s.HOSTILE})
    assert shown.replace("\n", "").isprintable()
    assert json.loads(shown) == {"name": s.HOSTILE}


def test_facts_leave_out_what_is_not_there() -> None:
    assert tables.facts([("a", 1), ("long name", "x\ny"), ("none", None), ("empty", "")]) == [
        "a          1",
        "long name  x\\x0ay",
    ]


def test_when_there_is_colour() -> None:
    class Stream:
        def isatty(self) -> bool:
            return True

    xterm = {"TERM": "xterm-256color"}
    wants = colours.wants_colour
    assert wants(Stream(), xterm, False)  # type: ignore[arg-type]
    assert not wants(Stream(), xterm, True)  # type: ignore[arg-type]
    assert not wants(Stream(), {**xterm, "NO_COLOR": "1"}, False)  # type: ignore[arg-type]
    assert not wants(Stream(), {"TERM": "dumb"}, False)  # type: ignore[arg-type]
    assert wants(Stream(), {"TERM": "dumb", "CLICOLOR_FORCE": "1"}, False)  # type: ignore[arg-type]
