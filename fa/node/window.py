"""What the API sees of its node: the `Gateway`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from fa.core import array_events as av
from fa.core import view
from fa.core.alarms import ARRAY, Remark
from fa.core.commands import Command
from fa.core.machine import Machine
from fa.core.members import Member
from fa.core.model import NodeView
from fa.core.places import Place
from fa.core.watch_messages import WatchStatus
from fa.errors import FaError, Unauthorized, Unavailable
from fa.node.admission import Admitted, Applicant, admit, renew
from fa.node.answers import Answers
from fa.node.attempt import Workshop
from fa.node.authority import Authority, Identity
from fa.node.clock import Clock
from fa.node.copying import send_copy
from fa.node.factory_test import test_factory
from fa.node.gateway import Done, NodeStatus, Progress, Standing, VolumeStatus
from fa.node.hub import Hub
from fa.node.keeper import Keeper
from fa.node.links import Links
from fa.node.mirror_desk import MirrorDesk
from fa.node.monitor_test import test_monitor
from fa.node.requests import ArrayRequests
from fa.node.settings import Settings
from fa.node.vote_desk import VoteDesk
from fa.node.wire import RosterEntry
from fa.replication.errors import LineageBroken, SegmentCorrupt
from fa.store.readers import Readers

FORCE_PATIENCE = 10.0  # seconds
REFUSALS_TOLD = 5  # a minute


@dataclass(slots=True)
class Window:
    """Made by `fa.node.node.Node`, which opens and closes `store` as this node begins and ends to lead."""

    settings: Settings
    machine: Machine
    answers: Answers
    keeper: Keeper
    shop: Workshop
    clock: Clock
    hub: Hub
    serving: asyncio.Event
    authority: Authority
    links: Links
    requests: ArrayRequests
    votes: VoteDesk
    store: Readers | None = None
    happened: Callable[[str, str], None] = lambda kind, text: None  # what people should hear of
    _standing: Standing | None = None
    _admitting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _refused: list[float] = field(default_factory=list)  # when it was told, of the last minute
    _shown: dict[str, Collection[str]] = field(default_factory=dict)  # the volumes of those that were let in

    @property
    def readers(self) -> Readers:
        if self.store is None:
            raise Unavailable
        return self.store

    def standing(self) -> Standing:
        """Asked several times for every request, so it is made anew only after the array core has moved."""
        if self._standing is None:
            self._standing = self._make_standing()
        return self._standing

    def forget_standing(self) -> None:
        self._standing = None

    def _make_standing(self) -> Standing:
        status = self.machine.array.status()
        leading = self.serving.is_set() and self.store is not None
        array, node = self.settings.array, self.settings.node
        url = node.url if leading else self.links.address(status.coordinator)
        works = leading and status.mirror != "stalled"
        return Standing(
            node.name, array.name, array.id, status.epoch, status.coordinator or None, url, leading,
            status.secondaries, status.mirror, status.acked.txid, self.keeper.commits.last_ms,
            status.warning if works else status.why,
        )  # fmt: skip

    def nodes(self) -> Sequence[NodeStatus]:
        """All members, also one that has said nothing to this coordinator yet: it may be lost, and is looked for."""
        views = {view.name: view for view in self.machine.dispatcher.views()}
        return [self._status(member, views) for member in self.machine.dispatcher.members]

    def _status(self, member: Member, views: Mapping[str, NodeView]) -> NodeStatus:
        seen = int((self.clock.mono() - member.seen_at) * 1000)
        version = member.offer.version if member.offer else ""
        runs = self.machine.dispatcher.runs_on(member.name)
        slots = (("cpu", 0),) if member.kind == "witness" else ()  # of others it is not known yet
        silent = NodeView(member.name, slots, mode=member.mode, up=not member.lost)
        view = views.get(member.name, silent)
        return NodeStatus(view, member.state, member.address, version, seen, runs, member.kind)

    def volumes(self) -> Sequence[VolumeStatus]:
        ill = {(self.settings.node.name, name): why for name, why in self.votes.ill.items()}  # as this node sees it
        return [
            VolumeStatus(
                volume.name, member.name, volume.path, volume.state,
                volume.why or ill.get((member.name, volume.name), ""), volume.free, volume.total,
            )
            for member in self.machine.dispatcher.members
            if member.offer
            for volume in member.offer.volumes
        ]  # fmt: skip

    def progress(self) -> Mapping[int, Progress]:
        return {
            task: Progress(running.phase, running.progress, running.fps, running.speed, running.eta)
            for task, running in self.machine.dispatcher.progress().items()
        }

    async def ask(self, command: Command) -> Done:
        """Bounded: a store that does not acknowledge (no quorum, a copy that hangs) must not keep clients for ever."""
        patience = self.settings.timing.forward_timeout_seconds
        if not self.serving.is_set():
            await self._wait_to_serve(patience)
        value, position = await self.answers.ask(command, patience)
        seen = self._standing or self.machine.array.status()
        return Done(value, position, "mirrored" if seen.secondaries else "solo")

    async def _wait_to_serve(self, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                await self.serving.wait()
        except TimeoutError:
            raise Unavailable from None

    def attempt_log(self, task: int, attempt: int) -> Path:
        return self.shop.log_of(task, attempt)

    def runs_here(self, task: int, attempt: int) -> bool:
        return any(running.key == (task, attempt) for running in self.machine.worker.running)

    async def test_factory(self, text: str) -> Sequence[Mapping[str, Any]]:
        return await test_factory(self.shop, text)

    # --- monitors ---

    def watches(self) -> Mapping[str, WatchStatus]:
        return self.machine.dispatcher.monitors.statuses()

    async def test_monitor(self, text: str) -> Mapping[str, Any]:
        return await test_monitor(self.shop.volumes, self.settings, text, self.store)

    async def files(self, folder: Place, after: str, limit: int) -> Mapping[str, Any]:
        return await self.shop.volumes.files(folder, after, limit)

    # --- other nodes ---

    def roster(self) -> tuple[RosterEntry, ...]:
        """All members as the coordinator knows them, itself included."""
        rows = self.machine.dispatcher.members
        return tuple(RosterEntry(row.name, row.address, row.kind, row.index, row.incarnation) for row in rows)

    def knows(self, node: str, incarnation: str) -> bool:
        return self.links.knows(node, incarnation)

    async def admit(self, applicant: Applicant) -> Admitted:
        async with self._admitting:  # one after the other: each gets an index of its own, for ever (SAFETY.md R4)
            try:
                admitted = await admit(self, self.authority, applicant, self.clock.wall())
            except Unauthorized as error:
                self._tell_refused(f"a server that calls itself {applicant.node} was refused: {error.detail}")
                raise
            self._shown[applicant.node] = tuple(applicant.volumes)
        member = view.Member(applicant.node, applicant.incarnation)
        self.requests.wish(lambda number: av.AddNode(number, member, votes=False))
        return admitted

    def _tell_refused(self, text: str) -> None:
        """Not each of a flood: it takes no token to be refused, and lines of the store and a mail come of each."""
        now = self.clock.mono()
        self._refused = [at for at in self._refused if now - at < 60.0]
        if len(self._refused) < REFUSALS_TOLD:
            self._refused.append(now)
            self.happened("join-refused", text)

    def volumes_besides(self, node: str) -> Collection[str]:
        """The names of the volumes that the array has, as far as this node knows, on other nodes than that one."""
        offered = {volume.name for volume in self.volumes() if volume.node != node}
        shown = {name for other, names in self._shown.items() if other != node for name in names}
        return {*self.settings.volumes, *offered, *shown}

    def renew(self, identity: Identity, request: str) -> str:
        return renew(self, self.authority, identity, request)

    async def accept_link(self, request: web.BaseRequest, node: str) -> web.StreamResponse:
        return await self.links.accept(request, node)

    async def send_copy(self, request: web.BaseRequest, theirs: bytes) -> web.StreamResponse:
        keeper = self.keeper
        try:
            return await send_copy(request, keeper.directory, self.settings.array.id, keeper.acknowledged, theirs)
        except (SegmentCorrupt, LineageBroken):
            keeper.upkeep.doubt()
            raise

    # --- the operator's override ---

    def force_report(self) -> str:
        return self.machine.array.force_report()

    async def force(self, by: str) -> None:
        self.keeper.circumstances.forced(by)
        try:
            await self.requests.ask(av.Force, FORCE_PATIENCE)
        except FaError:
            self.keeper.circumstances.forced("")
            raise
        await self._remark("array.forced", f"{self.settings.node.name} was forced to lead by {by}")

    async def _remark(self, kind: str, text: str) -> None:
        await self.ask(Remark(kind, ARRAY, text, self.clock.wall()))

    async def mirror(self, action: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        desk = MirrorDesk(self.machine, self.keeper, self.requests, lambda: self.readers, self._remark)
        told = await desk.act(action, arguments)
        return {**told, "votes_ill": list(self.votes.ill.values())} if action == "status" else told

    # --- votes ---

    def check_spare(self, voter: str, hint: str) -> None:
        self.votes.check_spare(voter, hint)

    async def remove_vote(self, voter: str, by: str) -> None:
        await self.votes.remove(voter)
        await self._remark("vote.removed", f"{by} took the vote of {voter}")

    async def renew_vote(self, voter: str, by: str) -> None:
        await self.votes.renew(voter)
        await self._remark("vote.renewed", f"{by} gave {voter} a fresh vote")
