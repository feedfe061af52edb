"""`/v1/status` and the small questions: is it up, can it take work, who am I, what is there, what went wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Literal

from fa.core.model import Role
from fa.errors import NotFound, Unavailable
from fa.node.api import shapes as s
from fa.node.api.call import Answer, Call, Reply
from fa.node.api.metrics import MEDIA as METRICS_MEDIA
from fa.node.api.problems import NotCoordinator, kinds, title
from fa.node.api.render import node_brief, stamp
from fa.node.api.route import Route
from fa.node.gateway import NodeStatus, Standing

COORDINATOR_SECONDS = 1.0  # a status is asked when something is wrong: it must not hang with what hangs


async def status(call: Call) -> Reply:
    """As the coordinator sees the array; where that does not answer at once, as this node does."""
    standing = call.gateway.standing()
    if not standing.leading:
        if call.via:
            raise NotCoordinator
        with contextlib.suppress(Unavailable):
            return await call.services.forwarder.to_coordinator(call, COORDINATOR_SECONDS)
    return await _seen_from_here(call, standing)


async def _seen_from_here(call: Call, standing: Standing) -> Answer:
    nodes = sorted(call.gateway.nodes(), key=lambda node: node.view.name)
    seq = call.gateway.hub.head
    jobs, alerts = await _counted(call)
    health, why = health_of(standing, nodes, alerts)
    mirror = s.MirrorBrief(standing.mirror, standing.txid, standing.lag_ms)
    shape = s.StatusShape(
        array=standing.array,
        health=health,
        why=why,
        epoch=standing.epoch,
        coordinator=standing.coordinator,
        secondaries=list(standing.secondaries),
        mirror=mirror,
        nodes=[node_brief(node) for node in nodes],
        jobs=None if jobs is None else s.Counts(**jobs),
        alerts=alerts,
        via=call.via or standing.node,
        at=stamp(call.at),
        seq=seq,
    )
    return Answer(shape)


async def _counted(call: Call) -> tuple[dict[str, int] | None, int]:
    """Jobs by state, and alerts that nobody has acknowledged; None and 0 on a node without a copy of the store, and
    where the store does not acknowledge: a status is asked just then."""
    try:
        async with asyncio.timeout(COORDINATOR_SECONDS):
            counts, alerts = await call.gateway.readers.overview()
    except (Unavailable, TimeoutError):
        return None, 0
    unseen = sum(alert.acked_at is None for alert in alerts)
    return {state.value: number for state, number in counts.items()}, unseen


def health_of(
    standing: Standing, nodes: list[NodeStatus], alerts: int
) -> tuple[Literal["ok", "degraded", "down"], str]:
    """ok; degraded: it takes work, but something needs a look; down: it takes none. And why, in words."""
    if standing.coordinator is None:
        return "down", standing.why or "There is no coordinator."
    if not standing.leading:
        return "down", f"{standing.coordinator} leads the array and does not answer. {standing.why}".rstrip()
    if standing.mirror == "stalled":
        return "down", standing.why or "The store does not acknowledge: no majority is reached."
    reasons = [standing.why] if standing.why else []
    if standing.mirror in ("solo", "syncing") and len(nodes) > 1:
        reasons.append(f"The mirror is {standing.mirror}: losing the coordinator now would lose work.")
    lost = [node.view.name for node in nodes if node.state == "lost"]
    if lost:
        reasons.append(f"Lost: {', '.join(lost)}.")
    if alerts:
        reasons.append(f"{alerts} alert{'s' if alerts > 1 else ''} open: fa alerts.")
    return ("degraded", " ".join(reasons)) if reasons else ("ok", "")


async def healthz(call: Call) -> Answer:
    """The process lives and answers; whether it can work is `/readyz`."""
    return Answer(s.Ready(True))


async def readyz(call: Call) -> Answer:
    """200 when work can be submitted through this node."""
    standing = call.gateway.standing()
    ok = standing.coordinator is not None and standing.mirror != "stalled"
    return Answer(s.Ready(ok, "" if ok else standing.why or "There is no coordinator."), 200 if ok else 503)


async def metrics(call: Call) -> Answer:
    jobs, _ = await _counted(call)
    return Answer(call.services.metrics.render(jobs or {}), media=METRICS_MEDIA)


async def me(call: Call) -> Answer:
    from fa.node.api.routes import ROUTES  # the table holds this handler

    actions = [route.name for route in ROUTES if call.who.may(route.role)]
    return Answer(s.Me(call.who.name, call.who.role.value, call.gateway.standing().node, actions))


async def explain(call: Call) -> Answer:
    """What the `type` of a problem points at: the same words without a network."""
    kind = kinds().get(call.names["code"])
    if kind is None:
        raise NotFound(f"There is no problem called {call.names['code'][:80]!r}.")
    text = " ".join((kind.__doc__ or "").split())
    page: Mapping[str, Any] = {"code": kind.code, "status": kind.status, "title": title(kind.code), "detail": text}
    return Answer(page)


ROUTES = (
    Route("GET", "/v1/status", Role.VIEWER, "Show the array in one answer", status, s.StatusShape, local=True),
    Route("GET", "/v1/me", Role.VIEWER, "Say who asks, and what that allows", me, s.Me, local=True),
    Route("GET", "/healthz", None, "Say that the process lives", healthz, s.Ready, local=True),
    Route("GET", "/readyz", None, "Say whether work can be submitted here", readyz, s.Ready, local=True),
    Route("GET", "/metrics", Role.VIEWER, "Numbers for Prometheus", metrics, str, local=True, answers=METRICS_MEDIA),
    Route("GET", "/problems/{code}", None, "Explain a kind of problem", explain, dict[str, Any], local=True),
)
