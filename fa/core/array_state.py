"""What one node knows about its array, shared by the machines that decide; and the list of effects they write.

Everything durable goes through here, so that the order *save, then say* is kept in one place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from fa.core.array_chain import Chain
from fa.core.array_effects import Alarm, Effect, SaveBallot, SaveIdentity, SaveUnproven, Send, WitnessCall
from fa.core.array_messages import Append, Greet, Hello, Message, Unproven
from fa.core.array_roles import Role, Step, after
from fa.core.position import EMPTY
from fa.core.trust import Mark, Memory
from fa.core.view import Ballot, Member, View, Voters, everyone, has_quorum, newest, on_volume

PROTOCOL = 1


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one node. Times in seconds; the defaults are DESIGN.md section 3's."""

    array_id: str
    node: str
    index: int
    """Unique in the array for ever, below ``EPOCH_STRIDE``: it makes this node's epochs its own."""
    run: str
    """Different at every start of the process."""
    kind: str = "data"
    rank: int = 0
    """The higher stands first; equal ranks by name. Before ranks: who knows only an older schema."""
    schema: int = 0
    """The newest schema of the job store that this program can work with."""
    mirror: bool = True
    """May be given a copy of the store. Who has one keeps it as long as the array does."""
    mirrors: int = 1
    min_insync: int = 1
    heartbeat: float = 0.5
    suspect_after: float = 2.0
    slow_after: float = 5.0
    readmit_after: float = 10.0
    witness_timeout: float = 5.0
    ship_window: int = 64


@dataclass(slots=True)
class Peer:
    """Another node, as its last ``Hello`` described it."""

    name: str
    incarnation: str = ""
    kind: str = ""
    rank: int = 0
    run: str = ""
    up: bool = False
    up_at: float = 0.0
    schema: int = 0
    mirror: bool = True

    @property
    def member(self) -> Member:
        return Member(self.name, self.incarnation)


class State:
    """The facts. ``ballot`` is what is durable; assign it only through ``save``."""

    __slots__ = (
        "acked", "alone_at", "ballot", "boots", "busy", "call", "calls", "chain", "closed",
        "config", "copy", "effects", "full", "mark", "me", "memory", "now", "peers",
        "pending", "replaced", "rng", "role", "schema", "seen", "shunned", "stalled", "told",
        "trusted", "unproven", "why",
    )  # fmt: skip

    def __init__(self, config: Config, rng: Random) -> None:
        self.config = config
        self.rng = rng
        self.now = 0.0
        self.effects: list[Effect] = []
        self.me = Member(config.node, "")
        self.mark = Mark.RESYNCING
        self.boots = 0
        self.unproven = Unproven(0, 0)
        self.ballot = Ballot()
        self.chain = Chain()
        self.memory = Memory()
        self.peers: dict[str, Peer] = {}
        self.replaced = 0
        """The epoch in which the copy was last thrown away, as the coordinator told this node to."""
        self.acked = EMPTY
        """The highest position known to be acknowledged and to be on this chain."""
        self.pending: list[Append] = []
        """Segments that the shell is storing, in order; they are not on the chain yet."""
        self.schema = 0
        """Of the copy on this node."""
        self.full = False
        self.stalled = False
        self.copy = 0
        self.busy = ""
        """What the shell is doing to the store so that no segment may be taken now; empty: nothing."""
        self.role = Role.WAITING
        self.seen = 0
        self.trusted = False
        self.told: View | None = None
        """The newest view that a peer told while this disk was not believed: those who voted in an older one may be
        gone for ever."""
        self.closed: View | None = None
        """The newest view that was heard of in which no change of voters is open."""
        self.alone_at = 0.0
        """When this disk may be believed without anybody's word; see ``believe_alone``."""
        self.shunned: dict[str, str] = {}
        """The peers that are there and do not take this node, with what they said, until there is a link to them."""
        self.why = "this node has just started"
        self.call = 0
        self.calls: dict[int, tuple[str, float]] = {}

    @property
    def view(self) -> View | None:
        """The newest view this node accepted."""
        return self.ballot.accepted

    def note(self, views: Iterable[View | None]) -> None:
        """Keep the newest of them that is closed: that it was ever proposed shows that the change before it was chosen.
        An open one binds only whoever asks for votes just now; perhaps nobody accepted it but he who told of it."""
        self.closed = newest((self.closed, *(view for view in views if view and view.is_closed)))

    def learn(self, views: Iterable[View | None]) -> View:
        """The newest of these views, which others accepted, and of what this node knows."""
        found = tuple(views)
        self.note(found)
        view = newest((self.view, self.closed, *found))
        assert view is not None, "a node that asks or proposes has a view"
        return view

    def deciding(self, known: View) -> tuple[Voters, ...]:
        """The sets of voters of which a majority each must agree before there is another view (R12)."""
        return known.quorums()

    @property
    def usable(self) -> bool:
        """May this copy vote, stand and be written to?"""
        return self.mark is Mark.OK

    @property
    def votes(self) -> bool:
        """Only a believed disk votes (R8). That its copy is being replaced does not matter: the ballot is apart."""
        return self.trusted and self.mark is not Mark.SUSPECT

    def take(self, step: Step) -> None:
        self.role = after(self.role, step)

    def emit(self, effect: Effect) -> None:
        self.effects.append(effect)

    def disown(self, reason: str) -> None:
        """Stop believing this disk: from now on it is another member, which waits for a whole copy (R8).

        A witness has no copy to wait for: it only has to be admitted again.
        """
        self._become_another()
        self.mark = Mark.OK if self.config.kind == "witness" else Mark.SUSPECT
        self.acked = EMPTY
        self.why = reason
        self.save_identity()
        self.unproven = Unproven(self.boots, self.ballot.epoch, (self.config.run,))
        self.emit(SaveUnproven(self.unproven))
        self.emit(
            Alarm(
                "copy-disowned", f"{self.me.node} no longer believes its disk: {reason}. It comes back as a new member."
            )
        )

    def believe_as_told(self) -> None:
        """An operator forces this node: its copy counts from now on, and its vote. As those of another member, who has
        voted in nothing, so that it breaks no promise; and of whom no peer remembers what is lost now (R8).
        """
        self._become_another()
        self.mark = Mark.OK
        self.save_identity()
        self.believe()

    def _become_another(self) -> None:
        self.me = Member(self.me.node, f"{self.rng.getrandbits(64):016x}")
        self.replaced = 0

    def save_identity(self) -> None:
        self.emit(SaveIdentity(self.me.incarnation, self.mark, self.replaced))

    def save(self, ballot: Ballot) -> None:
        """Make the ballot durable before anything that follows is said (R4)."""
        if ballot != self.ballot:
            self.ballot = ballot
            self.effects.append(SaveBallot(ballot))

    def send(self, peer: str, message: Message) -> None:
        """To a node over its link, or to the record chain of a volume through the helper."""
        if on_volume(peer):
            self._forget_late_calls()
            self.call += 1
            self.calls[self.call] = (peer, self.now)
            self.effects.append(WitnessCall(peer, self.call, message))
        else:
            self.effects.append(Send(peer, message))

    def _forget_late_calls(self) -> None:
        """An answer after ``witness_timeout`` is void anyway (R13)."""
        late = [call for call, (_, at) in self.calls.items() if self.now - at > self.config.witness_timeout]
        for call in late:
            del self.calls[call]

    def send_each(self, members: Voters, message: Message) -> None:
        for member in members:
            if member.node != self.me.node:
                self.send(member.node, message)

    def greeting(self) -> Greet:
        return Greet(self.me.incarnation, self.config.run, self.boots, self.chain.end.txid, self.unproven)

    def greet(self) -> None:
        """Ask everybody this disk knows of what they remember of it (R8)."""
        views = [view for view in (self.view, self.told) if view is not None]
        members = everyone(each for view in views for each in (view.voters, view.prev, view.in_sync))
        self.send_each(members, self.greeting())

    def believe_alone(self) -> None:
        """Believe this disk without anybody's word, when its own vote decides and those it knows of had time to
        object (R8). Who is not let in somewhere could not be told what speaks against it: it may be a clone.
        """
        alone = self.view is None or has_quorum(self.view.quorums(), {self.me})
        if alone and not self.trusted and not self.shunned and self.now >= self.alone_at:
            self.believe()

    def believe(self) -> None:
        """Nothing speaks against this disk: it may vote and stand."""
        self.trusted = True
        self.emit(SaveUnproven(None))

    def hello(self) -> Hello:
        config, me = self.config, self.me
        return Hello(
            config.array_id,
            me.node,
            me.incarnation,
            config.kind,
            config.rank,
            self.boots,
            config.run,
            PROTOCOL,
            config.schema,
            config.mirror,
        )

    def is_up(self, node: str) -> bool:
        peer = self.peers.get(node)
        return node == self.me.node or (peer is not None and peer.up)

    @property
    def too_new(self) -> str:
        """Why this program cannot lead with the copy on this node, in words; empty: it can."""
        if self.schema <= self.config.schema:
            return ""
        known = f"it has schema {self.schema}, this fa knows {self.config.schema}"
        return f"the job store was written by a newer fa ({known}): install that on this node"

    def outranks(self, left: str, right: str) -> bool:
        """Bully order: does ``left`` stand before ``right``?"""
        return self.precedence(left) < self.precedence(right)

    def precedence(self, node: str) -> tuple[int, int, str]:
        """Sort by it: first who knows only an older schema, for once the newest node has led, that one no longer can
        (scenario 16)."""
        peer = self.peers.get(node) or Peer(node)
        rank, schema = (self.config.rank, self.config.schema) if node == self.me.node else (peer.rank, peer.schema)
        return schema, -rank, node
