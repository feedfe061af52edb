"""The array's own set-up in the store: epochs, factories, nodes, tokens, quarantines; and housekeeping."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fa.core import commands as c
from fa.core.alarms import RaiseAlert
from fa.core.blueprint import KEPT, Recipes
from fa.core.ledger_setup import Stale, awaited
from fa.core.model import FactoryVersion, NewJob, NodeMode, Reign, Role, Token
from fa.errors import Conflict, NotFound, Unauthorized, Unprocessable
from tests.core.book import AT, ONE, Book, row, view


def test_each_epoch_says_who_led_before(book: Book) -> None:
    for epoch, name in ((3, "a"), (9, "b")):
        assert book.do(c.BeginEpoch(epoch, name, AT)) == epoch
        assert book.events()
    assert book.tables.last_reign() == Reign(9, "b", "a", AT)


def test_an_epoch_that_is_over_before_it_began_is_none(book: Book) -> None:
    book.do(c.BeginEpoch(9, "b", AT))
    assert book.do(c.BeginEpoch(5, "a", AT)) == 9
    assert book.events() == []


# --- factories ---


def test_a_factory_gets_a_version_for_each_text(book: Book) -> None:
    second = book.do(c.SaveFactory(ONE + "cost = 2\n", AT, "ann", expected=1))
    assert (second.name, second.version) == ("one", 2)
    assert book.do(c.SaveFactory(second.text, AT + 1)) == second
    for seen in (1, 2):
        assert book.do(c.SaveFactory(second.text, AT + 1, expected=seen)) == second, "sent again, it is done"
    assert book.events() == [], "nothing changed"
    with pytest.raises(Stale):
        book.do(c.SaveFactory(ONE, AT, expected=1))
    with pytest.raises(Stale):
        book.do(c.SaveFactory(second.text, AT, expected=0))
    with pytest.raises(Stale):
        book.do(c.SaveFactory(ONE, AT, expected=0))
    with pytest.raises(Unprocessable):
        book.do(c.SaveFactory("name = ", AT))


def test_a_job_keeps_the_version_it_was_submitted_with(book: Book) -> None:
    """Also when it is tried again, and by a person."""
    job = book.submit()
    second = book.do(c.SaveFactory(ONE.replace("{job}", "new/{job}") + "cost = 2\n", AT))
    later = book.submit()
    first, other = book.dispatch(view(slots=3))
    assert (first.job, first.factory_version, first.recipe, first.cost) == (job.id, 1, ONE, 1)
    assert (other.job, other.factory_version, other.recipe, other.cost) == (later.id, 2, second.text, 2)
    assert (first.destination, other.destination) == ("san:out/1-p.mp4", "san:out/new/2-p.mp4")
    book.fail(first, permanent=True)
    book.act(c.JobAction.RETRY, job.id)
    (again,) = book.dispatch(view("b"))
    assert (again.attempt, again.factory_version, again.recipe, again.cost) == (2, 1, ONE, 1)


def test_a_removed_factory_keeps_its_versions(book: Book) -> None:
    job = book.submit()
    book.do(c.RemoveFactory("one", AT))
    book.events()
    book.do(c.RemoveFactory("one", AT))
    assert book.events() == [], "it is done"
    with pytest.raises(NotFound, match="no factory 'none'"):
        book.do(c.RemoveFactory("none", AT))
    (order,) = book.dispatch()
    assert order.job == job.id
    assert book.do(c.SaveFactory(ONE, AT, expected=0)).version == 2


def test_recipes_are_kept_parsed_a_bounded_number_of_them() -> None:
    recipes = Recipes()
    rows = [FactoryVersion("one", number, ONE, AT) for number in range(KEPT + 1)]
    first = recipes.of(rows[0])
    assert recipes.of(rows[0]) is first
    for each in rows[1:]:
        recipes.of(each)
    assert recipes.of(rows[-1]) is recipes.of(rows[-1])
    assert recipes.of(rows[0]) is not first
    assert recipes.read(replace(rows[0], text="no recipe")) is None


# --- nodes ---


def test_a_node_joins_moves_and_goes(book: Book) -> None:
    moved = book.do(c.PutNode(replace(row("a"), address="https://a:9", joined_at=5, mode=NodeMode.DRAINING), AT + 9))
    assert moved == replace(row("a"), address="https://a:9"), "since when it belongs, and what it was told to, stay"
    assert book.events() == []
    removed = book.do(c.RemoveNode("a", AT + 1, "ann"))
    assert removed.removed_at == AT + 1
    book.events()
    assert (book.do(c.RemoveNode("a", AT + 5, "bob")), book.events()) == (removed, []), "asked again, it is done"
    for command in (c.SetNodeMode("a", NodeMode.UP, AT), c.RemoveNode("zz", AT)):
        with pytest.raises(NotFound, match="no node"):
            book.do(command)
    again = book.do(c.PutNode(replace(row("a"), joined_at=AT + 2), AT + 2))
    assert (again.removed_at, again.joined_at) == (None, AT + 2)
    assert book.events() == ["node.joined"]


def test_a_member_keeps_what_its_certificate_says(book: Book) -> None:
    """Who joins under a name that is free again is another one; who moved is the same, and does not say it."""
    joined = book.do(c.PutNode(replace(row("d"), incarnation="d1"), AT, awaited=True))
    book.do(c.NodeCame("d", AT))
    assert book.do(c.PutNode(row("d"), AT)) == joined
    book.do(c.RemoveNode("d", AT))
    assert book.do(c.PutNode(replace(row("d"), incarnation="d2"), AT, awaited=True)).incarnation == "d2"
    assert book.do(c.PutNode(replace(row("d"), incarnation="d3"), AT, awaited=True)).incarnation == "d3"


def test_a_node_is_awaited_until_it_comes_or_is_removed(book: Book) -> None:
    for end in (c.NodeCame("d", AT + 1), c.RemoveNode("d", AT + 1)):
        book.do(c.PutNode(row("d"), AT, awaited=True))
        assert (book.events(), book.tables.fact(awaited("d"))) == (["node.joined"], str(row("d").index))
        book.do(c.PutNode(replace(row("d"), index=9), AT, awaited=True))
        assert (book.events(), book.tables.fact(awaited("d"))) == (["node.joined"], "9"), "another server, that name"
        book.do(end)
        assert not book.tables.fact(awaited("d"))
        book.events()
    book.do(c.NodeCame("a", AT))
    assert book.tables.fact(awaited("a")) is None, "nothing is written each time that a node comes"


def test_a_node_that_came_is_no_longer_lost(book: Book) -> None:
    book.do(RaiseAlert("node.lost", "node/a", "a was silent", AT))
    book.do(c.NodeCame("a", AT + 1))
    assert book.tables.open_alert("node.lost", "node/a") is None


def test_a_node_that_runs_work_is_not_removed(book: Book) -> None:
    book.submit()
    book.dispatch()
    with pytest.raises(Conflict, match="still runs work"):
        book.do(c.RemoveNode("a", AT))


def test_with_a_node_goes_what_was_wrong_with_it(book: Book) -> None:
    book.do(RaiseAlert("node.lost", "node/a", "a was silent", AT))
    book.do(c.SetQuarantine("a", "one", True, "it fails", AT))
    book.do(c.SetQuarantine("b", "one", True, "it fails", AT))
    book.do(c.RemoveNode("a", AT))
    assert book.tables.open_alert("node.lost", "node/a") is None
    assert [(each.node, each.factory) for each in book.tables.quarantines()] == [("b", "one")]


def test_modes_are_set_once(book: Book) -> None:
    assert book.do(c.SetNodeMode("a", NodeMode.PAUSED, AT, "ann")).mode is NodeMode.PAUSED
    assert book.events() == ["node.paused"]
    book.do(c.SetNodeMode("a", NodeMode.PAUSED, AT))
    assert book.events() == []
    book.do(c.SetNodeMode("a", NodeMode.UP, AT))
    assert c.TasksReady() in book.facts


def test_a_drain_that_is_done_is_noted_once_per_drain(book: Book) -> None:
    drained = c.NoteDrained("a", AT)
    assert not book.do(drained), "it does not drain"
    book.submit()
    (order,) = book.dispatch()
    book.do(c.SetNodeMode("a", NodeMode.DRAINING, AT))
    assert not book.do(drained), "it still works"
    book.fail(order, permanent=True)
    assert book.do(drained)
    assert book.events() == ["node.drained"]
    assert not book.do(drained), "another coordinator asks again"
    for mode in (NodeMode.UP, NodeMode.DRAINING):
        book.do(c.SetNodeMode("a", mode, AT))
    assert book.do(drained)
    with pytest.raises(NotFound):
        book.do(c.NoteDrained("zz", AT))


# --- tokens ---


def test_a_token_is_used_as_often_as_it_may(book: Book) -> None:
    book.do(c.PutToken(Token("t", Role.NODE, "ab" * 32, AT, AT + 100, uses_left=1), AT))
    assert book.events() == ["token.created"]
    for wrong in (c.UseToken("t", "cd" * 32, AT), c.UseToken("x", "ab" * 32, AT), c.UseToken("t", "ab" * 32, AT + 100)):
        with pytest.raises(Unauthorized, match="wrong, used or expired"):
            book.do(wrong)
    book.do(c.UseToken("t", "ab" * 32, AT + 99))
    with pytest.raises(Unauthorized):
        book.do(c.UseToken("t", "ab" * 32, AT))


def test_a_token_without_limits_is_used_for_ever_until_it_is_removed(book: Book) -> None:
    book.do(c.PutToken(Token("t", Role.ADMIN, "ab" * 32, AT), AT))
    for _ in range(3):
        book.do(c.UseToken("t", "ab" * 32, AT + 10**12))
    book.do(c.RemoveToken("t", AT, "ann"))
    assert book.events() == ["token.removed"]
    with pytest.raises(NotFound):
        book.do(c.RemoveToken("t", AT))


# --- quarantine ---


def test_a_quarantine_is_set_and_released_once(book: Book) -> None:
    for on, changed in ((False, False), (True, True), (True, False), (False, True)):
        assert book.do(c.SetQuarantine("a", "one", on, "it fails", AT)) is changed
        assert (c.Quarantined("a", "one", on) in book.facts) is changed
        assert bool(book.tables.quarantines()) is on
        assert (book.tables.open_alert("quarantine.one", "node/a") is not None) is on


# --- housekeeping ---


def test_housekeeping_goes_in_small_steps_and_says_when_it_is_done(book: Book) -> None:
    for number in range(3):
        (job,) = book.do(c.SubmitJobs((NewJob("san:x", "one"),), AT + number, key=f"k{number}")).jobs
        book.act(c.JobAction.CANCEL, job)
    alert = book.do(RaiseAlert("node.lost", "node/a", "text", AT))
    book.do(c.SetNodeMode("a", NodeMode.PAUSED, AT))
    keep = c.KeepHouse(AT + 2, AT + 6, AT, 1, limit=2)
    steps = []
    while not steps or steps[-1]:
        steps.append(book.do(keep))
    assert len(steps) > 2
    assert [book.tables.remembered(f"k{number}") is None for number in range(3)] == [True, True, False]
    assert [book.tables.job(job) is None for job in (1, 2, 3)] == [True, True, True]
    assert book.tables.alert(alert.id) is not None, "it is still open"
