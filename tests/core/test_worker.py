"""A node's side of attempts: what it starts, what it says, what it remembers."""

from __future__ import annotations

from typing import Any

import pytest

from fa.core import work as w
from fa.core import worker as worker_module
from fa.core.commands import Order
from fa.core.model import Cause, Output
from fa.core.work import PublishResult, Report, ReportKind, Running
from fa.core.worker import RELEASE_AFTER, REPEAT_AFTER, Worker
from tests.core.book import view

OUTPUT = Output("san:out/1.mp4", 5, "ab")
PART = "san:.fa/part/1-1"
WISH = Report("b", 1, 1, ReportKind.WANTS_PUBLISH, part=PART, output=OUTPUT)
SOURCE = "san:in/clip.mxf"
GRANT = w.Grant(1, 1, PART, OUTPUT, False, SOURCE)


def order(task: int = 1, attempt: int = 1, **fields: Any) -> Order:
    fields = {"epoch": 5, "boot": 2, "cost": 1, "slot_class": "cpu"} | fields
    return Order(
        fields["epoch"], task, attempt, "b", 1, "p", "san:in/x", OUTPUT.path, "one", 1, "", 50,
        fields["cost"], fields["slot_class"], fields["boot"],
    )  # fmt: skip


class Bench:
    """A worker of two slots, which follows `a` in epoch 5."""

    def __init__(self) -> None:
        self.now = 10.0
        self.worker = Worker("b", 2, heartbeat=0.5, orphan_after=60.0)
        self.step(w.OfferChanged(view("b"), "https://b", "1"))
        self.step(w.CoordinatorIs("a", 5))

    def step(self, event: w.WorkEvent) -> list[Any]:
        return self.worker.step(event, w.Moment(self.now, 0))

    def told(self, message: w.WorkMessage) -> list[Any]:
        return self.step(w.Told("a", message))

    def tick(self, seconds: float) -> list[Any]:
        self.now += seconds
        return self.step(w.Tick())

    def run(self, *orders: Order) -> None:
        for each in orders or (order(),):
            assert self.told(each) == [w.StartAttempt(each)]

    def encoded(self) -> list[Any]:
        return self.step(w.Encoded(1, 1, PART, OUTPUT))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def tell(message: w.WorkMessage) -> w.Tell:
    return w.Tell("a", message)


def beats(effects: list[Any]) -> list[w.WorkBeat]:
    return [
        effect.message for effect in effects if isinstance(effect, w.Tell) and isinstance(effect.message, w.WorkBeat)
    ]


# --- leadership and beats ---


def test_without_a_coordinator_a_worker_is_silent() -> None:
    worker = Worker("b", 2)
    assert worker.step(w.OfferChanged(view("b"), "", ""), w.Moment(0.0, 0)) == []
    assert worker.deadline is None
    assert worker.step(w.Paused(True), w.Moment(0.0, 0)) == []
    assert worker.step(w.Told("a", w.WorkBeat("a", 1, 1, 1, 1)), w.Moment(0.0, 0)) == []


def test_it_beats_at_once_and_then_every_heartbeat(bench: Bench) -> None:
    assert bench.step(w.CoordinatorIs("a", 5)) == [], "that is no news"
    assert bench.worker.deadline == 10.5
    assert beats(bench.tick(0.4)) == []
    bench.run()
    (beat,) = beats(bench.tick(0.1))
    assert beat == w.WorkBeat("b", 2, 2, 5, 1, (Running(1, 1, "uploading"),))
    assert bench.worker.running == beat.running
    (other,) = beats(bench.step(w.CoordinatorIs("c", 9)))
    assert (other.epoch, other.number) == (9, 3)
    assert bench.step(w.CoordinatorIs(None, 0)) == []


def test_it_says_what_it_can_do_when_that_changed_or_is_not_known(bench: Bench) -> None:
    (told,) = bench.step(w.OfferChanged(view("b", slots=4), "https://b", "1"))
    assert told.message == w.Offer(2, view("b", slots=4, boot=2), "https://b", "1")
    assert bench.told(w.Seen(5, 2)) == []
    assert bench.told(w.Seen(5, 1)) == bench.told(w.Seen(5, -1)) == [told]
    assert bench.told(w.Seen(4, 1)) == [], "of a coordinator that is none any more"


# --- orders ---


def test_an_order_is_begun_once(bench: Bench) -> None:
    bench.run()
    assert bench.told(order()) == []
    bench.step(w.AttemptFailed(1, 1, "x", False))
    assert bench.told(order()) == [], "it is over"
    bench.told(w.Heard(1, 1, ReportKind.FAILED))
    assert bench.told(order()) == []


@pytest.mark.parametrize("fields", [{"epoch": 4}, {"boot": 1}, {"cost": 3}, {"slot_class": "gpu"}])
def test_what_it_does_not_begin(bench: Bench, fields: dict[str, Any]) -> None:
    """An order of an earlier coordinator, to an earlier life, or for slots that this node does not have."""
    assert bench.told(order(**fields)) == []
    assert bench.worker.running == ()


def test_its_slots_are_never_exceeded(bench: Bench) -> None:
    bench.run(order(), order(2))
    assert bench.told(order(3)) == []
    bench.told(w.Stop(1, 1, "cancelled"))
    assert bench.told(order(3)) == [], "it is still being killed"
    bench.step(w.AttemptStopped(1, 1))
    bench.run(order(3))
    unknown = Worker("b", 2)
    assert unknown.step(w.Told("a", order()), w.Moment(0.0, 0)) == []


def test_only_as_many_ended_attempts_as_fit_are_remembered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "KNOWN_MAX", 1)
    for task in (1, 2):
        bench.run(order(task))
        bench.step(w.AttemptStopped(task, 1))
        bench.told(w.Heard(task, 1, ReportKind.STOPPED))
    assert bench.told(order(2)) == []
    assert bench.told(order(1)) == [w.StartAttempt(order(1))]


def test_progress_is_kept_with_what_it_costs(bench: Bench) -> None:
    bench.run(order(cost=2))
    assert bench.step(w.Progressed(Running(1, 1, "flipping", 0.25, 50.0, 2.0, 9.0))) == []
    assert bench.worker.running == (Running(1, 1, "flipping", 0.25, 50.0, 2.0, 9.0, cost=2),)
    bench.step(w.Progressed(Running(7, 7, "flipping")))
    assert len(bench.worker.running) == 1
    bench.encoded()
    bench.step(w.Progressed(Running(1, 1, "flipping", 0.99)))
    assert [(running.phase, running.progress) for running in bench.worker.running] == [("delivering", 1.0)]


# --- slots ---


def test_when_an_encoder_has_ended_its_slots_are_open_and_that_is_told_soon(bench: Bench) -> None:
    bench.run(order(1), order(2))
    assert bench.step(w.Progressed(Running(1, 1, "delivering", 1.0))) == []
    assert bench.worker.deadline == bench.now + RELEASE_AFTER
    (beat,) = beats(bench.tick(RELEASE_AFTER))
    assert [running.delivering for running in beat.running] == [True, False]
    assert bench.step(w.Progressed(Running(1, 1, "delivering", 1.0))) == []
    assert bench.worker.deadline == bench.now + 0.5, "once"
    assert bench.step(w.Progressed(Running(1, 1, "flipping", 0.9))) == [], "late news"
    bench.run(order(3))
    assert bench.told(order(4)) == [], "two encode"


def test_a_wish_that_follows_at_once_says_it_as_well(bench: Bench) -> None:
    bench.run(order(1), order(2))
    bench.step(w.Progressed(Running(1, 1, "delivering", 1.0)))
    bench.step(w.Progressed(Running(2, 1, "delivering", 1.0)))
    bench.encoded()
    assert bench.worker.deadline == bench.now + RELEASE_AFTER, "nobody knows of the other one"
    bench.step(w.Encoded(2, 1, PART, OUTPUT))
    assert bench.worker.deadline == bench.now + 0.5


def test_behind_a_destination_that_hangs_no_work_piles_up(bench: Bench) -> None:
    for task in (1, 2, 3):
        bench.run(order(task))
        bench.step(w.Progressed(Running(task, 1, "delivering", 1.0)))
    bench.run(order(4))
    assert bench.told(order(5)) == [], "three wait and one encodes; there is room for two encoders"
    bench.step(w.AttemptFailed(1, 1, "it hung", False))
    bench.run(order(5))


def test_without_a_coordinator_it_tells_nobody(bench: Bench) -> None:
    bench.run()
    bench.step(w.CoordinatorIs(None, 0))
    assert bench.step(w.Progressed(Running(1, 1, "delivering", 1.0))) == []


# --- the end of an attempt ---


def test_what_only_this_node_knows_is_durable_before_it_is_told(bench: Bench) -> None:
    bench.run()
    assert bench.encoded() == [w.KeepReport(WISH), tell(WISH)]
    assert bench.told(GRANT) == [w.DropReport(1, 1), w.Publish(1, 1, PART, OUTPUT, False, SOURCE)]
    assert bench.told(GRANT) == []
    assert bench.worker.running, "it is here until it is published"
    done = Report("b", 1, 1, ReportKind.PUBLISHED)
    assert bench.step(w.PublishEnded(1, 1, PublishResult.PUBLISHED)) == [tell(done)]
    assert bench.worker.running == ()
    assert bench.told(GRANT) == []
    assert bench.told(w.Heard(1, 1, ReportKind.WANTS_PUBLISH)) == []
    assert bench.told(w.Heard(1, 1, ReportKind.PUBLISHED)) == [w.DropReport(1, 1)]
    assert bench.told(w.Heard(1, 1, ReportKind.PUBLISHED)) == []
    assert bench.told(GRANT) == [], "it came late: the attempt is over"
    assert bench.step(w.PublishEnded(1, 1, PublishResult.PUBLISHED)) == []


def test_a_failure_is_told_until_it_is_heard(bench: Bench) -> None:
    bench.run()
    report = Report("b", 1, 1, ReportKind.FAILED, error="it died", permanent=True, blame=False)
    assert bench.step(w.AttemptFailed(1, 1, "it died", True, False)) == [w.KeepReport(report), tell(report)]
    assert tell(report) not in bench.tick(REPEAT_AFTER - 0.1)
    effects = bench.tick(0.1)
    assert tell(report) in effects
    effects = bench.tick(0.5)
    assert tell(report) not in effects, "not with every beat"
    (beat,) = beats(effects)
    assert (beat.running, beat.reporting) == ((), ((1, 1),))
    assert bench.told(w.Heard(1, 1, ReportKind.FAILED)) == [w.DropReport(1, 1)]
    assert beats(bench.tick(REPEAT_AFTER))[0].reporting == ()
    assert bench.step(w.AttemptFailed(1, 1, "again", False)) == [], "it is over"


def test_a_new_coordinator_is_told_at_once(bench: Bench) -> None:
    bench.run()
    bench.encoded()
    bench.step(w.CoordinatorIs(None, 0))
    assert bench.tick(REPEAT_AFTER) == []
    effects = bench.step(w.CoordinatorIs("c", 9))
    assert w.Tell("c", WISH) in effects


def test_reports_survive_a_restart(bench: Bench) -> None:
    bench = Bench()
    assert bench.step(w.Recovered((WISH,))) == []
    effects = bench.tick(0.5)
    assert tell(WISH) in effects
    assert beats(effects)[0].reporting == ((1, 1),)
    assert bench.told(order(boot=2)) == []
    assert bench.told(GRANT) == [w.DropReport(1, 1), w.Publish(1, 1, PART, OUTPUT, False, SOURCE)]


def test_a_grant_for_what_another_node_made_is_carried_out(bench: Bench) -> None:
    assert bench.told(w.Grant(9, 2, "san:.fa/part/9", OUTPUT, True, SOURCE)) == [
        w.Publish(9, 2, "san:.fa/part/9", OUTPUT, True, SOURCE)
    ]
    (told,) = bench.step(w.PublishEnded(9, 2, PublishResult.PUBLISHED))
    assert told.message == Report("b", 9, 2, ReportKind.PUBLISHED)


# --- publishing that does not work ---


@pytest.mark.parametrize(("result", "permanent"), [(PublishResult.GONE, False), (PublishResult.EXISTS, True)])
def test_a_publish_that_cannot_happen_is_reported(bench: Bench, result: PublishResult, permanent: bool) -> None:
    bench.run()
    bench.encoded()
    bench.told(GRANT)
    report = Report("b", 1, 1, ReportKind.UNSETTLED, error="why", permanent=permanent, blame=False)
    assert bench.step(w.PublishEnded(1, 1, result, "why")) == [w.KeepReport(report), tell(report)]


def test_a_publish_that_is_refused_here_is_said_to_be_the_view_of_this_node(bench: Bench) -> None:
    bench.run()
    bench.encoded()
    bench.told(GRANT)
    report = Report("b", 1, 1, ReportKind.UNSETTLED, error="why", blame=False, cause=Cause.VIEW)
    assert bench.step(w.PublishEnded(1, 1, PublishResult.REFUSED, "why")) == [w.KeepReport(report), tell(report)]


def test_of_what_an_attempt_failed_is_told(bench: Bench) -> None:
    bench.run()
    report = Report("b", 1, 1, ReportKind.FAILED, error="full", blame=False, cause=Cause.ROOM)
    failed = w.AttemptFailed(1, 1, "full", False, False, Cause.ROOM)
    assert bench.step(failed) == [w.KeepReport(report), tell(report)]


def test_a_publish_in_trouble_is_tried_again(bench: Bench) -> None:
    bench.run()
    bench.encoded()
    (_, publish) = bench.told(GRANT)
    assert bench.step(w.PublishEnded(1, 1, PublishResult.TROUBLE, "no answer")) == []
    assert publish not in bench.tick(REPEAT_AFTER - 0.1)
    assert publish in bench.tick(0.1)
    assert publish not in bench.tick(REPEAT_AFTER)


# --- stops ---


def test_what_is_to_stop_is_killed_and_then_confirmed(bench: Bench) -> None:
    bench.run()
    assert bench.told(w.Stop(1, 1, "cancelled")) == [w.StopAttempt(1, 1)]
    assert bench.worker.running
    stopped = Report("b", 1, 1, ReportKind.STOPPED)
    assert bench.step(w.AttemptStopped(1, 1)) == [tell(stopped)]
    assert bench.worker.running == ()
    assert bench.told(w.Stop(1, 1, "cancelled")) == [], "it is told anyway, until it is heard"
    assert bench.step(w.AttemptStopped(1, 1)) == []


def test_a_failure_while_it_is_killed_is_no_failure(bench: Bench) -> None:
    bench.run()
    bench.told(w.Stop(1, 1, "cancelled"))
    (told,) = bench.step(w.AttemptFailed(1, 1, "killed", False))
    assert told.message.kind is ReportKind.STOPPED


def test_what_was_ready_at_the_moment_it_was_to_stop_is_thrown_away(bench: Bench) -> None:
    bench.run()
    bench.told(w.Stop(1, 1, "cancelled"))
    assert bench.encoded() == [w.Discard(PART), tell(Report("b", 1, 1, ReportKind.STOPPED))]
    assert bench.encoded() == [w.Discard(PART)]


def test_what_waits_for_a_grant_is_thrown_away(bench: Bench) -> None:
    bench.run()
    bench.encoded()
    assert bench.told(w.Stop(1, 1, "lost")) == [w.Discard(PART), tell(Report("b", 1, 1, ReportKind.STOPPED))]
    assert bench.told(w.Heard(1, 1, ReportKind.STOPPED)) == [w.DropReport(1, 1)]


def test_a_granted_publish_is_not_stopped(bench: Bench) -> None:
    bench.run()
    bench.encoded()
    bench.told(GRANT)
    assert bench.told(w.Stop(1, 1, "lost")) == []


def test_what_is_not_there_is_confirmed_at_once(bench: Bench) -> None:
    assert bench.told(w.Stop(8, 8, "lost")) == [tell(Report("b", 8, 8, ReportKind.STOPPED))]


# --- orphans ---


def test_encodes_without_a_coordinator_are_killed_after_a_while(bench: Bench) -> None:
    bench.run(order(), order(2))
    bench.encoded()
    bench.step(w.CoordinatorIs(None, 0))
    assert w.StopAttempt(2, 1) not in bench.tick(59.9)
    assert bench.tick(0.1) == [w.StopAttempt(2, 1)], "what waits for a grant or is granted stays"
    assert w.StopAttempt(2, 1) not in bench.tick(1.0)


def test_each_answer_of_the_coordinator_starts_the_clock_anew(bench: Bench) -> None:
    bench.run()
    bench.tick(50.0)
    bench.told(w.Seen(5, 1))
    assert w.StopAttempt(1, 1) not in bench.tick(50.0)
    bench.step(w.CoordinatorIs("c", 9))
    assert w.StopAttempt(1, 1) not in bench.tick(50.0)
    assert w.StopAttempt(1, 1) in bench.tick(10.0)


# --- what others look at ---


def test_whom_it_reports_to_and_which_parts_it_may_still_publish(bench: Bench) -> None:
    assert bench.worker.coordinator == "a"
    bench.run()
    bench.encoded()
    assert PART in bench.worker.parts
    bench.told(GRANT)
    assert PART in bench.worker.parts
    bench.step(w.PublishEnded(1, 1, PublishResult.PUBLISHED))
    assert PART not in bench.worker.parts


def test_who_leaves_takes_nothing_more_and_gives_back_what_runs(bench: Bench) -> None:
    bench.run()
    assert not bench.worker.has_left
    effects = bench.step(w.Leaving())
    told = [effect.message for effect in effects if isinstance(effect, w.Tell)]
    assert [type(message) for message in told] == [w.Offer, w.WorkBeat], "which is answered at once"
    assert told[0].view.slots == ()
    assert effects[-1] == w.StopAttempt(1, 1)
    assert bench.told(order(task=2)) == []
    bench.told(w.Seen(5, told[0].number))
    assert not bench.worker.has_left
    bench.step(w.AttemptStopped(1, 1))
    assert not bench.worker.has_left, "nobody has heard of it yet"
    bench.told(w.Heard(1, 1, ReportKind.STOPPED))
    assert bench.worker.has_left


def test_an_idle_node_has_left_when_the_coordinator_knows(bench: Bench) -> None:
    """It would be given work until it counts as lost."""
    bench.told(w.Seen(5, 1))
    (told, _) = bench.step(w.Leaving())
    assert not bench.worker.has_left
    assert bench.told(w.Seen(5, 1)) == [told], "it did not arrive"
    bench.told(w.Seen(5, 2))
    assert bench.worker.has_left
    bench.step(w.CoordinatorIs("c", 9))
    assert not bench.worker.has_left, "this one does not know"
    (late,) = bench.step(w.OfferChanged(view("b"), "https://b", "1"))
    assert late.message.view.slots == (), "whatever changed meanwhile"
    bench.step(w.CoordinatorIs(None, 0))
    assert bench.worker.has_left, "there is nobody to be told"


def test_who_never_offered_anything_leaves_at_once() -> None:
    worker = Worker("w", 1)
    worker.step(w.CoordinatorIs("a", 5), w.Moment(0.0, 0))
    assert worker.step(w.Leaving(), w.Moment(1.0, 0)) == []
    assert worker.has_left
