"""The array's own set-up: epochs, factories, nodes, tokens, quarantines."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Protocol

from fa.core import commands as c
from fa.core.change import Change
from fa.core.ledger_alerts import clear_alert, clear_all, happened, raise_alert
from fa.core.model import FactoryVersion, NodeMode, NodeRow, Reign
from fa.core.recipe import parse_factory
from fa.core.tables import Quarantine
from fa.errors import Conflict, FaError, NotFound, Unauthorized


class Stale(FaError):
    """Somebody changed it since you read it; nothing was changed. Read it again and apply your change to that."""

    code = "stale"
    status = 412


def begin_epoch(change: Change, command: c.BeginEpoch) -> int:
    """The first entry of a coordinator, by which all that it inherited is committed again in its epoch (R7)."""
    before = change.tables.last_reign()
    if before and before.epoch >= command.epoch:
        return before.epoch  # the view changed again before the first commit of the view before was made
    led = before.coordinator if before else ""
    change.tables.add_reign(Reign(command.epoch, command.coordinator, led, command.at, command.why, command.outage_ms))
    subject, text = f"node/{command.coordinator}", f"{command.coordinator} leads the array in epoch {command.epoch}"
    if before and before.coordinator != command.coordinator:
        why = f": {command.why}" if command.why else ""
        happened(change, "take-over", subject, f"{text}, after {before.coordinator}{why}", command.at)
    else:
        change.note(command.at, "array.coordinator", "info", subject, text)
    return command.epoch


class _Version(Protocol):
    @property
    def version(self) -> int: ...
    @property
    def text(self) -> str: ...


def is_repeated(text: str, expected: int | None, newest: _Version) -> bool:
    """Is that what is kept already? Also when it was saved by this very request, whose answer was lost: then it is sent
    again, and expects the version before."""
    return newest.text == text and expected in (None, newest.version, newest.version - 1)


# --- factories ---


def save_factory(change: Change, command: c.SaveFactory) -> FactoryVersion:
    recipe = parse_factory(command.text)
    newest = change.tables.factory(recipe.name)
    if newest and is_repeated(command.text, command.expected, newest):
        return newest
    if command.expected is not None and command.expected != (newest.version if newest else 0):
        raise Stale
    row = FactoryVersion(
        recipe.name, change.tables.newest_version(recipe.name) + 1, command.text, command.at, command.by
    )
    change.tables.add_factory(row)
    change.note(command.at, "factory.saved", "info", f"factory/{row.name}", f"version {row.version} by {command.by}")
    return row


def remove_factory(change: Change, command: c.RemoveFactory) -> None:
    """Asked again, it is done: the first answer may have been lost."""
    if change.tables.factory(command.name) is None:
        if change.tables.newest_version(command.name):
            return
        raise NotFound(f"There is no factory {command.name[:80]!r}.", hint="`fa factories` lists them.")
    change.tables.remove_factory(command.name)
    change.note(command.at, "factory.removed", "info", f"factory/{command.name}", f"removed by {command.by}")


# --- nodes ---


def put_node(change: Change, command: c.PutNode) -> NodeRow:
    """Add a node, or correct what is known of it; what an operator asked of a member stays, whoever enters it."""
    row, known = command.node, change.tables.node(command.node.name)
    if known is None or known.removed_at is not None or command.awaited:
        text = f"joined the array at {row.address}"
        change.note(command.at, "node.joined", "info", f"node/{row.name}", text)
    else:
        life = row.incarnation or known.incarnation
        row = replace(row, mode=known.mode, joined_at=known.joined_at, incarnation=life)
    change.tables.put_node(row)
    if command.awaited:
        change.tables.put_fact(awaited(row.name), str(row.index))
    return row


def awaited(node: str) -> str:
    """The fact that a server was let in under this name and never came: it holds no vote, no copy and no work, and
    another one may be let in under that name."""
    return f"awaited/{node}"


def node_came(change: Change, command: c.NodeCame) -> None:
    _not_awaited(change, command.node)
    for kind in ("node.lost", "publish.stuck"):  # who comes back has its time again
        clear_alert(change, c.ClearAlert(kind, f"node/{command.node}", command.at))


def _not_awaited(change: Change, node: str) -> None:
    if change.tables.fact(awaited(node)):
        change.tables.put_fact(awaited(node), "")


def _node(change: Change, name: str) -> NodeRow:
    row = change.tables.node(name)
    if row is None or row.removed_at is not None:
        raise NotFound(f"There is no node {name[:80]!r} in this array.", hint="`fa nodes` lists them.")
    return row


def set_node_mode(change: Change, command: c.SetNodeMode) -> NodeRow:
    """Who gives a node work again trusts it with all of it: its quarantines end."""
    row = _node(change, command.node)
    if command.mode is NodeMode.UP:
        _lift_quarantines(change, row.name, command.at, command.by)
    if row.mode is command.mode:
        return row
    changed = replace(row, mode=command.mode)
    change.tables.put_node(changed)
    change.tables.put_fact(_drained(row.name), "")
    change.note(command.at, f"node.{command.mode}", "info", f"node/{row.name}", f"{command.mode} by {command.by}")
    if command.mode is NodeMode.UP:
        change.fact(c.TasksReady())
    return changed


def note_drained(change: Change, command: c.NoteDrained) -> bool:
    """False when it is not so, or was noted: coordinators may change while a node drains."""
    row = _node(change, command.node)
    busy = any(task.node == row.name for task in change.tables.active_tasks())
    if row.mode is not NodeMode.DRAINING or busy or change.tables.fact(_drained(row.name)):
        return False
    change.tables.put_fact(_drained(row.name), str(command.at))
    change.note(command.at, "node.drained", "info", f"node/{row.name}", "has finished its work and takes nothing new")
    return True


def _drained(node: str) -> str:
    return f"drained/{node}"


def remove_node(change: Change, command: c.RemoveNode) -> NodeRow:
    """Asked again, it is done: the first answer may have been lost."""
    known = change.tables.node(command.node)
    if known and known.removed_at is not None:
        return known
    row = _node(change, command.node)
    if any(task.node == row.name for task in change.tables.active_tasks()):
        raise Conflict(f"Node {row.name} still runs work.", hint=f"First `fa node drain {row.name}`.")
    removed = replace(row, removed_at=command.at)
    change.tables.put_node(removed)
    _not_awaited(change, row.name)
    change.note(command.at, "node.removed", "warning", f"node/{row.name}", f"removed by {command.by}")
    _lift_quarantines(change, row.name, command.at, command.by)
    clear_all(change, f"node/{row.name}", command.at)
    return removed


def _lift_quarantines(change: Change, node: str, at: int, by: str) -> None:
    for quarantine in change.tables.quarantines():
        if quarantine.node == node:
            set_quarantine(change, c.SetQuarantine(node, quarantine.factory, False, "", at, by))
            text = f"gets work of factory {quarantine.factory} again, by {by}"
            change.note(at, "node.trusted", "info", f"node/{node}", text)


# --- tokens ---


def put_token(change: Change, command: c.PutToken) -> str:
    change.tables.put_token(command.token)
    text = f"a {command.token.role} token was made by {command.by}"
    change.note(command.at, "token.created", "info", f"token/{command.token.id}", text)
    return command.token.id


def token_refused() -> Unauthorized:
    return Unauthorized(
        "This join token is wrong, used or expired.", hint="Make a new one: fa token create --role node"
    )


def use_token(change: Change, command: c.UseToken) -> None:
    """Burn one use. Unknown, wrong, expired and used up are answered alike: who asks learns nothing."""
    token = change.tables.token(command.token)
    known = token is not None and hmac.compare_digest(token.sha256, command.sha256)
    expired = token is not None and token.expires_at is not None and token.expires_at <= command.at
    if token is None or not known or expired or token.uses_left == 0:
        raise token_refused()
    if token.uses_left is not None:
        change.tables.put_token(replace(token, uses_left=token.uses_left - 1))


def remove_token(change: Change, command: c.RemoveToken) -> None:
    if change.tables.token(command.token) is None:
        raise NotFound(f"There is no token {command.token[:80]!r}.")
    change.tables.remove_token(command.token)
    change.note(command.at, "token.removed", "info", f"token/{command.token}", f"removed by {command.by}")


# --- quarantine ---


def set_quarantine(change: Change, command: c.SetQuarantine) -> bool:
    """True when that changed something."""
    mine = [q for q in change.tables.quarantines() if (q.node, q.factory) == (command.node, command.factory)]
    if bool(mine) is command.on:
        return False
    subject = f"node/{command.node}"
    change.fact(c.Quarantined(command.node, command.factory, command.on))
    if command.on:
        change.tables.put_quarantine(Quarantine(command.node, command.factory, command.at, command.reason))
        text = f"{command.node} gets no more work of factory {command.factory}: {command.reason}"
        raise_alert(change, c.RaiseAlert(f"quarantine.{command.factory}", subject, text, command.at))
    else:
        change.tables.remove_quarantine(command.node, command.factory)
        clear_alert(change, c.ClearAlert(f"quarantine.{command.factory}", subject, command.at))
        change.fact(c.TasksReady())
    return True
