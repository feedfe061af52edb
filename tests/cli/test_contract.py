"""The command line and the server mean the same: routes that are asked, shapes that are shown."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
import pytest

from fa.client import calls
from fa.client.calls import Call
from fa.node.api import monitor_shapes, shapes
from fa.node.api.routes import ROUTES
from tests.cli import samples as s

TEXT = 'name = "x"'
ARGUMENTS: dict[str, Any] = {
    "job": 1, "jobs": [1], "attempt": 1, "name": "x", "text": TEXT, "node": "a", "alert": 1, "role": "viewer",
    "token": "K3", "priority": 50, "array": "news", "q": "state:failed", "selection": "x",
}  # fmt: skip
ACTIONS = {
    "act_on_job": calls.JOB_ACTIONS,
    "act_on_jobs": calls.JOB_ACTIONS,
    "act_on_selection": calls.JOB_ACTIONS,
    "act_on_node": calls.NODE_ACTIONS,
    "act_on_monitor": ("enable", "disable"),
}
BODIES = {
    "submit": {"job": {"source": "san:a", "factory": "f"}},
    "submit_batch": {"jobs": [{"source": "a", "factory": "f"}]},
}


def every_call() -> list[Call]:
    """Each function of `fa.client.calls`, called with something for what it must be told."""
    made = []
    for name, function in inspect.getmembers(calls, inspect.isfunction):
        if name.startswith("_") or function.__module__ != calls.__name__ or name in ("field", "dataclass"):
            continue
        needed = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
        given = {each: ARGUMENTS[each] for each in needed if each != "action"} | BODIES.get(name, {})
        actions = [{"action": action} for action in ACTIONS.get(name, ())] or [{}]
        made += [function(**given, **action) for action in actions]
    return made


@pytest.mark.parametrize("call", every_call(), ids=lambda call: f"{call.method} {call.route}")
def test_every_call_has_its_route_and_fits_it(call: Call) -> None:
    route = next(each for each in ROUTES if (each.method, each.path) == (call.method, call.route))
    msgspec.convert(dict(call.query), route.query, strict=False)
    if call.body is not None:
        msgspec.convert(call.body, route.body)
    if call.text is not None:
        assert route.media == call.media
    assert call.once is not (route.repeatable or route.keyed), "client and node agree on what is sent again"


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (s.status(), shapes.StatusShape),
        (s.page(s.job(1, "running", s.running(), s.failed(), s.succeeded())), shapes.Page[shapes.JobShape]),
        (s.detail(), shapes.JobDetail),
        (s.submitted(), shapes.SubmittedJob),
        (s.page(s.node()), shapes.Page[shapes.NodeShape]),
        (s.FACTORY, shapes.FactoryShape),
        (s.SELECTION, shapes.SelectionShape),
        (s.VOLUME, shapes.VolumeShape),
        (s.MONITOR, monitor_shapes.MonitorShape),
        (s.MONITOR_TEST, monitor_shapes.MonitorTest),
        (s.EVENT, shapes.EventShape),
        (s.ALERT, shapes.AlertShape),
        (s.WHY, shapes.WhyShape),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_samples_are_what_the_api_shows(value: Any, shape: Any) -> None:
    """All fields and no others: a field that the server renames must not stay in these tests."""
    assert msgspec.to_builtins(msgspec.convert(value, shape)) == value


PARITY = {
    "open a job": "job show", "cancel": "job cancel", "retry": "job retry", "hold": "job hold",
    "release": "job release", "priority": "job prio", "log": "job log", "why": "why", "submit": "submit",
    "filter": "jobs", "mark all": "job cancel",
    "pause a node": "node pause", "resume a node": "node resume", "drain a node": "node drain",
    "open a node": "node show", "remove a node": "node remove", "open a factory": "factory show",
    "test a factory": "factory test", "versions of a factory": "factory versions", "open a monitor": "monitor show",
    "enable a monitor": "monitor enable", "disable a monitor": "monitor disable", "switch over": "mirror switchover",
    "verify the mirror": "mirror verify", "history of take-overs": "mirror history", "follow events": "events",
    "acknowledge an alert": "alerts", "volumes": "volume list", "overview": "status",
}  # fmt: skip
"""What FACES.md section 4 lets people do in the dashboard, and the command that does the same."""


def test_what_the_dashboard_does_the_command_line_can_do() -> None:
    from tests.cli.test_main import LEAVES

    there = {" ".join(words) for words, _ in LEAVES}
    assert set(PARITY.values()) <= there
