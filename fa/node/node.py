"""One node, put together: the core, the store, the work, the faces, and who carries out which effect."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.core import work as w
from fa.core.array_barriers import PATIENCE as READ_PATIENCE
from fa.core.trust import Mark
from fa.errors import FaError
from fa.node import scratch
from fa.node.active import load_active, questions
from fa.node.answers import Answers
from fa.node.api.server import Server, serve
from fa.node.attempt import Workshop
from fa.node.attempts import Attempts
from fa.node.authority import Authority, TlsFiles, peer_context
from fa.node.birth import make_machine, make_workshop
from fa.node.clock import Clock
from fa.node.copying import Fetcher
from fa.node.disk import DiskWatch, is_failed
from fa.node.guards import Guards
from fa.node.hub import Hub
from fa.node.identity import Identity, VoteFiles
from fa.node.keeper import Keeper, StorePlace
from fa.node.links import Links
from fa.node.membership import Membership
from fa.node.monitors import Monitors
from fa.node.news import tell_watchers
from fa.node.offers import offer_of
from fa.node.old_logs import remove_old_logs
from fa.node.parts import Owner
from fa.node.proofs import Proofs, prover
from fa.node.reports import ReportDesk, ReportShelf
from fa.node.requests import ArrayRequests
from fa.node.roster import RosterFile
from fa.node.runtime import Runtime
from fa.node.settings import Settings, StateDir
from fa.node.sweep import Sweeper
from fa.node.vip import VirtualIp
from fa.node.vote_desk import VoteDesk
from fa.node.window import Window
from fa.node.wire import payload_of
from fa.node.witness import VolumeVoters
from fa.replication.errors import CopyError
from fa.store.readers import Readers

log = logging.getLogger(__name__)


HAND_OVER_PATIENCE = 10.0  # seconds
LEAVE_PATIENCE = 5.0
VOLUME_PATIENCE = 5.0  # for what may wait for a mount that hangs, when the node stops
LEAD_AGAIN = 1.0
_NOT_OF_THE_ARRAY = (w.Asked, w.GaveUp, w.Carried)  # the array core never sees them, so that this node stands as before


class NodeStopped(Exception):
    """The core asked for the end of the process: nothing may be written any more."""


class Node:
    """Made by :meth:`start`; then :meth:`run` until it is cancelled, then :meth:`stop`."""

    def __init__(self, place: StateDir, settings: Settings, identity: Identity, shop: Workshop) -> None:
        self.settings = settings
        self.place = place
        self.clock = Clock()
        self.hub = Hub()
        self.serving = asyncio.Event()
        self.machine = make_machine(settings, identity)
        self.runtime = Runtime(self.machine, self.clock, self._watch)
        self.answers = Answers(self.runtime.post)
        self._context = peer_context(TlsFiles(place.tls))
        self.links = self._make_links()
        self.disk = DiskWatch(place.store, self.runtime.post)
        self.keeper = self._make_keeper()
        self.attempts = Attempts(shop, self.runtime.post, settings.node.name)
        self.requests = ArrayRequests(self.runtime.post)
        self.vip = VirtualIp(settings.array.vip)
        self.voters = VolumeVoters(
            settings.node.name,
            settings.array.id,
            settings.volumes,
            place.votes,
            settings.timing.volume_timeout_seconds,
            self.runtime.post,
        )
        self.votes = VoteDesk(settings, self.machine.array, self.voters, self.requests, shop.volumes.status)
        authority = Authority.load(TlsFiles(place.tls))
        self.window = Window(
            settings, self.machine, self.answers, self.keeper, shop, self.clock, self.hub, self.serving,
            authority, self.links, self.requests, self.votes,
        )  # fmt: skip
        self._shop = shop
        self.monitors = Monitors(shop, settings.array.id, self.runtime.post)
        self._disk = ThreadPoolExecutor(1, "votes")
        self._votes = VoteFiles(place.votes)
        self._incarnation, self._boots = identity.incarnation, identity.boots
        self._reports = ReportDesk(ReportShelf(place.reports), self._disk, self.disk.met_full, self.runtime.post)
        prove = prover(shop.tools, shop.sandbox)
        self._proofs = Proofs(shop.tools.identity, prove, place.root / "proved.json", self._say_offer)
        self._server: Server | None = None
        self.guards = Guards(place, self.window, self.vip, identity.boots, self._context)
        self.window.happened, self.votes.tell = self.guards.happened, self.guards.votes
        self.membership = Membership(
            settings, self.machine.array, self.window, self.links, self.requests, self.votes, RosterFile(place.roster),
            self._proofs.want,
        )  # fmt: skip
        self._tasks: set[asyncio.Task[None]] = set()
        for effect, performer in self._routes().items():
            self.runtime.perform(effect, performer)

    # --- life ---

    @classmethod
    async def start(cls, place: StateDir, settings: Settings) -> Node:
        """Recover, listen, and begin to take part. Raises `FaError` when this node cannot run."""
        identity = VoteFiles(place.votes).boot()
        shop = await make_workshop(place, settings)
        await asyncio.to_thread(scratch.clear, shop.scratch, settings.node.name)
        node = cls(place, settings, identity, shop)
        started = await node._open_store(identity)
        node._server = await serve(node.window, settings, place, node.window.authority)
        node.runtime.post(started)
        node.guards.contexts += node._server.contexts
        node.membership.begin()
        node._background(node.keeper.upkeep.tend())
        node._background(node.keeper.upkeep.scrub())
        node._background(node.disk.run())
        node._background(node._reports.run())
        node.runtime.post(w.Recovered(node._reports.all()))
        node.runtime.post(w.Tick())
        node._background(node._offer())
        node._background(node.vip.run())
        if node.keeper.repaired:
            node.guards.happened("store-repaired", node.keeper.repaired)
        for note in shop.sandbox.notes:
            node.guards.happened("sandbox", note)
        node._background(node.guards.run())
        node._background(node.votes.run())
        owner = Owner(settings.node.name, identity.boots)
        node._background(Sweeper(owner, shop.volumes, node.machine.worker, node.attempts).run())
        node._background(remove_old_logs(shop.logs, settings.retention.logs_seconds))
        return node

    async def run(self) -> None:
        """Until cancelled; raises `NodeStopped` when the core wants the process to end."""
        try:
            await self.runtime.run()
        except OSError as error:
            if is_failed(error):
                await self._save_identity(ae.SaveIdentity(self._incarnation, Mark.SUSPECT))
            raise

    async def take_leave(self) -> None:
        """Before an orderly stop: let a secondary lead, so that clients wait for a moment only, and give the work that
        runs here back, so that others begin it at once. Bounded."""
        await self._hand_over()
        self.runtime.post(w.Leaving())
        end = self.clock.mono() + LEAVE_PATIENCE
        while not self.machine.worker.has_left and self.clock.mono() < end:  # noqa: ASYNC110 (the core tells nobody)
            await asyncio.sleep(0.05)

    async def _hand_over(self) -> None:
        if not self.serving.is_set() or not self.machine.array.status().secondaries:
            return
        try:
            await self.requests.ask(lambda number: av.SwitchOver(number), HAND_OVER_PATIENCE)
        except FaError as error:
            log.warning("the lead could not be handed over: %s", error)

    async def stop(self) -> None:
        """In order: answer nobody any more, kill what runs, close the store. Who waits for a volume that hangs is left
        behind: its parts are swept up later, the store is not."""
        if self._server:
            await self._server.quiet()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.links.close()
        if self._server:
            await self._server.stop()
        await _for_a_while(self.voters.close(), self.attempts.close(), self.monitors.close())
        self._shop.sandbox.close()
        await _for_a_while(self._shop.volumes.stop())
        await self.keeper.close()
        self.disk.close()
        self._disk.shutdown()

    def _make_keeper(self) -> Keeper:
        settings, place = self.settings, self.place
        store = StorePlace(
            place.store / "fa.db", place.replica, settings.array.id, settings.node.name, settings.node.index,
            settings.retention.history_seconds,
        )  # fmt: skip
        fetcher = Fetcher(settings.array.id, self._context, self.links.address)
        return Keeper(
            store, self.clock, self.runtime.post, self._store_opened, self._store_closed, fetcher.fetch, self.disk
        )

    def _make_links(self) -> Links:
        settings = self.settings
        return Links(
            array_id=settings.array.id,
            name=settings.node.name,
            index=settings.node.index,
            context=self._context,
            post=self.runtime.post,
            hello=self.machine.array.hello,
            arrived=lambda append, envelope, ltx: self.keeper.arrived(append, envelope, ltx),
            refused=lambda text: self.guards.happened("link-refused", text),
            on_roster=lambda peer, roster: self.membership.told(peer, roster),
        )

    async def _open_store(self, identity: Identity) -> av.Started:
        """Recover this node's copy; one that proves damaged is not believed any more and is fetched anew."""
        links: tuple[Any, ...] = ()
        try:
            links = await self.keeper.open()
        except CopyError as error:
            log.error("%s", error)
            identity = Identity(identity.incarnation, identity.boots, Mark.SUSPECT)
            self._votes.save_identity(identity)
        return self._votes.started(identity, links)

    # --- who carries out which effect ---

    def _routes(self) -> dict[type, Any]:
        return self._array_routes() | self._work_routes() | self.monitors.routes() | questions(self.keeper.query)

    def _array_routes(self) -> dict[type, Any]:
        keeper = self.keeper
        return {
            ae.SaveBallot: lambda effect: self._durably(self._votes.save_ballot, effect.ballot),
            ae.SaveIdentity: self._save_identity,
            ae.SaveMarks: lambda effect: self._durably(self._votes.save_marks, effect.marks),
            ae.SaveUnproven: lambda effect: self._durably(self._votes.save_unproven, effect.unproven),
            ae.Lead: keeper.lead,
            ae.Serve: self._serve,
            ae.Follow: lambda effect: None,
            ae.StepDown: self._step_down,
            ae.Freeze: keeper.freeze,
            ae.Thaw: keeper.thaw,
            ae.Stale: self.guards.stale,
            ae.Acknowledge: keeper.acknowledge,
            ae.Send: lambda effect: self.links.send(effect.peer, effect.message),
            ae.Ship: self._ship,
            ae.RefuseLink: self._refuse_link,
            ae.Answered: self.requests.answered,
            ae.BarrierPassed: self.requests.passed,
            ae.BarrierFailed: self.requests.failed,
            ae.StoreSegment: keeper.store_segment,
            ae.FetchCopy: keeper.fetch_copy,
            ae.WitnessCall: self.voters.call,
            ae.Apply: keeper.apply,
            ae.Rewind: keeper.rewind,
            ae.TakeVip: lambda effect: self.vip.take(),
            ae.DropVip: lambda effect: self.vip.drop(),
            ae.Alarm: self.guards.alarm,
            ae.Exit: self._exit,
        }

    def _work_routes(self) -> dict[type, Any]:
        keeper, attempts = self.keeper, self.attempts
        return {
            w.Commit: keeper.commit,
            w.Withdraw: keeper.withdraw,
            w.Answer: self.answers.answer,
            w.Tell: self._tell,
            w.LoadActive: lambda effect: keeper.query(load_active, lambda loaded: loaded),
            w.StartAttempt: attempts.start,
            w.StopAttempt: attempts.stop,
            w.Publish: attempts.publish,
            w.Discard: attempts.discard,
            w.KeepReport: self._reports.keep,
            w.DropReport: self._reports.drop,
        }

    async def _save_identity(self, effect: ae.SaveIdentity) -> None:
        self._incarnation = effect.incarnation
        await self._durably(
            self._votes.save_identity, Identity(effect.incarnation, self._boots, effect.mark, effect.replaced)
        )

    async def _durably(self, save: Callable[[Any], None], value: Any) -> None:
        """In a thread of its own: a volume that hangs may hold all those that asyncio shares, and no vote waits."""
        await asyncio.get_running_loop().run_in_executor(self._disk, save, value)

    async def _serve(self, effect: ae.Serve) -> None:
        await self.keeper.serve(effect)
        self.hub.begin_epoch(effect.epoch)
        self.keeper.circumstances.led()
        self.serving.set()
        self.window.forget_standing()
        self._background(self._lead())

    def _step_down(self, effect: ae.StepDown) -> None:
        self.serving.clear()
        self.window.forget_standing()
        self.answers.deposed()
        self.keeper.step_down(effect)

    def _ship(self, effect: ae.Ship) -> None:
        payload = payload_of(self.keeper.segment(effect.append))
        if payload is None:
            self.runtime.post(av.SegmentMissing(effect.peer))
        else:
            self.links.send(effect.peer, effect.append, payload)

    def _refuse_link(self, effect: ae.RefuseLink) -> None:
        log.warning("the link to %s is refused: %s", effect.peer, effect.reason)
        self.links.drop(effect.peer, effect.reason)

    def _exit(self, effect: ae.Exit) -> None:
        raise NodeStopped(effect.reason)

    def _tell(self, effect: w.Tell) -> None:
        if effect.node == self.settings.node.name:
            self.runtime.post(w.Told(effect.node, effect.message))
        else:
            self.links.send(effect.node, effect.message)

    def _watch(self, event: Any) -> None:
        """After each step: tell watchers what was acknowledged, nodes who their fellows are, and people of troubles."""
        if not isinstance(event, _NOT_OF_THE_ARRAY):
            self.window.forget_standing()
        tell_watchers(self.hub, event)
        self.keeper.circumstances.saw(event, self.clock.mono())
        self.membership.saw(event)
        self.guards.saw(event)

    async def _store_opened(self, database: Path) -> None:
        if self.window.store is None:
            self.window.store = await Readers.open(database, self._may_show)
            self.window.forget_standing()

    async def _may_show(self, txid: int) -> None:
        """Hold a read back until what it saw is acknowledged, and until it is certain that nobody else leads (R11)."""
        await self.keeper.gates.wait(txid)
        await self.requests.ask(av.ReadBarrier, READ_PATIENCE)

    async def _store_closed(self) -> None:
        store, self.window.store = self.window.store, None
        self.window.forget_standing()
        if store:
            await store.close()

    async def _lead(self) -> None:
        """What a coordinator owes the store as it begins; tried until it is done, or another one leads."""
        while self.serving.is_set():
            try:
                await self.membership.lead()
                return
            except FaError as error:
                log.warning("this node is not entered yet: %s", error)
                await asyncio.sleep(LEAD_AGAIN)

    # --- what this node offers ---

    async def _offer(self) -> None:
        """Prove what this node can do and say so, and again whenever a volume changes or more is asked for."""
        await self._shop.volumes.start(self._say_offer)
        if self.settings.node.kind == "witness":
            self._say_offer()
        else:
            await self._proofs.run()

    def _say_offer(self) -> None:
        proofs, volumes = self._proofs, self._shop.volumes.status()
        if self.settings.node.kind == "witness":
            self.runtime.post(offer_of(self.settings, frozenset(), frozenset(), volumes))
        elif proofs.held is not None and proofs.failed is not None:
            self.runtime.post(offer_of(self.settings, proofs.held, proofs.failed, volumes))

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._background_done)

    def _background_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (trouble := task.exception()):
            log.error("background work of this node failed", exc_info=trouble)


async def _for_a_while(*endings: Coroutine[Any, Any, None]) -> None:
    _, left = await asyncio.wait([asyncio.create_task(ending) for ending in endings], timeout=VOLUME_PATIENCE)
    if left:
        log.warning("a volume hangs: what waits for it is left behind")
