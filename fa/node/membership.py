"""Who belongs to the array, as this node knows it: the coordinator tells, everybody keeps it and dials by it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Set
from typing import Any

from fa.core import array_events as av
from fa.core import work as w
from fa.core.array import Array
from fa.core.commands import PutNode
from fa.core.ledger import Outcome
from fa.core.model import FactoryVersion, NodeMode, NodeRow
from fa.core.view import VOTERS_MAX, Member
from fa.node.disk import is_full
from fa.node.links import Links
from fa.node.requests import ArrayRequests
from fa.node.roster import RosterFile
from fa.node.settings import Settings
from fa.node.vote_desk import VoteDesk
from fa.node.wanted import wanted_by, wanted_by_all
from fa.node.window import Window
from fa.node.wire import Roster, RosterEntry

log = logging.getLogger(__name__)


class Membership:
    def __init__(
        self,
        settings: Settings,
        array: Array,
        window: Window,
        links: Links,
        requests: ArrayRequests,
        votes: VoteDesk,
        file: RosterFile,
        want: Callable[[tuple[str, ...]], None],
    ) -> None:
        """`want` is told the encoders and filters that the array's factories ask for."""
        self._settings = settings
        self._array = array
        self._window = window
        self._links = links
        self._requests = requests
        self._votes = votes
        self._file = file
        self._want = want
        self._wanted = frozenset[str]()
        self._epoch = 0
        self._members: dict[str, RosterEntry] = {}
        self._saved: dict[str, RosterEntry] = {}
        self._incarnations: dict[str, str] = {}  # of the disks of those that were linked

    def begin(self) -> None:
        """As it was before the last stop."""
        self._members = self._saved = self._file.load()
        self._links.know(self._members)

    def saw(self, event: Any) -> None:
        """After each step of the coordinator: tell the nodes who their fellows are, when that changed."""
        row = event.result.value if isinstance(event, w.Carried) and isinstance(event.result, Outcome) else None
        if isinstance(row, NodeRow) and row.removed_at is not None:
            self._strike(row.name)
        changed = isinstance(event, w.ActiveLoaded) or isinstance(row, NodeRow)
        came = event.peer if isinstance(event, av.LinkUp) else ""
        if isinstance(event, av.LinkUp) and self._array.is_up(came):  # not refused, as one of another version is
            self._incarnations[came] = event.hello.incarnation
        if isinstance(row, FactoryVersion) and not (words := wanted_by(row)) <= self._wanted:
            self._wanted |= words
            changed = True
        if changed or (came and self._window.serving.is_set()):
            self._tell()
            self._give_votes()

    def _tell(self) -> None:
        members = self._window.roster()
        if members:
            members = (*members, *self._leaving({entry.name for entry in members}))
            roster = Roster(self._array.status().epoch, members, tuple(sorted(self._wanted)))
            self._adopt(roster)
            self._links.send_all(roster)

    def _leaving(self, members: Set[str]) -> list[RosterEntry]:
        """Who was removed and still votes, or is still needed as a copy: it keeps its link until it is replaced, for
        its own word may be asked for that."""
        status = self._array.status()
        needed = {*status.voters, *status.settled, *status.in_sync} - members
        return [entry for name, entry in sorted(self._members.items()) if name in needed]

    def told(self, peer: str, roster: Roster) -> None:
        """Only the coordinator tells, and nobody listens to an older one."""
        if roster.epoch >= self._epoch and peer == self._array.status().coordinator:
            self._adopt(roster)

    def _adopt(self, roster: Roster) -> None:
        members = {entry.name: entry for entry in roster.members}
        self._epoch = roster.epoch
        self._want(roster.wanted)
        if members != self._members:
            self._members = members
            self._links.know(members)
        if members != self._saved:
            self._save(members)

    def _save(self, members: dict[str, RosterEntry]) -> None:
        """On a full disk with the next telling: the links are what matters until the next start."""
        try:
            self._file.save(members)
            self._saved = members
        except OSError as error:
            if not is_full(error):
                raise
            log.warning("the list of members could not be saved: %s", error)

    def _strike(self, node: str) -> None:
        """Take its vote and its copy, then its link; what the coordinator cannot finish, the next one begins again."""
        self._requests.wish(lambda number: av.RemoveNode(number, node), self._tell)

    def _give_votes(self) -> None:
        """To members that have none yet and have come, as long as there is room. A server that was let in and never
        came gets none: a vote that is never cast makes a majority harder to reach."""
        voters = self._array.status().voters
        for entry in self._window.roster():
            incarnation = self._incarnations.get(entry.name)
            if entry.name in voters or incarnation is None or len(voters) >= VOTERS_MAX:
                continue
            voters = (*voters, entry.name)
            self._add(Member(entry.name, incarnation))

    def _add(self, member: Member) -> None:
        self._requests.wish(lambda number: av.AddNode(number, member, votes=True))

    # --- when this node begins to lead ---

    async def lead(self) -> None:
        """Enter this node into the list when it is not there, or moved; finish what an earlier coordinator began."""
        node, now = self._settings.node, self._window.clock.wall()
        rows = {row.name: row for row in await self._window.readers.nodes()}
        known = rows.get(node.name)
        if known is None or known.address != node.url:
            mode = known.mode if known else NodeMode.UP
            row = NodeRow(node.name, mode, node.url, now, index=node.index)
            await self._window.ask(PutNode(row, now, f"node:{node.name}"))
        for voter in self._array.status().voters:
            if voter in rows and rows[voter].removed_at is not None:
                self._strike(voter)
        await self._votes.enrol_witness()
        self._give_votes()
        self._wanted |= await wanted_by_all(self._window.readers)
        self._tell()
