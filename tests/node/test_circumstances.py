from __future__ import annotations

from fa.core import array_events as av
from fa.core.array_messages import Beat, HandOver
from fa.core.model import Event, Reign
from fa.core.position import EMPTY
from fa.core.view import Member, View
from fa.node.circumstances import Circumstances
from fa.node.mirror_desk import ASKS, history, reign_shape

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
        "until": None, "by": None, "after": "a", "why": "b was not heard any more", "outage_seconds": 2.345,
    }  # fmt: skip
    assert reign_shape(Reign(1, "a", "", at))["before"] is None


def test_the_history_says_who_asked_and_for_how_long_each_led() -> None:
    reigns = (
        Reign(5, "a", "c", 9_000, "forced by local:root"),
        Reign(4, "c", "b", 7_000, "b was not heard any more"),
        Reign(3, "b", "a", 5_000, "a handed over"),
        Reign(2, "a", "b", 3_000, "b handed over"),
        Reign(1, "b", "", 1_000),
    )
    asked = tuple(
        Event(at, "mirror.switchover", "info", "mirror", f"{by}{ASKS}{to}")
        for at, by, to in ((6_500, "admin:LATE", "c"), (4_900, "admin:QX7", "b"), (500, "admin:OLD", "a"))
    )
    told = history(reigns, asked)
    assert [(each["epoch"], each["by"]) for each in told] == [
        (5, "local:root"), (4, None), (3, "admin:QX7"), (2, None), (1, None)
    ]  # fmt: skip
    assert told[0]["until"] is None and told[1]["until"] == told[0]["at"]
    assert history((), ()) == []
