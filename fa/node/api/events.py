"""`/v1/events` and `/v1/alerts`: what happened, and what somebody should look at."""

from __future__ import annotations

from datetime import datetime

from fa.core.commands import AckAlert
from fa.core.model import Event, Role
from fa.errors import NotFound
from fa.node.api import given as g
from fa.node.api import shapes as s
from fa.node.api.call import Answer, Call
from fa.node.api.paging import LIMIT_MAX, links
from fa.node.api.problems import BadBody
from fa.node.api.render import alert_shape, event_shape
from fa.node.api.route import Route

PAGES_MAX = 50  # looked at for one answer


async def events(call: Call) -> Answer:
    asked: g.EventsQuery = call.query
    seq = call.gateway.hub.head
    found, more = await _newest(call, asked, _since(asked.since), _cursor(asked.after or asked.before))
    answer = s.Page[s.EventShape]([event_shape(event) for event in found], more, None, seq)
    return Answer(answer, headers=links(call, more, None))


async def _newest(call: Call, asked: g.EventsQuery, since: int, before: int | None) -> tuple[list[Event], str | None]:
    """The newest events that are asked for, and the cursor to older ones. Looks at a bounded number: a page may come
    out short, its cursor goes on from there."""
    kinds = [kind for kind in asked.kind.split(",") if kind] or ["*"]
    limit, found, cursor = min(asked.limit, LIMIT_MAX), list[Event](), None
    for _ in range(PAGES_MAX):
        page = await call.gateway.readers.events(before=before, kinds=kinds, limit=limit - len(found))
        found += [e for e in page.items if e.at >= since and asked.subject in ("", e.subject)]
        cursor = page.next
        if cursor is None or len(found) >= limit or page.items[-1].at < since:
            break
        before = int(cursor)
    return found, cursor if not found or found[-1].at >= since else None


def _cursor(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadBody([("/after", "is none that a list gave")])
    return int(text)


def _since(text: str) -> int:
    if not text:
        return 0
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise BadBody([("/since", "is not a time, as in 2026-05-01T22:00:00Z")]) from None


async def alerts(call: Call) -> Answer:
    rows = await call.gateway.readers.alerts(cleared_too=call.query.all)
    return Answer(s.Page[s.AlertShape]([alert_shape(row) for row in rows], seq=call.gateway.hub.head))


async def ack(call: Call) -> Answer:
    text = call.names["id"]
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 19):
        raise NotFound(f"There is no alert {text[:40]!r}.", hint="`fa alerts` lists them.")
    done = await call.ask(AckAlert(int(text), call.who.name, call.at))
    return Answer(alert_shape(done.value))


ROUTES = (
    Route(
        "GET", "/v1/events", Role.VIEWER, "List what happened, newest first", events, s.Page[s.EventShape],
        query=g.EventsQuery,
    ),
    Route(
        "GET", "/v1/alerts", Role.VIEWER, "List what somebody should look at", alerts, s.Page[s.AlertShape],
        query=g.AlertsQuery,
    ),
    Route("POST", "/v1/alerts/{id}/ack", Role.OPERATOR, "Say that you have seen it", ack, s.AlertShape),
)  # fmt: skip
