"""Votes on volumes: who is told of one that cannot be cast, and how it is given again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.core.alarms import STANDING, Trouble
from fa.core.array_effects import WitnessCall
from fa.core.array_messages import Prepare, Promise, Query, Stat
from fa.core.view import Member
from fa.core.work_messages import VolumeHealth
from fa.errors import Conflict, Invalid, NotFound, Unavailable
from fa.node import vote_desk
from fa.node.requests import ArrayRequests
from fa.node.settings import Array, Node, Settings
from fa.node.volume_probe import adopt
from fa.node.volume_vote import FOLDER
from fa.node.vote_desk import WRONG_LOOKS, VoteDesk
from fa.node.witness import VolumeVoters

SAN = "volume:san"
A, B = Member("a", "a.1"), Member("b", "b.1")


class Site:
    """Node a, which leads, with a real volume and a real helper; the array core agrees to everything at once."""

    def __init__(self, root: Path, witness: str = SAN) -> None:
        self.root = root / "san"
        self.root.mkdir(exist_ok=True)
        assert adopt(str(self.root), "1", "san") == ""
        settings = Settings(Array("news", "1", witness=witness), Node("a", "127.0.0.1:1"))
        self.votes: tuple[Member, ...] = (A, B)
        self.spare: tuple[str, ...] = ("b", SAN)
        self.serving = True
        self.state = "healthy"
        self.asked: list[Any] = []
        self.answers: list[av.WitnessAnswer] = []
        self.told: list[list[Trouble]] = []
        array: Any = SimpleNamespace(status=self._status)
        self.voters = VolumeVoters("a", "1", {"san": str(self.root)}, root, 30.0, self.answers.append)
        self.requests = ArrayRequests(self._carry_out)
        self.desk = VoteDesk(settings, array, self.voters, self.requests, self._health)
        self.desk.tell = self.told.append

    def _status(self) -> Any:
        voters = tuple(member.node for member in self.votes)
        return SimpleNamespace(votes=self.votes, voters=voters, spare=self.spare, serving=self.serving)

    def _health(self) -> tuple[VolumeHealth, ...]:
        return (VolumeHealth("san", str(self.root), self.state, ""), VolumeHealth("other", "/x", "hung", ""))

    def _carry_out(self, event: Any) -> None:
        self.asked.append(event)
        others = tuple(voter for voter in self.votes if voter.node != SAN)
        match event:
            case av.AddNode(_, member, True) | av.ReplaceVoter(_, _, member):
                self.votes = (*others, member)
            case av.RemoveNode(_, "volume:san"):
                self.votes = others
        asyncio.get_running_loop().call_soon(self.requests.answered, ae.Answered(event.id))

    async def enrol(self) -> Member:
        await self.desk.enrol_witness()
        assert self.votes[-1].node == SAN
        return self.votes[-1]

    async def look(self, times: int = WRONG_LOOKS) -> list[Trouble]:
        for _ in range(times):
            await self.desk.look()
        return self.told[-1]

    async def ask(self, message: Any) -> Any:
        self.answers.clear()
        self.voters.call(WitnessCall(SAN, 1, message))
        while not self.answers:
            await asyncio.sleep(0.01)
        return self.answers[0].message


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    yield made
    for helper in made.voters._helpers.values():
        await helper.close()


async def test_a_witness_is_enrolled_once_and_nothing_is_wrong_with_it(site: Site) -> None:
    member = await site.enrol()
    await site.desk.enrol_witness()
    assert len(site.asked) == 1 and await site.look() == [] == list(site.desk.ill)
    site.votes = (A, B)
    assert await site.enrol() == member, "its records are there: it is the same voter"


async def test_who_is_none_is_not_enrolled(tmp_path: Path) -> None:
    site = Site(tmp_path, witness="none")
    await site.desk.enrol_witness()
    many = Site(tmp_path)
    many.votes = tuple(Member(name, "1") for name in "abcde")
    await many.desk.enrol_witness()
    assert site.asked == [] == many.asked
    with pytest.raises(Invalid, match="not set up on this node"):
        await Site(tmp_path, witness="volume:nas").desk.enrol_witness()


async def test_lost_records_are_told_until_there_is_a_fresh_vote(site: Site) -> None:
    member = await site.enrol()
    assert isinstance(await site.ask(Prepare(5121)), Promise)
    shutil.rmtree(site.root / FOLDER)
    assert await site.ask(Prepare(6145)) is None and await site.ask(Query(1)) is None
    assert site.voters.refused.is_set(), "it is looked at soon"
    assert await site.look(WRONG_LOOKS - 1) == [], "not before it lasts"
    (trouble,) = await site.look(1)
    assert (trouble.kind, trouble.subject) == ("vote.ill", "node/a/san") and trouble.kind in STANDING
    assert "has lost its vote records. " in trouble.text and trouble.text.endswith("fa volume vote san")
    assert "has lost its vote records" in site.desk.ill["san"]
    await site.desk.renew(SAN)
    fresh = site.votes[-1]
    assert site.asked[-1] == av.ReplaceVoter(site.asked[-1].id, SAN, fresh) and fresh.incarnation != member.incarnation
    assert await site.look(1) == []
    assert await site.ask(Query(1)) == Stat(1, fresh.incarnation, 0, None, hears=False)


async def test_a_vote_that_was_struck_comes_back_as_another_voter(site: Site) -> None:
    member = await site.enrol()
    shutil.rmtree(site.root / FOLDER)
    await site.look()
    await site.desk.remove(SAN)
    assert site.votes == (A, B) and await site.look(1) == [], "it is nobody's trouble any more"
    again = await site.enrol()
    assert again.incarnation != member.incarnation and await site.look() == []
    await site.desk.remove(SAN)
    assert (await site.enrol()).incarnation != again.incarnation, "also when this node saw nothing wrong with it"


async def test_the_loop_sees_it_and_enrols_it_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vote_desk, "LOOK_AGAIN", 0.01)
    running = asyncio.create_task(site.desk.run())
    try:
        while site.votes == (A, B):
            await asyncio.sleep(0.01)
        member = site.votes[-1]
        shutil.rmtree(site.root / FOLDER)
        assert await site.ask(Query(1)) is None
        while not site.desk.ill:
            await asyncio.sleep(0.01)
        await site.desk.remove(SAN)
        while site.votes == (A, B):
            await asyncio.sleep(0.01)
        assert site.votes[-1].incarnation != member.incarnation
    finally:
        running.cancel()


async def test_records_of_another_voter_are_told(site: Site) -> None:
    await site.enrol()
    site.votes = (A, B, Member(SAN, "another"))
    (trouble,) = await site.look()
    assert "are not those of the voter that was admitted" in trouble.text


async def test_of_a_volume_that_is_ill_as_a_whole_others_tell(site: Site) -> None:
    await site.enrol()
    shutil.rmtree(site.root / FOLDER)
    await site.look()
    site.state = "disconnected"
    assert await site.look() == []


async def test_what_cannot_be_looked_at_is_as_it_was(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(volume: str) -> str:
        raise TimeoutError

    await site.enrol()
    with monkeypatch.context() as patch:
        patch.setattr(site.voters, "look", hangs)
        assert await site.look() == []
    shutil.rmtree(site.root / FOLDER)
    assert await site.look() != []
    monkeypatch.setattr(site.voters, "look", hangs)
    assert await site.look() != []


async def test_an_old_vote_that_is_needed_is_not_exchanged(site: Site) -> None:
    """It ends before the new one counts: with one server of two down the array would stand still."""
    await site.enrol()
    site.spare = ("a",)
    with pytest.raises(Conflict, match="Without volume:san no majority"):
        await site.desk.renew(SAN)
    assert await site.look() == []
    with pytest.raises(Conflict, match="Without b no majority"):
        site.desk.check_spare("b", "")
    for voter in ("a", "z"):
        site.desk.check_spare(voter, "")  # spare, or none at all


async def test_a_volume_without_a_vote_has_none_to_renew_or_to_strike(site: Site) -> None:
    for act in (site.desk.renew, site.desk.remove):
        with pytest.raises(NotFound, match="volume:san has no vote"):
            await act(SAN)


async def test_a_volume_that_cannot_be_written_is_given_no_vote(site: Site) -> None:
    (site.root / FOLDER).touch()
    with pytest.raises(Unavailable, match="can be read or made"):
        await site.desk.enrol_witness()
