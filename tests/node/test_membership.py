"""Who belongs to the array: what becomes of a member that was removed, whoever leads meanwhile."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.core import commands as c
from fa.core import work as w
from fa.core.array_messages import Hello
from fa.core.ledger import Outcome
from fa.core.model import FactoryVersion, Group, NodeMode, NodeRow
from fa.core.position import EMPTY
from fa.core.view import Member
from fa.node.membership import Membership
from fa.node.requests import ArrayRequests
from fa.node.roster import RosterFile
from fa.node.settings import Array, Node, Settings
from fa.node.wire import Roster, RosterEntry


def row(name: str, removed: int | None = None, address: str = "") -> NodeRow:
    return NodeRow(name, NodeMode.UP, address or f"https://127.0.0.1:{ord(name)}", 1, removed, ord(name))


class Site:
    """Node a, with what its membership talks to."""

    def __init__(self, root: Path, *rows: NodeRow, voters: tuple[str, ...] = ()) -> None:
        self.posted: list[Any] = []
        self.refused: set[str] = set()
        self.asked: list[Any] = []
        self.sent: list[Roster] = []
        self.known: list[dict[str, RosterEntry]] = []
        self.wanted: list[tuple[str, ...]] = []
        self.recipes: tuple[FactoryVersion, ...] = ()
        self.rows = rows
        self.serving = True
        listen = "127.0.0.1:97"
        self.settings = Settings(Array("test", "1"), Node("a", listen))
        self.status = SimpleNamespace(voters=voters, settled=voters, in_sync=("a",), epoch=7, coordinator="a")
        array: Any = SimpleNamespace(status=lambda: self.status, is_up=lambda name: name not in self.refused)
        links: Any = SimpleNamespace(know=self.known.append, send_all=self.sent.append)
        window: Any = SimpleNamespace(
            roster=self._roster, readers=self, ask=self._ask, serving=SimpleNamespace(is_set=lambda: self.serving),
            clock=SimpleNamespace(wall=lambda: 5),
        )  # fmt: skip
        votes: Any = SimpleNamespace(enrol_witness=self._enrol_witness)
        self.enrolled = 0
        self.file = RosterFile(root / "roster.json")
        self.requests = ArrayRequests(self.posted.append)
        self.membership = Membership(
            self.settings, array, window, links, self.requests, votes, self.file, self.wanted.append,
        )  # fmt: skip

    async def _enrol_witness(self) -> None:
        self.enrolled += 1

    async def nodes(self) -> tuple[NodeRow, ...]:
        return self.rows

    async def factories(self) -> tuple[FactoryVersion, ...]:
        return self.recipes

    async def groups(self) -> tuple[Group, ...]:
        return (Group(1, "gone", "cpu", 1, ("encoder:wavpack", "tag:gpu")),)

    async def _ask(self, command: c.Command) -> None:
        self.asked.append(command)

    def _roster(self) -> tuple[RosterEntry, ...]:
        return tuple(RosterEntry(r.name, r.address, r.kind, r.index) for r in self.rows if r.removed_at is None)

    def added(self) -> list[Member]:
        return [event.member for event in self.posted if isinstance(event, av.AddNode)]

    def told(self) -> list[str]:
        """Whom the others were told of last."""
        names = sorted(entry.name for entry in self.sent[-1].members)
        assert names == sorted(self.known[-1]) == sorted(self.file.load())
        return names

    def answer(self, voters: tuple[str, ...], error: str = "") -> None:
        """The core's answer to what it was asked first of all that it has not answered."""
        self.status.voters = self.status.settled = voters
        self.requests.answered(ae.Answered(self.posted.pop(0).id, error))

    def struck(self) -> list[str]:
        return [event.node for event in self.posted if isinstance(event, av.RemoveNode)]


def carried(value: Any) -> w.Carried:
    return w.Carried(1, Outcome(value), EMPTY)


async def test_a_removed_node_loses_its_vote_and_its_link(tmp_path: Path) -> None:
    site = Site(tmp_path, row("a"), row("b", removed=9))
    site.membership.saw(carried(row("b", removed=9)))
    assert site.struck() == ["b"]
    assert [entry.name for entry in site.sent[-1].members] == ["a"] == list(site.known[-1])
    assert list(site.file.load()) == ["a"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
async def test_a_full_disk_keeps_no_new_member_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """It was never dialled, nor written down when there was room again."""
    site = Site(tmp_path, row("a"), row("b"))
    site.membership.begin()
    save = RosterFile.save

    def full(file: RosterFile, members: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(RosterFile, "save", full)
    roster = Roster(8, site._roster(), ())
    if number == errno.EIO:
        with pytest.raises(OSError, match="error"):
            site.membership.told("a", roster)
        return
    site.membership.told("a", roster)
    assert list(site.known[-1]) == ["a", "b"]
    assert not site.file.load()
    monkeypatch.setattr(RosterFile, "save", save)
    site.membership.told("a", roster)
    assert list(site.file.load()) == ["a", "b"]


async def test_a_removed_node_keeps_its_link_until_its_vote_is_gone(tmp_path: Path) -> None:
    """Its own vote may be needed to take it away: without its link the array stood still for good."""
    site = Site(tmp_path, row("a"), row("b"), row("c"), voters=("a", "b", "c"))
    site.membership.saw(carried(row("c")))
    site.rows = (row("a"), row("b", removed=9), row("c"))
    site.membership.saw(carried(site.rows[1]))
    assert site.struck() == ["b"] and site.told() == ["a", "b", "c"]
    site.answer(("a", "b", "c"), "it is not to be")
    assert site.told() == ["a", "b", "c"]
    site.membership.saw(carried(site.rows[1]))
    site.status.voters = ("a", "c")  # the change is open: a majority of the voters before it must agree as well
    site.membership.saw(carried(row("c")))
    assert site.told() == ["a", "b", "c"]
    site.answer(("a", "c"))
    assert site.told() == ["a", "c"]


async def test_a_removed_node_keeps_its_link_while_it_is_needed_as_a_copy(tmp_path: Path) -> None:
    """With min_insync = 2: until another one has taken its place."""
    site = Site(tmp_path, row("a"), row("b"), row("c"), voters=("a", "c"))
    site.membership.saw(carried(row("c")))
    site.rows, site.status.in_sync = (row("a"), row("b", removed=9), row("c")), ("a", "b")
    site.membership.saw(carried(site.rows[1]))
    assert site.told() == ["a", "b", "c"]
    site.status.in_sync = ("a", "c")
    site.answer(("a", "c"))
    assert site.told() == ["a", "c"]


async def test_the_next_coordinator_keeps_that_link_too(tmp_path: Path) -> None:
    site = Site(tmp_path, row("a"), row("b", removed=9), row("c"), voters=("a", "b", "c"))
    members = {name: RosterEntry(name, f"https://127.0.0.1:{ord(name)}", "data", ord(name)) for name in "abc"}
    site.file.save(members)
    site.membership.begin()
    await site.membership.lead()
    assert site.told() == ["a", "b", "c"] and site.struck() == ["b"]
    site.answer(("a", "c"))
    assert site.told() == ["a", "c"]


async def test_a_change_of_a_member_is_told_and_costs_no_vote(tmp_path: Path) -> None:
    site = Site(tmp_path, row("a"), row("b"))
    site.membership.saw(carried(row("b")))
    site.membership.saw(carried("something else"))
    assert site.struck() == [] and len(site.sent) == 1


async def test_the_next_coordinator_finishes_what_the_last_one_began(tmp_path: Path) -> None:
    rows = (row("a"), row("b", removed=9), row("c", removed=9), row("d"))
    site = Site(tmp_path, *rows, voters=("a", "b", "d", "volume:san"))
    await site.membership.lead()
    assert site.struck() == ["b"] and site.asked == [] and site.enrolled == 1


async def test_a_coordinator_enters_itself_where_it_is_not_known_or_moved(tmp_path: Path) -> None:
    for rows in ((), (row("a", address="https://10.9.9.9:1"),)):
        site = Site(tmp_path, *rows)
        await site.membership.lead()
        (command,) = site.asked
        assert isinstance(command, c.PutNode) and command.node.address == "https://127.0.0.1:97"


def came(name: str) -> av.LinkUp:
    return av.LinkUp(name, Hello("1", name, f"{name}-disk", "data", 0, 1, "run", 1))


async def test_who_joined_while_the_coordinator_changed_gets_its_vote(tmp_path: Path) -> None:
    """The wish of the old coordinator died with it; the new one sees a member without a vote."""
    site = Site(tmp_path, row("a"), row("b"), row("c"), voters=("a", "b"))
    site.membership.saw(came("b"))
    assert site.added() == []
    site.membership.saw(came("c"))
    assert site.added() == [Member("c", "c-disk")]
    site.membership.saw(came("z"))
    assert len(set(site.added())) == 1, "who is no member gets none"
    site = Site(tmp_path, row("a"), row("c"), voters=("a",))
    site.serving = False
    site.membership.saw(came("c"))
    assert site.added() == [], "it does not lead"
    await site.membership.lead()
    assert site.added() == [Member("c", "c-disk")]


async def test_who_was_let_in_gets_its_vote_when_it_comes(tmp_path: Path) -> None:
    """A server that joins and is never started would be a vote that is never cast."""
    site = Site(tmp_path, row("a"), row("c"), voters=("a",))
    site.membership.saw(carried(row("c")))
    assert site.added() == []
    site.refused.add("c")
    site.membership.saw(came("c"))
    assert site.added() == [], "it speaks another version: it is there, and its vote would not be counted"
    site.refused.clear()
    site.membership.saw(came("c"))
    assert site.added() == [Member("c", "c-disk")]


async def test_five_vote(tmp_path: Path) -> None:
    site = Site(tmp_path, *(row(name) for name in "abcdefg"), voters=("a", "b", "c", "d"))
    site.serving = False
    for name in "efg":
        site.membership.saw(came(name))
    await site.membership.lead()
    assert site.added() == [Member("e", "e-disk")]


async def test_only_the_coordinator_is_listened_to(tmp_path: Path) -> None:
    site = Site(tmp_path, row("a"))
    news = Roster(7, (RosterEntry("b", "https://b:1", "data", 2),))
    site.membership.told("c", news)
    assert site.known == []
    site.membership.told("a", news)
    site.membership.told("a", Roster(6, ()))
    assert [list(known) for known in site.known] == [["b"]]


def recipe(*requires: str) -> FactoryVersion:
    product = '[[products]]\nname = "p"\nexec = ["tool", "{input}", "{output}"]\ndestination = "san:{job}"\n'
    return FactoryVersion("odd", 1, f'name = "odd"\nrequires = {list(requires)}\n{product}', 1)


async def test_nodes_are_told_what_factories_ask_of_ffmpeg(tmp_path: Path) -> None:
    """What was saved before this node led, by jobs of factories that are gone, and what is applied now."""
    site = Site(tmp_path, row("a"), row("b"))
    site.recipes = (recipe("encoder:libmp3lame", "tag:gpu"), FactoryVersion("old", 1, "no recipe", 1))
    await site.membership.lead()
    told = ("encoder:libmp3lame", "encoder:wavpack")
    assert site.sent[-1].wanted == told == site.wanted[-1]
    site.membership.saw(carried(recipe("filter:hflip", "encoder:libmp3lame")))
    assert site.sent[-1].wanted == (*told, "filter:hflip") == site.wanted[-1]
    sent = len(site.sent)
    site.membership.saw(carried(recipe("filter:hflip")))
    assert len(site.sent) == sent, "nothing new"
    site.membership.told("a", Roster(7, (), ("encoder:x",)))
    assert site.wanted[-1] == ("encoder:x",)
