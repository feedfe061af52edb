"""What a person does to nodes, factories, monitors, the mirror and alerts."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from fa.client import calls
from fa.tui.boxes.confirm import Confirm
from fa.tui.boxes.menu import Entry, Menu
from fa.tui.boxes.text import Text
from fa.tui.line import Line, Span, cell, line, say, wrapped
from fa.tui.values import Alert, Factory, Monitor, Node, read

if TYPE_CHECKING:
    from fa.tui.desk import Desk


class SetupActs:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def handlers(self) -> dict[str, Callable[[], None]]:
        return {
            "node.pause": partial(self._node, "pause"),
            "node.resume": partial(self._node, "resume"),
            "node.drain": partial(self._node, "drain"),
            "node.remove": self._remove,
            "factory.test": self._test,
            "monitor.enable": partial(self._monitor, "enable"),
            "monitor.disable": partial(self._monitor, "disable"),
            "mirror.switchover": self._switchover,
            "mirror.verify": self._verify,
            "alert.ack": self._ack,
        }

    # nodes

    def _node(self, action: str) -> None:
        node = self.desk.view.what()
        if not isinstance(node, Node):
            self.desk.toast("there is no node under the cursor")
            return
        if action == "pause" and node.state in ("paused", "draining"):
            action = "resume"
        if action == "resume":
            self._send_node(action, node)
            return
        what = {"pause": "takes nothing new; what runs goes on", "drain": "finishes what runs, takes nothing new"}
        cli = shlex.join(["fa", "node", action, node.name])
        running = [f"task {each.task}, attempt {each.attempt}" for each in node.tasks]
        objects = [f"node {node.name}  {node.state}", *running]
        question = f"{action.capitalize()} node {node.name}? It {what[action]}."
        self.desk.show(Confirm(self.desk, question, objects, cli, partial(self._send_node, action, node)))

    def _send_node(self, action: str, node: Node) -> None:
        past = {"pause": "paused", "resume": "resumed", "drain": "drains"}[action]

        def done(told: Any) -> None:
            if action != "resume":
                self.desk.undo = (action, partial(self._send_node, "resume", node))
            self.desk.toast(f"node {node.name} {past}" + ("; u resumes it" if action != "resume" else ""))
            self.desk.ask_for({"nodes", "status"})

        cli = shlex.join(["fa", "node", action, node.name])
        self.desk.send(calls.act_on_node(node.name, action), done, cli=cli)

    def _remove(self) -> None:
        node = self.desk.view.what()
        if not isinstance(node, Node):
            self.desk.toast("there is no node under the cursor")
            return
        cli = shlex.join(["fa", "node", "remove", node.name])

        def done(told: Any) -> None:
            self.desk.toast(f"node {node.name} is out of the array; it can join again with a new token")
            self.desk.ask_for({"nodes", "status"})

        send = partial(self.desk.send, calls.remove_node(node.name), done, cli=cli)
        question = f"Take node {node.name} out of the array? Its certificate is worth nothing afterwards."
        self.desk.show(Confirm(self.desk, question, [f"{node.name}  {node.state}"], cli, send, word=node.name))

    # factories

    def _test(self) -> None:
        factory = self.desk.view.what()
        if not isinstance(factory, Factory):
            self.desk.toast("there is no factory under the cursor")
            return
        reports: list[Any] = []
        trouble: list[str] = []
        cli = shlex.join(["fa", "factory", "test", factory.name])
        title = f"Test of {factory.name}: two seconds through every product"
        self.desk.show(Text(self.desk, title, lambda scene, room: report_lines(reports, trouble, room)))

        def failed(error: Exception) -> None:
            trouble.append(str(error))

        def test(told: Any) -> None:
            text = str(told.get("text", ""))
            self.desk.send(calls.test_factory(text), lambda told: reports.extend(told["items"]), failed, cli=cli)

        self.desk.send(calls.show_factory(factory.name), test, failed)

    # monitors

    def _monitor(self, action: str) -> None:
        monitor = self.desk.view.what()
        if not isinstance(monitor, Monitor):
            self.desk.toast("there is no monitor under the cursor")
            return
        self._send_monitor(action, monitor.name)

    def _send_monitor(self, action: str, name: str) -> None:
        def done(told: Any) -> None:
            back = "disable" if action == "enable" else "enable"
            self.desk.undo = (action, partial(self._send_monitor, back, name))
            self.desk.toast(f"monitor {name} {action}d; u takes it back")
            self.desk.ask_for({"monitors"})

        cli = shlex.join(["fa", "monitor", action, name])
        self.desk.send(calls.act_on_monitor(name, action), done, cli=cli)

    # the mirror

    def _switchover(self) -> None:
        """To whom, when there is a choice; then the name must be typed."""
        names = self.desk.world.mirror.secondaries or self.desk.world.status.secondaries
        if not names:
            self.desk.toast("there is no secondary that could take the lead", "warn")
        elif len(names) == 1:
            self._confirm_switchover(names[0])
        else:
            entries = [
                Entry(name, partial(self._confirm_switchover, name), str(at)) for at, name in enumerate(names, 1)
            ]
            self.desk.show(Menu(self.desk, "Who shall lead?", entries))

    def _confirm_switchover(self, name: str) -> None:
        leader = self.desk.world.status.coordinator or "nobody"
        cli = shlex.join(["fa", "mirror", "switchover", name])
        send = partial(self.desk.send, calls.switchover(name), self._switched, cli=cli)
        question = f"Hand the lead over from {leader} to {name}? Running encodes go on, requests wait a moment."
        self.desk.show(Confirm(self.desk, question, [f"{leader} → {name}"], cli, send, word=name))

    def _switched(self, told: Any) -> None:
        self.desk.toast("the lead was handed over")
        self.desk.ask_for({"status", "mirror", "history"})

    def _verify(self) -> None:
        found: list[Any] = []
        trouble: list[str] = []
        self.desk.show(Text(self.desk, "The copies compared", lambda scene, room: verified_lines(found, trouble, room)))
        self.desk.send(
            calls.verify_mirror(), found.append, lambda error: trouble.append(str(error)), cli="fa mirror verify"
        )

    # alerts

    def _ack(self) -> None:
        alert = self.desk.view.what()
        if not isinstance(alert, Alert):
            self.desk.toast("there is no alert under the cursor; open ones stand on top")
            return

        def done(told: Any) -> None:
            read(Alert, told)
            self.desk.toast(f"alert {alert.id} acknowledged")
            self.desk.ask_for({"alerts", "status"})

        self.desk.send(calls.ack_alert(alert.id), done, cli=f"fa alerts ack {alert.id}")


def report_lines(reports: list[Any], trouble: list[str], room: int) -> list[Line]:
    """What became of each product of a recipe."""
    if trouble:
        return wrapped(trouble[0], room, "warn")
    if not reports:
        return [line(Span("encoding…", "dim"))]
    rows: list[Line] = []
    for report in reports:
        good = bool(report.get("ok"))
        rows.append(
            line(Span("✓ " if good else "✗ ", "done" if good else "fail"), say(report.get("product", "?"), "title"))
        )
        rest = {key: value for key, value in report.items() if key not in ("ok", "product") and value not in (None, "")}
        rows += told_lines([rest], [], room)
    return rows


def verified_lines(found: list[Any], trouble: list[str], room: int) -> list[Line]:
    """What each node says of its copy."""
    if trouble or not found:
        return told_lines(found, trouble, room)
    style = "" if found[0].get("ok") else "warn"
    return [each for words in found[0].get("words", ()) for each in wrapped(str(words), room, style)]


def told_lines(found: list[Any], trouble: list[str], room: int) -> list[Line]:
    """An answer whose fields are not known beforehand, as names and values."""
    if trouble:
        return wrapped(trouble[0], room, "warn")
    if not found:
        return [line(Span("asking the array…", "dim"))]
    rows: list[Line] = []
    for name, value in found[0].items() if isinstance(found[0], dict) else ():
        lines = wrapped(str(value), room - 18)
        rows += [line(cell(name if at == 0 else "", 18, "dim"), *each) for at, each in enumerate(lines)]
    return rows
