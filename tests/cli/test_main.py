"""The frame of the command line: help, slips of the finger, exit codes, what is loaded, closed pipes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import pytest

from fa.cli import exits
from fa.cli.completion import walk
from fa.cli.main import WORDS, build_parser, main
from fa.cli.parser import Parser
from fa.client.problems import JobFailed, TimedOut, Unreachable
from fa.errors import Conflict, FaError, Forbidden, Invalid, NotFound, Unauthorized, Unavailable
from tests.cli import samples as s
from tests.cli.conftest import Line
from tests.client.fake import FakeArray, problem

HEAVY = ("aiohttp", "asyncio", "textual", "rich", "msgspec", "cryptography", "aiosqlite", "ffmpeg", "apprise")
IDLE = ("dataclasses", "inspect", "uuid", "platform", "shutil", "csv", "difflib", "subprocess", "sqlite3", "logging")
NETWORK = ("http.client", "ssl")  # loaded only by what asks a node


def leaves(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Parser]]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        assert isinstance(parser, Parser)
        return [(words, parser)]
    return [leaf for group in groups for name, child in group.choices.items() for leaf in leaves(child, (*words, name))]


LEAVES = leaves(build_parser())


def test_every_command_of_the_contract_is_there() -> None:
    """DESIGN.md section 7, but `force` and `volume selftest`."""
    wanted = """init;join;witness;run;token create;demo;doctor;version;status;submit;jobs;why;nodes
        factories;monitors;tui
        job show|cancel|retry|hold|release|prio|log|wait;node show|pause|resume|drain|remove
        factory show|apply|validate|test|versions;monitor show|apply|test|enable|disable
        mirror status|history|switchover|restore|verify;events;alerts;api;volume list;completion"""
    there = {" ".join(words) for words, _ in LEAVES}
    for phrase in wanted.replace("\n", ";").split(";"):
        word, _, below = phrase.strip().partition(" ")
        names = [f"{word} {each}" for each in below.split("|")] if below else [word]
        assert set(names) <= there


@pytest.mark.parametrize(("words", "parser"), LEAVES, ids=[" ".join(words) for words, _ in LEAVES])
def test_help_shows_an_example_of_the_command_first(words: tuple[str, ...], parser: Parser) -> None:
    lines = parser.format_help().splitlines()
    assert lines[0] == "Examples:"
    assert f"fa {' '.join(words)}" in lines[1] or any(f"fa {' '.join(words)}" in line for line in lines[1:4])
    options = {name for action in parser._actions for name in action.option_strings}
    assert {"--dir", "--addr", "--token-file", "--cacert"} <= options


@pytest.mark.parametrize("words", [("--help",), ("jobs", "--help"), ("job", "-h"), ("job", "cancel", "--help")])
def test_help_is_on_stdout(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    captured = capsys.readouterr()
    assert "usage: fa" in captured.out and not captured.err


def test_nothing_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "fa status" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("jbos",), "there is no command 'jbos'. Did you mean 'jobs'?"),
        (("job", "cancle", "1"), "there is no command 'cancle'. Did you mean 'cancel'?"),
        (("jobs", "-o", "jsn"), "Did you mean 'json'?"),
        (("qqqq",), "There are: status"),
        (("job", "cancel"), "one of the arguments ID --query is required"),
        (("jobs", "--limi", "3"), "unrecognized arguments: --limi"),
        (("-o", "json", "status"), "-o belongs to a command"),
        (("--dir", "/nowhere", "-q", "jobs"), "-q belongs to a command"),
        (("can\x1b[2Jcel",), "can\\x1b[2Jcel"),
    ],
)
def test_slips_of_the_finger(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    err = capsys.readouterr().err
    assert said in err and "\x1b" not in err
    assert "--help" in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FaError, 1),
        (Invalid, 1),
        (NotFound, 3),
        (Unauthorized, 4),
        (Forbidden, 4),
        (Conflict, 5),
        (Unreachable, 6),
        (Unavailable, 6),
        (TimedOut, 7),
        (JobFailed, 8),
    ],
)
def test_exit_codes(error: type[FaError], code: int) -> None:
    assert exits.exit_code(error()) == code


def test_no_right_ends_a_list_at_once(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/nodes/a/pause"] = problem(403, "forbidden", "The token's role does not allow this.")
    assert fa("node", "pause", "a", "b").code == 4
    assert len(array.asked) == 1


def test_options_may_stand_before_the_command(array: FakeArray, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dir", "/nowhere", "status"]) == 6
    assert main(["--dir", "/nowhere", "status", "--dir", "/elsewhere"]) == 6
    assert "/elsewhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("token", "--dir", "/nowhere", "create", "--role", "viewer"),
        ("job", "cancel", "1", "--dir", "/nowhere", "2", "--yes"),
        ("job", "--dir=/nowhere", "cancel", "1", "2"),
        ("jobs", "state:failed", "--no-color", "--dir", "/nowhere", "since:24h"),
        ("--no-color", "mirror", "--dir", "/nowhere", "history"),
        ("submit", "san:in/a.mxf", "--dir", "/nowhere", "san:in/b.mxf", "-f", "proxy"),
        ("events", "-o", "json", "--dir", "/nowhere"),
    ],
)
def test_options_may_stand_between_any_two_words(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 6
    assert "/nowhere/fa.sock" in capsys.readouterr().err


def test_what_follows_two_dashes_is_no_option(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs"] = s.page()
    assert fa("jobs", "--", "--dir", "/nowhere").code == 0
    assert array.asked[0].path == "/v1/jobs?q=--dir+%2Fnowhere&limit=50"


@pytest.mark.parametrize("words", [("status", "--dir"), ("--dir",), ("status", "--dir", "--no-color")])
def test_an_option_without_its_value_is_told(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "argument --dir: expected one argument" in capsys.readouterr().err


def test_an_address_without_token_file_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--addr", "http://tx01:7001"]) == 1
    assert main(["status", "--addr", "https://tx01:7001", "--token-file", "/nowhere"]) == 4
    assert "/nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["version", "--version", "-V"])
def test_version(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert main([word]) == 0
    assert capsys.readouterr().out.startswith("fa ")
    assert main(["version", "-o", "json"]) == 0
    assert '"sqlite"' in capsys.readouterr().out


def loaded(words: tuple[str, ...], unwanted: tuple[str, ...]) -> str:
    """The exit code of a command in a new interpreter, and which of ``unwanted`` it loaded; what the interpreter itself
    loads at its start (an editable install does) is not its fault."""
    script = (
        "import sys; before = set(sys.modules); from fa.cli.main import main; "
        f"code = main({list(words)!r}); "
        f"print(code, sorted(({set(unwanted)!r} - before) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return done.stderr


@pytest.mark.parametrize("words", [("version",), ("jobs", "--help"), ("--help",)])
def test_a_simple_command_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    assert loaded(words, (*HEAVY, *IDLE, *NETWORK)) == "0 []\n"


@pytest.mark.parametrize("words", [("jobs",), ("status",), ("--no-color", "jobs")])
def test_a_request_loads_nothing_heavy(fa: Line, array: FakeArray, words: tuple[str, ...]) -> None:
    array.answers["GET /v1/jobs"] = s.page(s.job())
    array.answers["GET /v1/status"] = s.status()
    assert loaded(words, (*HEAVY, *IDLE)) == "0 []\n"


def test_only_the_command_that_is_meant_is_built() -> None:
    assert {words for words, _ in leaves(build_parser("status"))} == {("status",)}


def test_a_reader_that_leaves_is_no_error(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs"] = s.page(*(s.job(number, source="x" * 8000) for number in range(500)))
    command = [sys.executable, "-m", "fa.cli", "jobs", "--limit", "500", "-o", "ndjson"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as line:
        assert line.stdout is not None and line.stderr is not None
        os.read(line.stdout.fileno(), 1)
        line.stdout.close()
        assert (line.stderr.read(), line.wait(60)) == (b"", exits.PIPE_CLOSED)


def test_the_table_of_words_is_the_parser() -> None:
    assert {words[0] for words, _ in LEAVES} == set(WORDS)
    assert {place.words[0] for place in walk(build_parser()) if place.words} == set(WORDS)
