"""Whose failures are compared with whose successes, before a node gets no more work of a factory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fa.core import commands as c
from fa.core.health import Health
from fa.core.model import Group, NewJob, NodeMode, NodeView
from fa.core.work import ReportKind
from tests.core.book import AT, OFFERS, books
from tests.core.desk import Desk

PRODUCT = (
    '[[products]]\nname="{name}"\npreset="h264-mp4"\ndestination="san:out/{{job}}-{{product}}.mp4"\nslot="{slot}"\n'
)
BOTH = 'name="both"\n' + PRODUCT.format(name="proxy", slot="cpu") + PRODUCT.format(name="mezzanine", slot="gpu")


@pytest.fixture
def desk() -> Iterator[Desk]:
    for book in books("memory"):
        book.do(c.SaveFactory(BOTH, AT))
        desk = Desk(book)
        desk.serve()
        yield desk


def come(desk: Desk, name: str, *slot_classes: str) -> None:
    desk.beat(name)
    desk.offer(NodeView(name, tuple((slot_class, 1) for slot_class in slot_classes), offers=OFFERS))


def serve(desk: Desk, crash: str, factory: str, jobs: int = 3, nodes: str = "abc") -> None:
    """Submit, and let all end: what runs on this node crashes."""
    desk.ask(c.SubmitJobs((NewJob("san:in/clip.mxf", factory),) * jobs, AT))
    for _ in range(30):
        for order in desk.orders():
            if order.node == crash:
                desk.report(order.node, (order.task, order.attempt), ReportKind.FAILED, error="The encode crashed.")
            else:
                desk.wish(order)
                desk.report(order.node, (order.task, order.attempt), ReportKind.PUBLISHED)
        desk.tick(5.0, nodes)


def quarantined(desk: Desk) -> list[tuple[str, str]]:
    return [(each.node, each.factory) for each in desk.book.tables.quarantines()]


def test_other_products_of_the_factory_that_succeed_elsewhere_prove_nothing(desk: Desk) -> None:
    """Mezzanines need the only gpu: whoever quarantines it ends them."""
    come(desk, "a", "cpu")
    come(desk, "b", "gpu")
    serve(desk, "b", "both")
    assert quarantined(desk) == []


def test_the_same_product_does(desk: Desk) -> None:
    come(desk, "a", "cpu", "gpu")
    come(desk, "b", "gpu")
    serve(desk, "b", "both", 5)
    assert quarantined(desk) == [("b", "both")]


@pytest.mark.parametrize("gone", ["removed", "paused", "lost", "not able any more"])
def test_who_cannot_take_over_is_not_elsewhere(desk: Desk, gone: str) -> None:
    come(desk, "c", "cpu")
    serve(desk, "", "one", 2)
    come(desk, "b", "cpu")
    if gone == "removed":
        desk.ask(c.RemoveNode("c", AT))
    elif gone == "paused":
        desk.ask(c.SetNodeMode("c", NodeMode.PAUSED, AT))
    elif gone == "not able any more":
        come(desk, "c", "gpu")
        desk.offer(NodeView("c", (("gpu", 1),), offers=OFFERS), number=2)
    serve(desk, "b", "one", 5, "ab" if gone == "lost" else "abc")
    assert quarantined(desk) == []


def test_a_quarantined_node_is_not_elsewhere_either(desk: Desk) -> None:
    for name in "bc":
        come(desk, name, "cpu")
    serve(desk, "", "one", 4)
    desk.ask(c.SetQuarantine("c", "one", True, "by hand", AT))
    serve(desk, "b", "one", 5)
    assert quarantined(desk) == [("c", "one")]


def test_who_is_released_starts_anew_in_all_groups(desk: Desk) -> None:
    come(desk, "a", "cpu", "gpu")
    come(desk, "b", "gpu")
    serve(desk, "b", "both", 5)
    desk.ask(c.SetQuarantine("b", "both", False, "", AT))
    serve(desk, "b", "both", 1)
    assert quarantined(desk) == []


def test_a_task_that_is_given_up_counts_as_those_that_others_did() -> None:
    group = Group(5, "one", "cpu", 1, ())
    health = Health(lambda _: frozenset("ab"))
    for task in (1, 2, 3):
        assert health.failed("b", group, task, final=task == 3) == ()
    for task in (1, 2):
        verdicts = health.succeeded("a", group, task)
    assert [(verdict.node, verdict.factory) for verdict in verdicts] == [("b", "one")]
