"""The table of actions: every one has a key that works, a command of the CLI that does the same, a handler."""

from __future__ import annotations

import shlex

import pytest

from fa.cli.main import build_parser
from fa.client import calls
from fa.errors import Invalid
from fa.node.api.routes import ROUTES
from fa.tui import commands
from fa.tui.keys import ACTIONS, LISTS, MOVES, Action, KeyMap, read_keys, shown
from fa.tui.world import SOURCES, World
from tests.tui.world import Seat

VIEW_OWN = {"tab.next", "tab.previous", "attempt.older", "attempt.newer", "mark", "mark.range", "mark.all", "mark.none",
            "wide", "follow"}  # fmt: skip
MOVING_OR_DRAWING = {
    "open", "back", "command", "palette", "help", "quit", "tab.next", "tab.previous", "mark", "mark.range", "mark.none",
    "bulk", "follow", "undo", "copy", "save", "log", "freeze", "utc", "stamps", "mouse", "refresh",
    "redraw",
}  # fmt: skip


@pytest.fixture(scope="module")
def parser():  # type: ignore[no-untyped-def]
    return build_parser()


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_has_its_command(action: Action, parser) -> None:  # type: ignore[no-untyped-def]
    if not action.cli:
        assert action.id in MOVING_OR_DRAWING, f"{action.id} does something that the CLI cannot"
        return
    words = shlex.split(action.cli)
    assert words[0] == "fa"
    assert parser.parse_args(words[1:]).run, action.cli


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.cli)
def test_everything_that_is_shown_has_its_command(source, parser) -> None:  # type: ignore[no-untyped-def]
    assert parser.parse_args(shlex.split(source.cli)[1:]).run


def test_what_changes_something_says_what_it_needs() -> None:
    for action in ACTIONS:
        if action.cli and any(f" {word}" in action.cli for word in ("job cancel", "job prio", "node", "switchover")):
            assert action.route or action.id.startswith("view."), action.id


def test_routes_of_actions_are_those_of_the_client() -> None:
    known = {f"{call.method} {call.route}" for call in (
        calls.set_priority(1, 1), calls.why(1), calls.submit({}), calls.remove_node("a"), calls.test_factory(""),
        calls.switchover("a"), calls.verify_mirror(), calls.ack_alert(1), calls.select_jobs(""),
        *(calls.act_on_node("a", action) for action in calls.NODE_ACTIONS),
        *(calls.act_on_monitor("a", action) for action in ("enable", "disable")),
    )}  # fmt: skip
    known |= {f"POST /v1/jobs/{{id}}/{action}" for action in calls.JOB_ACTIONS}
    assert {action.route for action in ACTIONS if action.route} <= known


@pytest.mark.parametrize("route", sorted({action.route for action in ACTIONS if action.route}))
def test_routes_of_actions_are_served(route: str) -> None:
    served = {each.name for each in ROUTES}
    noun = route.split("/")[2].split(":")[0]
    if not any(f"/v1/{noun}" in name for name in served):
        pytest.skip(f"the server has no routes for {noun} yet")
    assert route in served


def test_every_action_does_something_and_has_words() -> None:
    seat = Seat()
    for action in ACTIONS:
        assert action.label and action.help and action.keys
        assert seat.desk.acts.knows(action.id) or action.id in VIEW_OWN, action.id
        assert set(action.scopes) <= set(LISTS)


def test_a_key_means_one_thing_on_a_screen() -> None:
    keymap = KeyMap()
    for scope in LISTS:
        found: dict[str, str] = {}
        for action in keymap.of(scope):
            for key in action.keys:
                assert key not in MOVES and found.setdefault(key, action.id) == action.id
    assert keymap.find("p", "nodes") is keymap.by_id["node.pause"]
    assert keymap.find("p", "jobs") is None


def test_keys_that_terminals_and_multiplexers_take_are_left_alone() -> None:
    taken = {"ctrl+h", "ctrl+i", "ctrl+m", "ctrl+a", "ctrl+b", "ctrl+c", "ctrl+z", "f10", "f11"}
    for action in ACTIONS:
        assert not taken & set(action.keys)
        assert any(not key.startswith("f1") for key in action.keys), "F1 is taken by terminals"


def test_keys_are_the_persons_own() -> None:
    own = read_keys('"job.cancel" = "X"\n[job]\nwhy = "w"\n[wide]\n')
    assert own == {"job.cancel": "X", "job.why": "w"}
    keymap = KeyMap({"job.cancel": "X ctrl+k", "filter": "/"})
    found = keymap.find("X", "jobs")
    assert found is not None and found.id == "job.cancel" and keymap.find("c", "jobs") is None
    assert keymap.find("slash", "jobs") is keymap.by_id["filter"]
    seat = Seat(keys={"job.cancel": "X"}).press("2", "X")
    assert "Cancel 1 job?" in seat.text and "X Cancel" in seat.press("escape").text


@pytest.mark.parametrize(
    "text", ['"job.fly" = "x"', '"job.cancel" = "r"', '"job.cancel" = "j"', '"job.cancel" = "ctrl+c"', "a = 1", "[["]
)
def test_a_key_file_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        KeyMap(read_keys(text))


def test_keys_are_written_as_people_write_them() -> None:
    assert [shown(key) for key in ("slash", "ctrl+p", "enter", "c")] == ["/", "^p", "Enter", "c"]


def test_commands_complete() -> None:
    world = World()
    assert commands.completed("mi", world) == "mirror "
    assert commands.completed("no", world) == "node"
    assert commands.completed("theme n", world) == "theme none "
    assert commands.completed("xyz", world) == "xyz"
    assert {command.action for command in commands.COMMANDS if command.action} <= {action.id for action in ACTIONS}
    assert all(command.action or command.argument for command in commands.COMMANDS)
