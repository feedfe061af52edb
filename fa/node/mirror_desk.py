"""`/v1/mirror`: what people see of the copies of the store, and what they may do about them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fa.core import array_events as av
from fa.core.machine import Machine
from fa.core.model import Event, Reign
from fa.core.position import Position
from fa.errors import Invalid
from fa.node.api.render import stamp, stamp_or_none
from fa.node.circumstances import FORCED, HANDED
from fa.node.keeper import Keeper
from fa.node.requests import ArrayRequests
from fa.replication.checkup import examine
from fa.store.readers import Readers

SWITCH_PATIENCE = 30.0  # seconds
SWITCHOVER, ASKS = "mirror.switchover", " asks to hand the lead over to "  # the event, and its text after who asks
REQUESTS = 200  # of these are looked at to tell who asked

Action = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
Remark = Callable[[str, str], Awaitable[None]]


class MirrorDesk:
    """`readers` is asked each time: it changes as this node begins and ends to lead; `remark(kind, text)` writes a line
    of history."""

    def __init__(
        self, machine: Machine, keeper: Keeper, requests: ArrayRequests, readers: Callable[[], Readers], remark: Remark
    ) -> None:
        self._machine = machine
        self._keeper = keeper
        self._requests = requests
        self._readers = readers
        self._remark = remark
        self._actions: dict[str, Action] = {
            "status": self._status,
            "history": self._history,
            "switchover": self._switchover,
            "examine": self._examine,
        }

    async def act(self, action: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises `Invalid` for an action that there is not, `Conflict` when the array refuses it."""
        try:
            return await self._actions[action](arguments)
        except KeyError:
            raise Invalid(f"There is no mirror action {action}.") from None

    async def _status(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        status = self._machine.array.status()
        commits = self._keeper.commits
        return {
            "state": status.mirror,
            "epoch": status.epoch,
            "coordinator": status.coordinator or None,
            "secondaries": list(status.secondaries),
            "voters": list(status.settled),
            "txid": status.acked.txid,
            "checksum": f"{status.acked.checksum:016x}",
            "lag_ms": commits.delay_ms,
            "commit_ms": commits.delay_ms,
            "commits_per_second": commits.per_second,
            "why": status.warning or status.why,
            "copies": self._copies(),
        }

    def _copies(self) -> list[dict[str, Any]]:
        status = self._machine.array.status()
        mine = {"node": status.coordinator, "role": "coordinator", "state": "complete", "txid": status.position.txid}
        copies = [mine | {"lag_txids": 0, "rtt_ms": None}]
        for copy in status.copies:
            at = copy.position.txid if copy.position else 0
            role = "secondary" if copy.in_sync else "learner"
            state = "in-sync" if copy.in_sync else ("syncing" if copy.learning else "spare")
            lag = max(0, status.position.txid - at)
            rtt = None if copy.round_trip is None else round(copy.round_trip * 1000, 3)
            copies.append(
                {"node": copy.node, "role": role, "state": state, "txid": at, "lag_txids": lag, "rtt_ms": rtt}
            )
        return copies

    async def _history(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Who led when, newest first."""
        readers = self._readers()
        asked = await readers.events(kinds=(SWITCHOVER,), limit=REQUESTS)
        return {"items": history(await readers.reigns(), asked.items), "next": None, "prev": None}

    async def _switchover(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        to = str(arguments.get("node", ""))
        by = arguments.get("by") or "an operator"
        await self._remark(SWITCHOVER, f"{by}{ASKS}{to or 'a secondary'}")
        await self._requests.ask(lambda number: av.SwitchOver(number, to), SWITCH_PATIENCE)
        return {"coordinator": self._machine.array.status().coordinator or to or None}

    async def _examine(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read all of this node's copy, and hold it against where the array stands: ``txid`` and ``checksum``."""
        keeper = self._keeper
        at = Position(int(arguments["txid"]), int(arguments["checksum"], 16))
        return asdict(
            await asyncio.to_thread(lambda: examine(keeper.directory, at, keeper.pages, lambda: keeper.held.scrub()))
        )


def history(reigns: Sequence[Reign], asked: Sequence[Event]) -> list[dict[str, Any]]:
    """Who led when, the newest first; ``asked`` are the requests to hand over, the newest first."""
    later, earlier = (None, *reigns), (*reigns[1:], None)
    return [
        reign_shape(reign, after.at if after else None, _asked_by(reign, before, asked))
        for reign, after, before in zip(reigns, later, earlier, strict=False)
    ]


def _asked_by(reign: Reign, before: Reign | None, asked: Sequence[Event]) -> str | None:
    """Whose wish it was, of a change that was one."""
    if reign.why.startswith(FORCED):
        return reign.why.removeprefix(FORCED)
    since = before.at if before else 0
    wishes = (event.text.partition(ASKS)[0] for event in asked if since <= event.at <= reign.at)
    return next(wishes, None) if _kind_of(reign) == "switch-over" else None


def reign_shape(reign: Reign, until: int | None = None, by: str | None = None) -> dict[str, Any]:
    """`kind`: founded, new-view (the same node leads on, or again), switch-over (in order), take-over.
    `outage_seconds`: for how long nobody led, null where nobody knows; `until`: null while it leads."""
    return {
        "at": stamp(reign.at),
        "until": stamp_or_none(until),
        "epoch": reign.epoch,
        "kind": _kind_of(reign),
        "coordinator": reign.coordinator,
        "before": reign.before or None,
        "after": reign.coordinator,
        "by": by,
        "why": reign.why,
        "outage_seconds": None if reign.outage_ms is None else round(reign.outage_ms / 1000, 3),
    }


def _kind_of(reign: Reign) -> str:
    if not reign.before:
        return "founded"
    if reign.before == reign.coordinator:
        return "new-view"
    return "switch-over" if reign.why.endswith(HANDED) else "take-over"
