"""What becomes of troubles in the store: alerts, lines of history, and notices."""

from __future__ import annotations

from typing import Any

import pytest

from fa.core import commands as c
from fa.core.alarms import ARRAY, AlertChanged, Notice, NoticeWritten, Remark, Trouble
from fa.core.ledger import Ledger, Outcome
from fa.core.model import Alert, AttemptState, NewJob, NodeMode, NodeRow, NodeView, Output
from fa.errors import NotFound
from fa.store.memory import MemoryTables

FACTORY = """
name = "proxy"
attempts = 1
[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "san:out/{source.stem}-{job}.mp4"
[notify]
on_success = ["json://hall/ok"]
on_failure = ["mailto://desk@news"]
"""


class Store:
    def __init__(self) -> None:
        self.tables = MemoryTables()
        self.ledger = Ledger(self.tables)
        self.facts: list[Any] = []

    def do(self, command: c.Command) -> Any:
        outcome: Outcome = self.ledger.apply(command)
        self.facts += outcome.facts
        return outcome.value

    def open(self) -> list[tuple[str, str]]:
        return [(alert.kind, alert.subject) for alert in self.tables.open_alerts()]

    def told(self) -> list[str]:
        """What is to be sent, by kind."""
        return [notice.kind for notice in self.notices() if notice.done_at is None]

    def notices(self) -> list[Notice]:
        found = [self.tables.notice(fact.id) for fact in self.facts if isinstance(fact, NoticeWritten)]
        return [notice for notice in found if notice]

    def changed(self) -> list[Alert]:
        return [fact.alert for fact in self.facts if isinstance(fact, AlertChanged)]


@pytest.fixture
def store() -> Store:
    return Store()


def tell(store: Store, scope: str, *troubles: Trouble, at: int = 5) -> bool:
    return bool(store.do(c.TellTroubles(scope, troubles, at)))


def test_one_trouble_is_one_row_and_two_mails(store: Store) -> None:
    for at in (1, 2):
        store.do(c.RaiseAlert("node.lost", "node/b", "b is silent", at))
    assert store.open() == [("node.lost", "node/b")] and store.told() == ["node.lost"]
    assert store.do(c.ClearAlert("node.lost", "node/b", 3)) is True
    assert store.do(c.ClearAlert("node.lost", "node/b", 4)) is False
    assert store.open() == [] and store.told() == ["node.lost", "node.lost.over"]
    assert [alert.cleared_at for alert in store.changed()] == [None, 3]


def test_what_a_scope_no_longer_tells_is_over(store: Store) -> None:
    low = Trouble("disk.low", "node/b/state", "2 % free")
    skew = Trouble("clock.skew", "node/b", "9 s ahead of a")
    assert tell(store, "node/b", low, skew) is True
    assert tell(store, "node/b", low, skew) is False, "told again: nothing new, and nothing is written"
    assert tell(store, "node/b", skew) is True
    assert store.open() == [("clock.skew", "node/b")]
    assert tell(store, "node/b") is True and store.open() == []


def test_a_scope_speaks_for_itself_only(store: Store) -> None:
    """What others told, and what is raised one by one, stays; a node cannot open anything in another's name."""
    store.do(c.RaiseAlert("node.lost", "node/b", "silent", 1))
    tell(store, ARRAY, Trouble("solo", ARRAY, "one copy"))
    tell(store, "node/bb", Trouble("clock.skew", "node/bb", "x"))
    tell(store, ARRAY, Trouble("solo", ARRAY, "one copy"))
    tell(store, "node/b", Trouble("clock.skew", "node/c", "a lie"), Trouble("node.lost", "node/b/x", "for ever"))
    assert store.open() == [("node.lost", "node/b"), ("solo", ARRAY), ("clock.skew", "node/bb")]


def test_what_happened_is_told_once_and_keeps_nothing_degraded(store: Store) -> None:
    first, second = (Trouble("link-refused", "node/b", f"try {n}", number=n) for n in (7, 8))
    assert tell(store, "node/b", first) is True
    assert tell(store, "node/b", first) is False, "the answer was lost, so it was told again"
    assert tell(store, "node/b", second, first) is True
    assert store.open() == [] and store.told() == ["link-refused", "link-refused"]
    assert [notice.text for notice in store.notices()] == ["try 7", "try 8"]


def test_a_take_over_is_told_and_a_restart_is_not(store: Store) -> None:
    for epoch, name in ((2049, "a"), (4097, "a"), (6146, "b")):
        store.do(c.BeginEpoch(epoch, name, epoch))
    assert [(notice.kind, notice.text) for notice in store.notices()] == [
        ("take-over", "b leads the array in epoch 6146, after a")
    ]
    assert store.open() == []


def test_seeing_an_alert_is_written_down_with_the_name(store: Store) -> None:
    alert = store.do(c.RaiseAlert("solo", ARRAY, "one copy", 1))
    for at in (2, 3):
        assert store.do(c.AckAlert(alert.id, "admin:QX7", at)).acked_at == 2
    noted = [fact for fact in store.facts if isinstance(fact, c.Noted) and fact.kind == "alert.acked"]
    assert [fact.text for fact in noted] == [f"alert {alert.id} seen by admin:QX7"]
    with pytest.raises(NotFound):
        store.do(c.AckAlert(99, "x", 1))


def test_a_remark_is_a_line_of_history_and_no_alarm(store: Store) -> None:
    store.do(Remark("array.forced", ARRAY, "b was forced to lead by admin:QX7", 7))
    (noted,) = [fact for fact in store.facts if isinstance(fact, c.Noted)]
    assert (noted.kind, noted.subject, noted.text) == ("array.forced", ARRAY, "b was forced to lead by admin:QX7")
    assert (noted.at, noted.severity) == (7, "info")
    assert store.open() == [] and store.notices() == []


def test_a_notice_ends_once(store: Store) -> None:
    store.do(c.RaiseAlert("solo", ARRAY, "one copy", 1))
    (notice,) = store.notices()
    assert store.do(c.EndNotices(((notice.id, ""), (77, "")), 9)) == 1
    assert store.do(c.EndNotices(((notice.id, "nobody answered"),), 10)) == 0
    ended = store.tables.notice(notice.id)
    assert ended and (ended.done_at, ended.outcome) == (9, "")
    assert store.tables.delete_notices(before=9, limit=5) == 0
    assert store.tables.delete_notices(before=10, limit=5) == 1


def test_a_notice_that_reached_nobody_leaves_a_line(store: Store) -> None:
    store.do(c.RaiseAlert("solo", ARRAY, "one copy", 1))
    store.do(c.EndNotices(((1, "the mail server refused it"),), 9))
    noted = [fact for fact in store.facts if isinstance(fact, c.Noted)]
    assert (noted[-1].kind, noted[-1].text) == ("notice.failed", "solo: the mail server refused it")


def run(store: Store) -> c.Order:
    """A job that runs on a."""
    store.do(c.SaveFactory(FACTORY, 1))
    store.do(c.SubmitJobs((NewJob("san:in/x.mov", "proxy"),), 2))
    offers = frozenset({"volume:san", "source:san", "encoder:libx264", "encoder:aac"} | _filters())
    (order,) = store.do(c.Dispatch(1, (NodeView("a", (("cpu", 1),), offers=offers),), 3)).orders
    assert isinstance(order, c.Order)
    return order


def _filters() -> set[str]:
    from fa.core.recipe_needs import known_filters

    return {f"filter:{name}" for name in known_filters()}


def test_the_factory_says_who_is_told_when_a_job_ends(store: Store) -> None:
    order = run(store)
    output = Output(order.destination, 10, "ab" * 32)
    store.do(c.AskPublish("a", order.task, order.attempt, "san:.fa/part/x", output, 4))
    assert store.told() == []
    store.do(c.FinishAttempt(order.task, order.attempt, 5))
    (notice,) = store.notices()
    assert (notice.kind, notice.subject, notice.targets) == ("job.succeeded", "job/1", ("json://hall/ok",))
    assert notice.text == "proxy: san:in/x.mov is done: san:out/x-1.mp4"


def test_a_failed_job_tells_others_and_a_cancelled_one_nobody(store: Store) -> None:
    order = run(store)
    store.do(c.FailAttempt(order.task, order.attempt, "moov atom not found", True, 5))
    (notice,) = store.notices()
    assert (notice.kind, notice.targets) == ("job.failed", ("mailto://desk@news",))
    assert notice.text == "proxy: san:in/x.mov: proxy: moov atom not found"
    assert store.tables.attempt(order.task, 1).state is AttemptState.FAILED  # type: ignore[union-attr]
    (job,) = store.do(c.SubmitJobs((NewJob("san:in/y.mov", "proxy"),), 6)).jobs
    store.do(c.ActOnJobs(c.JobAction.CANCEL, (job,), 7))
    assert len(store.notices()) == 1


def test_who_changed_a_job_is_in_its_history(store: Store) -> None:
    store.do(c.SaveFactory(FACTORY, 1))
    store.do(c.SubmitJobs((NewJob("san:in/x.mov", "proxy"),), 2))
    store.do(c.SetPriority((1, 99), 75, 3, "operator:K3"))
    store.do(c.ActOnJobs(c.JobAction.HOLD, (1,), 4, "operator:K3"))
    store.do(c.ActOnJobs(c.JobAction.HOLD, (1,), 5, "operator:K3"))
    store.do(c.ActOnJobs(c.JobAction.RELEASE, (1,), 6, "admin:Z"))
    mine = [fact.text for fact in store.facts if isinstance(fact, c.Noted) and fact.subject == "job/1"]
    assert mine == ["priority 75 by operator:K3", "held by operator:K3", "released by admin:Z"]


def test_who_gives_a_node_work_again_trusts_it(store: Store) -> None:
    """`fa node resume` ends its quarantines, also where the node was never paused."""
    store.do(c.PutNode(NodeRow("b", NodeMode.UP, "https://b:1", 1), 1))
    for factory in ("copy", "proxy"):
        store.do(c.SetQuarantine("b", factory, True, "3 failures in a row", 2))
    assert len(store.open()) == 2
    store.do(c.SetNodeMode("b", NodeMode.UP, 3, "admin:QX7"))
    assert store.open() == [] and not store.tables.quarantines()
    texts = [fact.text for fact in store.facts if isinstance(fact, c.Noted) and fact.kind == "node.trusted"]
    assert texts[-1] == "gets work of factory proxy again, by admin:QX7"


def test_a_removed_node_leaves_no_trouble_behind(store: Store) -> None:
    """Nobody could say that it is over, and the array would be degraded for ever."""
    store.do(c.PutNode(NodeRow("b", NodeMode.UP, "https://b:1", 1), 1))
    store.do(c.RaiseAlert("node.lost", "node/b", "silent", 2))
    store.do(c.RaiseAlert("volume.ill", "node/b/san", "hung", 2))
    store.do(c.RaiseAlert("node.lost", "node/bb", "silent", 2))
    tell(store, "node/b", Trouble("disk.low", "node/b/state", "1 %"))
    store.do(c.SetQuarantine("b", "proxy", True, "3 failures in a row", 2))
    store.do(c.RemoveNode("b", 3, "admin:QX7"))
    assert store.open() == [("node.lost", "node/bb")]


def test_new_jobs_are_one_fact_a_request(store: Store) -> None:
    store.do(c.SaveFactory(FACTORY, 1))
    jobs = tuple(NewJob(f"san:in/{n}.mov", "proxy") for n in range(3))
    for _ in range(2):
        store.do(c.SubmitJobs(jobs, 2, key="k", digest="d"))
    assert [fact for fact in store.facts if isinstance(fact, c.JobsSubmitted)] == [c.JobsSubmitted((1, 2, 3))]
