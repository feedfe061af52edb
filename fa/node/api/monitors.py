"""`/v1/monitors`: watch folders. Bodies are TOML; JSON is taken and kept as TOML."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from fa.core.arrivals import MonitorRow
from fa.core.model import Role
from fa.core.monitor import monitor_to_dict, parse_monitor, read_monitor
from fa.core.monitor_commands import EnableMonitor, RemoveMonitor, SaveMonitor
from fa.core.monitor_desk import trouble_of
from fa.core.watch_messages import WatchStatus
from fa.errors import Invalid, NotFound
from fa.node.api import monitor_shapes as ms
from fa.node.api import shapes as s
from fa.node.api.call import Answer, Call, Reply
from fa.node.api.factories import expected_version, recipe_text
from fa.node.api.problems import PreconditionRequired
from fa.node.api.render import stamp
from fa.node.api.route import RECIPE, Route

TEST_SECONDS = 60.0


async def listing(call: Call) -> Answer:
    rows = await call.gateway.readers.monitors()
    statuses = call.gateway.watches()
    return Answer(s.Page[ms.MonitorBrief]([_brief(row, statuses) for row in rows], seq=call.gateway.hub.head))


async def show(call: Call) -> Answer:
    return _shown(call, await _row(call))


async def _row(call: Call) -> MonitorRow:
    row = await call.gateway.readers.monitor(call.names["name"])
    if row is None:
        raise NotFound(f"There is no monitor {call.names['name'][:80]!r}.", hint="`fa monitors` lists them.")
    return row


async def apply(call: Call) -> Answer:
    """Add or change; the name is in the text."""
    return await _save(call, expected_version(call))


async def put(call: Call) -> Answer:
    """Add or change that one, saying which version was seen."""
    expected = expected_version(call)
    if expected is None:
        raise PreconditionRequired
    name = parse_monitor(recipe_text(call)).name
    if name != call.names["name"]:
        raise Invalid(f"The monitor is {name!r}, the address says {call.names['name'][:80]!r}.", hint="Make them one.")
    return await _save(call, expected)


async def _save(call: Call, expected: int | None) -> Answer:
    done = await call.ask(SaveMonitor(recipe_text(call), call.at, call.who.name, expected))
    return _shown(call, done.value)


async def enable(call: Call, on: bool) -> Answer:
    done = await call.ask(EnableMonitor(call.names["name"], on, call.at, call.who.name))
    return _shown(call, done.value)


async def remove(call: Call) -> Answer:
    await call.ask(RemoveMonitor(call.names["name"], call.at, call.who.name))
    return Answer({"removed": call.names["name"]})


async def test(call: Call) -> Reply:
    """By a node that has the volume: this one, or one that is asked to."""
    monitor = parse_monitor(recipe_text(call))
    volume = monitor.folder.volume
    able = [node for node in call.gateway.nodes() if node.state != "lost" and f"source:{volume}" in node.view.offers]
    here = call.gateway.standing().node
    if any(node.view.name == here for node in able):
        return await look(call)
    if not able:
        raise NotFound(f"No node of the array can read volume {volume} now.", hint="`fa volume list` says why.")
    url = f"{able[0].address}/v1/peer/monitors:test"
    return await call.services.forwarder.to_node(call, able[0].view.name, url, call.route.patience_seconds)


async def look(call: Call) -> Answer:
    """One look from here."""
    return Answer(ms.MonitorTest(**await call.gateway.test_monitor(recipe_text(call))))


def state_of(row: MonitorRow, status: WatchStatus | None) -> tuple[str, str]:
    """(state, why): watching, disconnected, error, and paused for one that is disabled."""
    return trouble_of(status) if row.enabled else ("paused", "")


def _fields(row: MonitorRow, statuses: Mapping[str, WatchStatus]) -> dict[str, object]:
    status = statuses.get(row.name) if row.enabled else None
    state, why = state_of(row, status)
    known, told = read_monitor(row.text), status or WatchStatus(row.id, row.version)
    return {
        "name": row.name,
        "state": state,
        "owner": row.owner if row.enabled and row.owner else None,
        "folder": str(known.folder) if known else "",
        "factories": list(known.factories) if known else [],
        "seen": told.seen,
        "settling": told.settling,
        "refused": told.refused,
        "submitted": row.submitted,
        "last_file": row.last_file or None,
        "last_error": why or None,
        "version": row.version,
        "scan_ms": told.scan_ms,
        "growing": [ms.GrowingShape(each.path, each.size, round(each.rate)) for each in told.growing],
    }


def _brief(row: MonitorRow, statuses: Mapping[str, WatchStatus]) -> ms.MonitorBrief:
    return ms.MonitorBrief(**_fields(row, statuses))  # type: ignore[arg-type]


def _shown(call: Call, row: MonitorRow) -> Answer:
    known = read_monitor(row.text)
    shape = ms.MonitorShape(
        **_fields(row, call.gateway.watches()),  # type: ignore[arg-type]
        enabled=row.enabled,
        created_at=stamp(row.created_at),
        created_by=row.created_by,
        text=row.text,
        settings=monitor_to_dict(known) if known else {},
    )
    return Answer(shape, headers={"ETag": f'"{row.version}"'})


ROUTES = (
    Route("GET", "/v1/monitors", Role.VIEWER, "List monitors", listing, s.Page[ms.MonitorBrief]),
    Route(
        "POST", "/v1/monitors", Role.ADMIN, "Add a monitor, or change one", apply, ms.MonitorShape,
        body=str, media=RECIPE,
    ),
    Route(
        "POST", "/v1/monitors:test", Role.OPERATOR, "Say what a monitor would do with what is there now", test,
        ms.MonitorTest, body=str, media=RECIPE, patience_seconds=TEST_SECONDS,
    ),
    Route(
        "POST", "/v1/peer/monitors:test", Role.NODE, "The same, for other nodes", look,
        ms.MonitorTest, body=str, media=RECIPE, local=True, patience_seconds=TEST_SECONDS,
    ),
    Route("GET", "/v1/monitors/{name}", Role.VIEWER, "Show a monitor", show, ms.MonitorShape),
    Route(
        "PUT", "/v1/monitors/{name}", Role.ADMIN, "Replace what was read (If-Match), or add (If-None-Match: *)", put,
        ms.MonitorShape, body=str, media=RECIPE,
    ),
    Route(
        "POST", "/v1/monitors/{name}/enable", Role.OPERATOR, "Let a monitor submit what settles",
        functools.partial(enable, on=True), ms.MonitorShape,
    ),
    Route(
        "POST", "/v1/monitors/{name}/disable", Role.OPERATOR, "Pause a monitor",
        functools.partial(enable, on=False), ms.MonitorShape,
    ),
    Route(
        "DELETE", "/v1/monitors/{name}", Role.ADMIN, "Remove a monitor and forget what it saw; its jobs stay", remove,
        dict[str, str],
    ),
)  # fmt: skip
