"""`/v1/mirror`: what people see of the copies of the store, and what they may do about them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from fa.core import array_events as av
from fa.core.machine import Machine
from fa.core.model import Reign
from fa.errors import Invalid
from fa.node.api.render import stamp
from fa.node.circumstances import HANDED
from fa.node.keeper import Keeper
from fa.node.requests import ArrayRequests
from fa.replication.litestream import verify
from fa.store.readers import Readers

SWITCH_PATIENCE = 30.0  # seconds

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
            "verify": self._verify,
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
            "voters": list(status.voters),
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
        copies = [mine | {"lag_txids": 0}]
        for copy in status.copies:
            at = copy.position.txid if copy.position else 0
            role = "secondary" if copy.in_sync else "learner"
            state = "in-sync" if copy.in_sync else ("syncing" if copy.learning else "spare")
            lag = max(0, status.position.txid - at)
            copies.append({"node": copy.node, "role": role, "state": state, "txid": at, "lag_txids": lag})
        return copies

    async def _history(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Who led when, newest first."""
        reigns = await self._readers().reigns()
        return {"items": [reign_shape(reign) for reign in reigns], "next": None, "prev": None}

    async def _switchover(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        to = str(arguments.get("node", ""))
        by = arguments.get("by") or "an operator"
        await self._remark("mirror.switchover", f"{by} asks to hand the lead over to {to or 'a secondary'}")
        await self._requests.ask(lambda number: av.SwitchOver(number, to), SWITCH_PATIENCE)
        return {"coordinator": self._machine.array.status().coordinator or to or None}

    async def _verify(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Restore this node's replica directory twice, by our code and by stock litestream, and compare the bytes."""
        report = await asyncio.to_thread(verify, self._keeper.directory, txid=self._keeper.acknowledged.txid)
        return asdict(report)


def reign_shape(reign: Reign) -> dict[str, Any]:
    """`kind`: founded, new-view (the same node leads on, or again), switch-over (in order), take-over.
    `outage_seconds`: for how long nobody led, null where nobody knows."""
    return {
        "at": stamp(reign.at),
        "epoch": reign.epoch,
        "kind": _kind_of(reign),
        "coordinator": reign.coordinator,
        "before": reign.before or None,
        "after": reign.coordinator,
        "why": reign.why,
        "outage_seconds": None if reign.outage_ms is None else round(reign.outage_ms / 1000, 3),
    }


def _kind_of(reign: Reign) -> str:
    if not reign.before:
        return "founded"
    if reign.before == reign.coordinator:
        return "new-view"
    return "switch-over" if reign.why.endswith(HANDED) else "take-over"
