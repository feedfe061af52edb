"""Every action once: its key, its words, where it works, what it needs, and the `fa` command that does the same.

The footer, the help, the palette, the greying by role and the parity test with the CLI all read this table."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fa.errors import Invalid

JOB_LISTS = ("jobs", "job", "array")
OPENS = ("array", "jobs", "nodes", "factories", "monitors", "events", "job")
LISTS = (*OPENS, "mirror", "node", "factory", "monitor")
ANY: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """``scopes``: the screens where it works, () = all. ``route``: what the role must allow. ``cli``: the same as a
    command, "" for what only moves or draws. ``footer``: its rank there, 0 = not shown."""

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    scopes: tuple[str, ...] = ANY
    cli: str = ""
    route: str = ""
    footer: int = 0

    def works_in(self, scope: str) -> bool:
        return not self.scopes or scope in self.scopes


def _job(action: str, key: str, label: str, help: str, footer: int = 0) -> Action:
    route = f"POST /v1/jobs/{{id}}/{action}"
    return Action(f"job.{action}", (key,), label, help, JOB_LISTS, f"fa job {action} 17", route, footer)


PRIORITY = "PATCH /v1/jobs/{id}"

ACTIONS: tuple[Action, ...] = (
    Action("view.array", ("1",), "Array", "the whole array on one screen", ANY, "fa status"),
    Action("view.jobs", ("2",), "Jobs", "all jobs", ANY, "fa jobs"),
    Action("view.nodes", ("3",), "Nodes", "the servers of the array", ANY, "fa nodes"),
    Action("view.factories", ("4",), "Factories", "recipes", ANY, "fa factories"),
    Action("view.monitors", ("5",), "Monitors", "watch folders", ANY, "fa monitors"),
    Action("view.mirror", ("6",), "Mirror", "the copies of the job store", ANY, "fa mirror status"),
    Action("view.events", ("7",), "Events", "what happened, and alerts", ANY, "fa events"),
    Action("open", ("enter",), "Open", "open what is under the cursor", OPENS, footer=10),
    Action("back", ("escape",), "Back", "back, or clear marks and filter"),
    Action("filter", ("slash",), "Filter", "show only what matches: state:failed factory:prores* since:24h",
           ("jobs",), "fa jobs state:failed", footer=20),
    Action("command", ("colon",), "Command", "type a command; Tab completes", footer=80),
    Action("palette", ("ctrl+p",), "Palette", "find any action by its words"),
    Action("help", ("question_mark", "f1"), "Help", "the keys that work here", footer=90),
    Action("quit", ("q", "ctrl+q"), "Quit", "leave the dashboard", footer=99),
    Action("job.why", ("W",), "Why", "per node, why the job is not running there", JOB_LISTS, "fa why 17",
           "GET /v1/jobs/{id}/why", 30),
    _job("cancel", "c", "Cancel", "cancel the marked jobs, or the one under the cursor", 40),
    _job("retry", "r", "Retry", "queue failed or cancelled products again", 41),
    _job("hold", "h", "Hold", "keep queued jobs from starting", 42),
    _job("release", "H", "Release", "let held jobs start"),
    Action("job.raise", ("plus",), "Pri +10", "raise the priority by ten", JOB_LISTS, "fa job prio 60 17", PRIORITY),
    Action("job.lower", ("minus",), "Pri -10", "lower the priority by ten", JOB_LISTS, "fa job prio 40 17", PRIORITY),
    Action("job.prio", ("P",), "Priority", "set the priority: 0 to 100, low, normal, high, urgent", JOB_LISTS,
           "fa job prio urgent 17", PRIORITY),
    Action("job.log", ("l",), "Log", "the log of the newest attempt", ("jobs", "array", "job"), "fa job log 17"),
    Action("job.attempts", ("a",), "Attempts", "the attempts of the job", ("jobs", "job"), "fa job show 17"),
    Action("job.submit", ("n",), "Submit", "submit a file to a factory", ("array", "jobs", "factories", "factory"),
           "fa submit san:in/clip.mxf -f proxy", "POST /v1/jobs", 50),
    Action("tab.next", ("right_square_bracket", "tab"), "Next tab", "the next tab", ("job", "factory"), footer=21),
    Action("tab.previous", ("left_square_bracket", "shift+tab"), "Previous tab", "the tab before", ("job", "factory")),
    Action("attempt.older", ("less_than_sign",), "Older try", "the log of the attempt before", ("job",),
           "fa job log 17 --attempt 1"),
    Action("attempt.newer", ("greater_than_sign",), "Newer try", "the log of the next attempt", ("job",),
           "fa job log 17 --attempt 2"),
    Action("mark", ("space",), "Mark", "mark the job under the cursor", ("jobs",), footer=22),
    Action("mark.range", ("v",), "Mark to", "mark from the last mark to the cursor", ("jobs",)),
    Action("mark.all", ("asterisk",), "Mark all", "mark all that match now, however many", ("jobs",),
           "fa job cancel --query state:failed", "POST /v1/selections"),
    Action("mark.none", ("U",), "Unmark", "unmark all", ("jobs",)),
    Action("bulk", ("b",), "Bulk", "what can be done to the marked jobs", ("jobs",), footer=23),
    Action("sort", ("S",), "Sort", "choose the order, or a filter at hand", ("jobs",), "fa jobs --sort -id", footer=60),
    Action("wide", ("w",), "Wide", "all columns", ("jobs",), "fa jobs -o wide"),
    Action("follow", ("F",), "Follow", "stay at the top as new jobs come", ("jobs",)),
    Action("node.pause", ("p",), "Pause", "give the node nothing new; again: resume", ("nodes", "node"),
           "fa node pause b", "POST /v1/nodes/{name}/pause", 40),
    Action("node.resume", ("R",), "Resume", "let the node take work again", ("nodes", "node"), "fa node resume b",
           "POST /v1/nodes/{name}/resume", 42),
    Action("node.drain", ("d",), "Drain", "finish what runs, take nothing new", ("nodes", "node"), "fa node drain b",
           "POST /v1/nodes/{name}/drain", 41),
    Action("node.remove", ("x",), "Remove", "take a lost or drained node out of the array", ("nodes", "node"),
           "fa node remove b", "DELETE /v1/nodes/{name}"),
    Action("factory.test", ("t",), "Test", "two seconds of a synthetic source through every product",
           ("factories", "factory"), "fa factory test proxy", "POST /v1/factories:test", 40),
    Action("monitor.enable", ("e",), "Enable", "let the monitor submit what settles", ("monitors", "monitor"),
           "fa monitor enable news-in", "POST /v1/monitors/{name}/enable", 40),
    Action("monitor.disable", ("D",), "Disable", "pause the monitor", ("monitors", "monitor"),
           "fa monitor disable news-in", "POST /v1/monitors/{name}/disable", 41),
    Action("mirror.switchover", ("s",), "Switch over", "hand the lead to a secondary, in order", ("mirror",),
           "fa mirror switchover b", "POST /v1/mirror/switchover", 40),
    Action("mirror.verify", ("V",), "Verify", "read the copies over and compare them", ("mirror",),
           "fa mirror verify", "POST /v1/mirror/verify", 41),
    Action("alert.ack", ("a",), "Ack", "acknowledge the alert under the cursor", ("events",), "fa alerts ack 4",
           "POST /v1/alerts/{id}/ack", 40),
    Action("undo", ("u",), "Undo", "take the last action back, where that can be done"),
    Action("copy", ("y",), "Copy", "copy the id, the path, the command or the object", LISTS, footer=70),
    Action("save", ("ctrl+s",), "Save", "write this screen to a file"),
    Action("log", ("at",), "Command log", "the `fa` commands that did what you did here"),
    Action("freeze", ("z",), "Freeze", "stop the screen from changing"),
    Action("utc", ("Z",), "UTC", "UTC or local time"),
    Action("stamps", ("A",), "Ages", "ages or times"),
    Action("mouse", ("percent_sign",), "Mouse", "take the mouse, or leave it to the terminal"),
    Action("refresh", ("ctrl+r",), "Refresh", "ask the array again, now"),
    Action("redraw", ("ctrl+l",), "Redraw", "paint the screen anew"),
)  # fmt: skip

MOVES = {
    "up": "up", "k": "up", "down": "down", "j": "down",
    "pageup": "pageup", "ctrl+u": "pageup", "pagedown": "pagedown", "ctrl+d": "pagedown",
    "home": "home", "g": "home", "end": "end", "G": "end", "left": "left", "right": "right",
}  # fmt: skip

RESERVED = {"ctrl+c"}  # always says how to quit; never cancels a job

_WORDS = {
    "slash": "/", "colon": ":", "question_mark": "?", "plus": "+", "minus": "-", "asterisk": "*", "at": "@",
    "percent_sign": "%", "left_square_bracket": "[", "right_square_bracket": "]", "less_than_sign": "<",
    "greater_than_sign": ">", "space": "Space", "enter": "Enter", "escape": "Esc", "tab": "Tab", "f1": "F1",
}  # fmt: skip


def shown(key: str) -> str:
    """A key as it is written on screens: "Enter", "/", "^p"."""
    return f"^{key[5:]}" if key.startswith("ctrl+") else _WORDS.get(key, key)


_NAMES = {word: name for name, word in _WORDS.items()}


class KeyMap:
    """Which key does what. Raises `Invalid` at birth for overrides that cannot be."""

    def __init__(self, overrides: Mapping[str, str] | None = None) -> None:
        known = {action.id for action in ACTIONS}
        for name in overrides or {}:
            if name not in known:
                raise Invalid(f"The key file names {name!r}, which is no action.", hint="`?` shows them.")
        self.actions = tuple(_overridden(action, overrides or {}) for action in ACTIONS)
        self.by_id = {action.id: action for action in self.actions}
        self._check()

    def _check(self) -> None:
        taken: dict[tuple[str, str], str] = {}
        for action in self.actions:
            for scope in action.scopes or LISTS:
                for key in action.keys:
                    other = taken.setdefault((scope, key), action.id)
                    if other != action.id or key in MOVES or key in RESERVED:
                        raise Invalid(f"The key {shown(key)} cannot be {action.id}: it is {other} or a move.")

    def find(self, key: str, scope: str) -> Action | None:
        for action in self.actions:
            if key in action.keys and action.works_in(scope):
                return action
        return None

    def of(self, scope: str) -> Iterable[Action]:
        return (action for action in self.actions if action.works_in(scope))


def _overridden(action: Action, overrides: Mapping[str, str]) -> Action:
    text = overrides.get(action.id)
    if text is None:
        return action
    return replace(action, keys=tuple(_NAMES.get(key, key) for key in text.split()))


def read_keys(text: str) -> dict[str, str]:
    """The overrides of a key file: TOML, ``"job.cancel" = "X"``, several keys separated by blanks.

    Raises `Invalid`."""
    try:
        table = tomllib.loads(text)
    except ValueError as error:
        raise Invalid(f"The key file is not TOML: {error}.", hint='Write lines as "job.cancel" = "X".') from None
    flat: dict[str, str] = {}
    for name, value in table.items():
        pairs = {f"{name}.{inner}": each for inner, each in value.items()} if isinstance(value, dict) else {name: value}
        flat |= {key: each for key, each in pairs.items() if isinstance(each, str)}
        if any(not isinstance(each, str) for each in pairs.values()):
            raise Invalid(f"The key file gives {name} no key.", hint='Write lines as "job.cancel" = "X".')
    return flat
