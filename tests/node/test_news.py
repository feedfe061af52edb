from __future__ import annotations

import json
from typing import Any

from fa.core import commands as c
from fa.core.ledger import Outcome
from fa.core.model import Alert
from fa.core.position import EMPTY
from fa.core.work import Carried
from fa.errors import NotFound
from fa.node.hub import Hub, Subscription
from fa.node.news import Changes, tell_watchers
from tests.node.api.fake import STANDING, member


def carried(*facts: Any) -> Carried:
    return Carried(1, Outcome(None, facts), EMPTY)


async def read(subscription: Subscription) -> list[tuple[str, Any]]:
    return [(message.topic, json.loads(message.data)) for message in await subscription.take(0.01)]


async def test_events_and_alerts_have_the_shapes_of_their_lists() -> None:
    hub = Hub(3)
    watcher = hub.subscribe()
    noted = c.Noted(5, 1_790_000_000_123, "node.lost", "error", "node/b", "b is silent")
    alert = Alert(2, 1_790_000_000_123, "node.lost", "node/b", "b is silent", cleared_at=1_790_000_001_000)
    tell_watchers(hub, carried(noted, c.AlertChanged(alert)))
    assert await read(watcher) == [
        ("event", {"id": 5, "at": "2026-09-21T14:13:20.123Z", "kind": "node.lost", "severity": "error",
                   "subject": "node/b", "text": "b is silent"}),
        ("alert", {"id": 2, "at": "2026-09-21T14:13:20.123Z", "kind": "node.lost", "subject": "node/b",
                   "text": "b is silent", "acked_at": None, "acked_by": None,
                   "cleared_at": "2026-09-21T14:13:21.000Z"}),
    ]  # fmt: skip


async def test_new_jobs_are_one_message_a_request() -> None:
    hub = Hub(3)
    watcher = hub.subscribe(frozenset({"job"}))
    tell_watchers(hub, carried(c.TasksReady(), c.JobsSubmitted(tuple(range(7, 1007)))))
    tell_watchers(hub, carried(c.JobChanged(7, "running", "queued")))
    assert await read(watcher) == [
        ("job", {"id": 1006, "first": 7, "state": "queued", "was": None}),
        ("job", {"id": 7, "state": "running", "was": "queued"}),
    ]


async def test_what_was_refused_is_no_news() -> None:
    hub = Hub(3)
    watcher = hub.subscribe()
    tell_watchers(hub, Carried(1, NotFound(), EMPTY))
    tell_watchers(hub, "anything else")
    assert await read(watcher) == []


async def test_nodes_come_go_and_change() -> None:
    hub = Hub(3)
    watcher, changes = hub.subscribe(frozenset({"node"})), Changes(hub)
    a, b = member("a"), member("b")
    changes.look([a, b], STANDING)
    assert await read(watcher) == [], "who watches has just listed"
    changes.look([a, member("b", state="lost")], STANDING)
    changes.look([a, member("b", state="lost"), member("c")], STANDING)
    changes.look([a, member("c")], STANDING)
    assert await read(watcher) == [
        ("node", {"name": "b", "state": "lost", "was": "up"}),
        ("node", {"name": "c", "state": "up", "was": None}),
        ("node", {"name": "b", "state": "removed", "was": "lost"}),
    ]
    changes.forget()
    changes.look([a], STANDING)
    assert await read(watcher) == []


async def test_the_mirror_changes() -> None:
    from dataclasses import replace

    hub = Hub(3)
    watcher, changes = hub.subscribe(frozenset({"mirror"})), Changes(hub)
    changes.look([], STANDING)
    changes.look([], replace(STANDING, txid=99, lag_ms=3.0))
    changes.look([], replace(STANDING, mirror="lock-step", secondaries=("b",)))
    assert await read(watcher) == [
        ("mirror", {"state": "lock-step", "epoch": 7, "coordinator": "a", "secondaries": ["b"]})
    ]
