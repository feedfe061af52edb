"""The texts of the help and of the command log. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fa.tui.keys import Action, shown
from fa.tui.line import Line, Span, cell, line, say, wrapped

if TYPE_CHECKING:
    from fa.tui.desk import Desk

_MOVES = (
    ("up down j k", "one row"),
    ("PgUp PgDn ^u ^d", "one screen"),
    ("g G", "first, last"),
    ("left right", "the rest of long lines, in a text"),
)


def keys_of(desk: Desk, scope: str, room: int) -> list[Line]:
    """Every key that works here: first what is this screen's own, then what works everywhere."""
    here = [action for action in desk.keymap.of(scope) if action.scopes]
    always = [action for action in desk.keymap.of(scope) if not action.scopes]
    rows = [row for action in here for row in _key(desk, action, room)]
    rows += [line(cell(keys, 17, "key"), Span(what)) for keys, what in _MOVES]
    rows.append(line(Span("")))
    return rows + [row for action in always for row in _key(desk, action, room)]


def _key(desk: Desk, action: Action, room: int) -> list[Line]:
    off = desk.denied(action)
    keys = " ".join(map(shown, action.keys))
    row = line(cell(keys, 8, "off" if off else "key"), Span(" "), cell(action.label, 12, "off" if off else "title"))
    told = f"{action.help}" + (f"  ({off})" if off else "")
    command = f"   $ {action.cli}" if action.cli else ""
    if len(told) + len(command) <= room - 21:
        return [line(*row, say(told, "off" if off else ""), say(command, "dim"))]
    lines = wrapped(told, room - 21, "off" if off else "")
    return [line(*(row if number == 0 else (Span(" " * 21),)), *each) for number, each in enumerate(lines)]


def command_log(desk: Desk, room: int) -> list[Line]:
    """What the person did, as the commands that do the same, newest first."""
    if not desk.did:
        return [line(Span("nothing yet: what you do here appears as the `fa` command that does the same", "dim"))]
    rows: list[Line] = []
    for did in reversed(desk.did):
        when = f"{desk.clock.local(did.at):%H:%M:%S} "
        rows += [line(Span(when, "dim"), say(f"$ {did.cli}", "title"))]
        rows += [line(Span(" " * 9), *each) for each in wrapped(did.became, room - 9, "dim")]
    return rows
