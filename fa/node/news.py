"""From acknowledged facts to what watchers of `/v1/stream` are told, in the shapes of the lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fa.core import commands as c
from fa.core.ledger import Outcome
from fa.core.model import Event
from fa.core.work import Carried
from fa.node.api.render import alert_shape, event_shape
from fa.node.gateway import NodeStatus, Standing
from fa.node.hub import Hub


def tell_watchers(hub: Hub, event: Any) -> None:
    if not isinstance(event, Carried) or not isinstance(event.result, Outcome):
        return
    for fact in event.result.facts:
        match fact:
            case c.JobsSubmitted(jobs):
                # One message a request, however many jobs: who lists by page asks for what is newer than it has.
                hub.publish("job", {"id": jobs[-1], "first": jobs[0], "state": "queued", "was": None})
            case c.JobChanged(job, state, was):
                hub.publish("job", {"id": job, "state": state, "was": was})
            case c.Assigned(order):
                hub.publish("job", {"id": order.job, "state": "running", "product": order.product, "node": order.node})
            case c.Noted(number, at, kind, severity, subject, text):
                hub.publish("event", event_shape(Event(at, kind, severity, subject, text, number)))
            case c.AlertChanged(alert):
                hub.publish("alert", alert_shape(alert))
            case c.Quarantined(node, factory, on):
                hub.publish("node", {"name": node, "factory": factory, "quarantined": on})
            case _:
                pass


class Changes:
    """What is not in the store and changes all the same: who is there, and how the mirror stands. Looked at now and
    then; the first look tells nothing, who watches has just listed."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._nodes: dict[str, str] | None = None
        self._mirror: dict[str, Any] | None = None

    def forget(self) -> None:
        """This node does not lead, so it knows nothing of the others."""
        self._nodes = self._mirror = None

    def look(self, nodes: Sequence[NodeStatus], standing: Standing) -> None:
        self._look_at_nodes({node.view.name: node.state for node in nodes})
        mirror = {
            "state": standing.mirror,
            "epoch": standing.epoch,
            "coordinator": standing.coordinator,
            "secondaries": list(standing.secondaries),
        }
        if self._mirror is not None and mirror != self._mirror:
            self._hub.publish("mirror", mirror)
        self._mirror = mirror

    def _look_at_nodes(self, now: dict[str, str]) -> None:
        before, self._nodes = self._nodes, now
        if before is None:
            return
        for name in sorted(before.keys() | now.keys()):
            state, was = now.get(name, "removed"), before.get(name)
            if state != was:
                self._hub.publish("node", {"name": name, "state": state, "was": was})
