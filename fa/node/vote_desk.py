"""The votes that lie on volumes: whether each could be cast now, who is told when it could not, and how a volume is
given its vote, or a fresh one.

A volume answers nodes only when they ask, and is asked for its vote when a coordinator is gone: too late to find out
that its records are. So every node that has the volume looks now and then whether it could vote."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

from fa.core import array_events as av
from fa.core.alarms import Trouble
from fa.core.array import Array
from fa.core.view import VOLUME_PREFIX, VOTERS_MAX, Member, on_volume
from fa.core.work_messages import VolumeHealth
from fa.errors import Conflict, FaError, NotFound, Unavailable
from fa.node.helper import HelperEnded
from fa.node.requests import ArrayRequests
from fa.node.settings import Settings
from fa.node.volume_vote import NoVote
from fa.node.witness import VolumeVoters

log = logging.getLogger(__name__)

LOOK_EVERY = 10.0  # seconds
LOOK_AGAIN = 2.0  # while something is wrong
WRONG_LOOKS = 3  # until it is told: a volume that goes away as a whole is seen, and told, by others by then
PATIENCE = 30.0  # seconds until the voters have agreed


class VoteDesk:
    """`health`: how this node sees its volumes; `tell`: given all that is wrong, each time it looks."""

    def __init__(
        self,
        settings: Settings,
        array: Array,
        voters: VolumeVoters,
        requests: ArrayRequests,
        health: Callable[[], Iterable[VolumeHealth]],
    ) -> None:
        self._settings = settings
        self._array = array
        self._voters = voters
        self._requests = requests
        self._health = health
        self.tell: Callable[[list[Trouble]], None] = lambda troubles: None
        self._wrong: dict[str, tuple[int, str]] = {}  # by volume: how many looks in a row said so, and why

    @property
    def ill(self) -> dict[str, str]:
        """The volumes whose votes cannot be cast, and why."""
        return {name: why for name, (looks, why) in self._wrong.items() if looks >= WRONG_LOOKS}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._voters.refused.clear()
            await self.look()
            if self._array.status().serving:
                await self._enrol_or_say()
            await self._wait(LOOK_AGAIN if self._wrong else LOOK_EVERY)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._voters.refused.wait()
        except TimeoutError:
            return
        await asyncio.sleep(LOOK_AGAIN)  # who is refused a vote is refused it again and again

    async def look(self) -> None:
        """At each vote on a volume of this node."""
        wrong = {}
        for voter in self._array.status().votes:
            name = voter.node.removeprefix(VOLUME_PREFIX)
            if on_volume(voter.node) and name in self._voters.volumes and (why := await self._look(name, voter)):
                wrong[name] = (self._wrong.get(name, (0, ""))[0] + 1, why)
        self._wrong = wrong
        scope = f"node/{self._settings.node.name}"
        self.tell([Trouble("vote.ill", f"{scope}/{name}", _advice(name, why)) for name, why in self.ill.items()])

    async def _look(self, name: str, voter: Member) -> str:
        """Why it gives no vote, as a sentence. Nothing is said of a volume that is ill as a whole: that is told."""
        if any(volume.name == name and volume.state != "healthy" for volume in self._health()):
            return ""
        try:
            found = await self._voters.look(name)
        except NoVote as error:
            return error.detail
        except (TimeoutError, HelperEnded, Unavailable):
            return self._wrong.get(name, (0, ""))[1]
        if found == voter.incarnation:
            return ""
        return f"The vote records of volume {name} are not those of the voter that was admitted."

    # --- who leads gives votes ---

    async def enrol_witness(self) -> None:
        """Give a vote to the volume that `fa.toml` names, where it has none. Raises `Invalid`, `Unavailable`."""
        witness, voters = self._settings.array.witness, self._array.status().voters
        if not on_volume(witness) or witness in voters or len(voters) >= VOTERS_MAX:
            return
        member = Member(witness, await self._voters.enrol(witness.removeprefix(VOLUME_PREFIX)))
        self._requests.wish(lambda number: av.AddNode(number, member, votes=True))

    async def _enrol_or_say(self) -> None:
        try:
            await self.enrol_witness()
        except FaError as error:
            log.warning("the witness has no vote yet: %s", error)

    async def remove(self, voter: str) -> None:
        """Take its vote from a volume; one that `fa.toml` of the coordinator names is enrolled again, as another voter.
        Raises `NotFound`, `Conflict`, `Unavailable`."""
        self._known(voter)
        await self._requests.ask(lambda number: av.RemoveNode(number, voter), PATIENCE)
        with contextlib.suppress(FaError):  # nobody counts the old one any more, and somebody may doubt it
            await self._voters.renew(voter.removeprefix(VOLUME_PREFIX))
        self._voters.refused.set()

    async def renew(self, voter: str) -> None:
        """Put a new voter, on the same volume, in the place of one whose records were lost, in one change. Raises
        `NotFound`, `Invalid`, `Conflict`, `Unavailable`."""
        self._known(voter)
        self.check_spare(voter, "Bring another voter back first: the old vote ends before the new one counts.")
        member = Member(voter, await self._voters.renew(voter.removeprefix(VOLUME_PREFIX)))
        await self._requests.ask(lambda number: av.ReplaceVoter(number, voter, member), PATIENCE)
        self._voters.refused.set()

    def check_spare(self, voter: str, hint: str) -> None:
        """Raises `Conflict` when this node or volume has a vote, and without it no majority answers."""
        status = self._array.status()
        if voter in status.voters and voter not in status.spare:
            raise Conflict(f"Without {voter} no majority of the voters answers now.", hint=hint)

    def _known(self, voter: str) -> None:
        if voter not in self._array.status().voters:
            raise NotFound(f"{voter} has no vote.", hint="`fa mirror status` lists the voters.")


def _advice(name: str, why: str) -> str:
    return (
        f"{why} Losing a server may stop the array: repair the volume, or give it a fresh vote: fa volume vote {name}"
    )
