from __future__ import annotations

from fa.core import array_events as av
from fa.core.array_messages import Beat, HandOver
from fa.core.model import Reign
from fa.core.position import EMPTY
from fa.core.view import Member, View
from fa.node.circumstances import Circumstances
from fa.node.mirror_desk import reign_shape

A, B = Member("a", "1"), Member("b", "2")
BEAT = Beat(View(2049, "a", (A, B), (A, B), (A, B)), 1, EMPTY, False)


def test_a_silent_coordinator_is_why_and_since_when() -> None:
    how = Circumstances()
    assert how.of(1.0) == ("", None)
    how.saw(av.Received("a", BEAT), 10.0)
    how.saw(av.Received("c", BEAT), 11.0)  # not who leads
    assert how.of(12.5) == ("a was not heard any more", 2500)


def test_an_orderly_change_is_no_failure() -> None:
    how = Circumstances()
    how.saw(av.Received("a", BEAT), 10.0)
    how.saw(av.Received("a", HandOver(2049)), 10.2)
    assert how.of(10.25) == ("a handed over", 50)
    how.saw(av.Received("a", BEAT), 11.0)  # it came to nothing
    assert how.of(14.0) == ("a was not heard any more", 3000)


def test_who_leads_on_has_nothing_to_explain() -> None:
    how = Circumstances()
    how.saw(av.Received("a", BEAT), 10.0)
    how.led()
    assert how.of(20.0) == ("", None)


def test_an_operators_override_has_his_name() -> None:
    how = Circumstances()
    how.forced("local:root")
    assert how.of(20.0) == ("forced by local:root", None)
    how.forced("")
    assert how.of(20.0) == ("", None)


def test_the_history_has_the_shape_of_the_api() -> None:
    at = 1_790_000_000_123
    reigns = (
        Reign(1, "a", "", at),
        Reign(2, "a", "a", at),
        Reign(3, "b", "a", at, "a handed over"),
        Reign(4, "a", "b", at, "b was not heard any more"),
    )
    kinds = [reign_shape(reign)["kind"] for reign in reigns]
    assert kinds == ["founded", "new-view", "switch-over", "take-over"]
    assert reign_shape(Reign(4, "a", "b", at, "b was not heard any more", 2345)) == {
        "at": "2026-09-21T14:13:20.123Z", "epoch": 4, "kind": "take-over", "coordinator": "a", "before": "b",
        "after": "a", "why": "b was not heard any more", "outage_seconds": 2.345,
    }  # fmt: skip
    assert reign_shape(Reign(1, "a", "", at))["before"] is None
