"""All that watches over a node while it runs, and tells people: room on disks, the certificate, the clock, the virtual
address, what the array core is alarmed about; and who sends the notices of it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fa.core import alarms as a
from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.core import work as w
from fa.core.ledger import Outcome
from fa.core.outlook import SOLO_AFTER, Space, solo
from fa.core.work_messages import VolumeHealth
from fa.errors import Unavailable
from fa.node import certificates
from fa.node.authority import TlsFiles, identity_in
from fa.node.certificates import Certificates, Signed, Wanted
from fa.node.helper import Helper, helper_command
from fa.node.news import Changes
from fa.node.postman import Postman
from fa.node.room import Room
from fa.node.settings import StateDir
from fa.node.teller import Coordinator, Teller
from fa.node.troubles import TroubleBook
from fa.node.upstairs import Upstairs
from fa.node.vip import VirtualIp
from fa.node.window import Window
from fa.replication.writer import Writer
from fa.store.readers import Readers

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5  # seconds between looks at who is there and how the mirror stands
AGAIN_AFTER = 10.0  # seconds until a guard that failed begins again
STALLED_FOR = 5.0  # seconds without a majority that are worth a word when they are over
ELSEWHERE = frozenset({"solo", "take-over", "store-full"})  # alarms of the core that are told by other means


class Guards:
    def __init__(self, place: StateDir, window: Window, vip: VirtualIp, boots: int, context: ssl.SSLContext) -> None:
        self._window = window
        self._vip = vip
        self._boots = boots
        self._stale_since: float | None = None
        self._alone_since: float | None = None
        self.contexts: list[ssl.SSLContext] = [context]
        settings, clock = window.settings, window.clock
        self._node = TroubleBook(f"node/{settings.node.name}", clock.mono)
        self._array = TroubleBook(a.ARRAY, clock.mono)
        self._array.changed = self._node.changed  # one teller brings both
        self._upstairs = Upstairs(settings.array.id, context)
        self._teller = Teller(self._node, self._array, clock, self._upstairs, self._coordinator, window.ask)
        self._files = TlsFiles(place.tls)
        self._certificates = Certificates(self._files, lambda: self.contexts, self._sign, self._node)
        space = Space(settings.alerts.disk_low_percent)
        self._room = Room(place.root, space, self._node, self._array, self._volumes, self._log_bytes)
        sender = Helper(helper_command("notify"))
        name = (settings.array.name, settings.array.id)
        self._postman = Postman(settings.alerts, name, self._store, window.ask, clock, sender)
        self._changes = Changes(window.hub)

    async def run(self) -> None:
        """Until cancelled."""
        loops = (self._look_around, self._teller.run, self._certificates.run, self._room.run, self._postman.run)
        async with asyncio.TaskGroup() as group:
            for loop in loops:
                group.create_task(_for_ever(loop))

    # --- what this node sees ---

    def saw(self, event: Any) -> None:
        """Every event of the core, after its step."""
        match event:
            case w.Carried(_, Outcome(_, facts)) if any(isinstance(fact, a.NoticeWritten) for fact in facts):
                self._postman.wake.set()
            case av.StoreFull(full):
                self._room.filled(full)
            case av.SegmentRefused(position, reason):
                self.happened("segment-refused", f"a segment was refused at {position}: {reason}")
            case _:
                pass

    def happened(self, kind: str, text: str) -> None:
        """To this node."""
        self._node.happened(kind, text, self._boots)

    def votes(self, troubles: list[a.Trouble]) -> None:
        """All votes on volumes of this node that could not be cast."""
        self._node.stands("votes", troubles)

    def alarm(self, effect: ae.Alarm) -> None:
        """What the array core has to say to people. Who leaves the in-sync set is the array's trouble, not a node's."""
        log.log(logging.INFO if effect.kind in ELSEWHERE else logging.WARNING, "%s: %s", effect.kind, effect.text)
        if effect.kind == "member-dropped":
            self._array.happened(effect.kind, effect.text, self._window.machine.array.status().epoch)
        elif effect.kind not in ELSEWHERE:
            self.happened(effect.kind, effect.text)

    def stale(self, effect: ae.Stale) -> None:
        """Without a majority nothing can be written down: it is told when it is over."""
        now = self._window.clock.mono()
        since, self._stale_since = self._stale_since, now if effect.stale else None
        if not effect.stale and since is not None and now - since >= STALLED_FOR:
            text = f"no majority of the voters answered for {now - since:.0f} s; the array took nothing meanwhile"
            self._array.happened("stalled", text, self._window.machine.array.status().epoch)

    async def _look_around(self) -> None:
        while True:
            if self._store() is None:
                self._changes.forget()
                self._alone_since = None
            else:
                self._changes.look(self._window.nodes(), self._window.standing())
                self._look_at_copies()
            trouble = self._vip.trouble
            self._node.stands("vip", [a.Trouble("vip.trouble", self._node.scope, trouble)] if trouble else ())
            await asyncio.sleep(LOOK_EVERY)

    def _look_at_copies(self) -> None:
        now, status = self._window.clock.mono(), self._window.machine.array.status()
        if not self._window.settings.array.mirrors or status.mirror == "stalled":
            return
        able = [entry.name for entry in self._window.roster() if entry.kind == "data"]
        learners = [copy.node for copy in status.copies if copy.learning]
        trouble = solo(status.coordinator, status.secondaries, learners, able)
        if trouble is None:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        patience = SOLO_AFTER if len(able) > 1 else 0.0
        lasts = self._alone_since is not None and now - self._alone_since >= patience
        if trouble is None or lasts:
            self._array.stands("copies", [trouble] if trouble else ())

    # --- whom it concerns ---

    def _store(self) -> Readers | None:
        """While this node leads."""
        return self._window.store if self._window.serving.is_set() else None

    def _coordinator(self) -> Coordinator | None:
        standing = self._window.standing()
        if standing.coordinator is None:
            return None
        mine = standing.coordinator == standing.node
        if mine and not standing.leading:
            return None
        url = standing.coordinator_url
        return Coordinator(standing.coordinator, url, standing.epoch, mine) if url else None

    def _volumes(self) -> Iterable[VolumeHealth]:
        if self._store() is None:
            return ()
        return [v for member in self._window.machine.dispatcher.members if member.offer for v in member.offer.volumes]

    def _log_bytes(self) -> int:
        """Of what is not in the database file yet, while this node leads."""
        try:
            held = self._window.keeper.held
        except Unavailable:
            return 0
        if not isinstance(held, Writer) or held.checkpointed == held.position.txid:
            return 0
        return held.wal_bytes

    async def _sign(self, request: str) -> str:
        """By this node while it leads, else by who does. Raises `Unavailable`, `Refused`."""
        whom = self._coordinator()
        if whom is None:
            raise Unavailable
        if whom.mine:
            me = identity_in(self._files.node.read_bytes())
            return self._window.renew(me, request)
        answer = await self._upstairs.post(whom.node, whom.address, certificates.PATH, Wanted(request), Signed)
        return answer.certificate


async def _for_ever(loop: Callable[[], Awaitable[None]]) -> None:
    """One guard that fails must not leave the node without the others, nor without itself for long."""
    while True:
        try:
            await loop()
        except Exception:
            log.exception("a guard of this node failed; it begins again")
        await asyncio.sleep(AGAIN_AFTER)
