import json

import pytest

from fa.core.model import Event
from fa.errors import Invalid
from fa.node.api.render import event_shape
from fa.node.hub import Hub, WatchExpired

LONG = 30.0  # seconds; a test never waits that long unless something is broken


async def told(subscription):
    return [(m.id, m.topic, json.loads(m.data)) for m in await subscription.take(LONG)]


async def test_a_watcher_hears_its_topics_only():
    hub = Hub(epoch=3)
    watcher = hub.subscribe(frozenset({"job"}))
    hub.publish("node", {"name": "b"})
    hub.publish("job", {"id": 1})
    assert await told(watcher) == [("3-2", "job", {"id": 1})]


async def test_a_name_that_is_no_utf_8_is_told_with_escapes():
    """What raises here ends the coordinator, as it tells watchers after each step."""
    hub = Hub(epoch=3)
    watcher = hub.subscribe()
    hub.publish("event", event_shape(Event(1, "monitor.refused", "warning", "monitor/m", "in/\udcff.xml: bad")))
    hub.publish("alert", {"text": "half \ud800 and \udcff"})
    hub.sample({1: "\udcff"})
    event, alert, progress = [message[2] for message in await told(watcher)]
    assert (event["text"], progress) == ("in/\\xff.xml: bad", {"1": "\\xff"})
    assert alert["text"].startswith("half ")


async def test_resume_gives_exactly_what_came_after():
    hub = Hub(epoch=3)
    ids = [hub.publish("job", n) for n in range(5)]
    assert [m.id for m in await hub.subscribe(since=ids[1]).take(LONG)] == ids[2:]
    assert [m.id for m in await hub.subscribe(since="3-0").take(LONG)] == ids
    assert await hub.subscribe(since=ids[-1]).take(0.001) == []


@pytest.mark.parametrize("since", ["3-1", "2-5", "4-1", "3-99"])
def test_what_is_no_longer_kept_must_be_listed_again(since):
    hub = Hub(epoch=3, ring=4)
    for n in range(6):
        hub.publish("job", n)
    with pytest.raises(WatchExpired):
        hub.subscribe(since=since)


@pytest.mark.parametrize("since", ["x", "3", "3-", "-1-2", "3-1\n", "٣-1", "9" * 400 + "-1"])
def test_an_id_that_cannot_be_is_refused(since):
    with pytest.raises(Invalid, match="id of a message"):
        Hub(epoch=3).subscribe(since=since)


def test_an_unknown_topic_is_refused():
    with pytest.raises(Invalid, match="no topic 'jobs'"):
        Hub().subscribe(frozenset({"jobs", "node"}))


async def test_progress_is_told_once_when_it_changed_and_cannot_be_resumed_from():
    hub = Hub()
    watcher = hub.subscribe()
    hub.sample({})
    hub.sample({17: 0.25})
    hub.sample({17: 0.25})
    hub.sample({})
    assert await told(watcher) == [("", "progress", {"17": 0.25}), ("", "progress", {})]
    assert hub.head == "0-0"


async def test_a_slow_watcher_loses_progress_first():
    hub = Hub(queue=3)
    watcher = hub.subscribe()
    hub.sample({1: 0.1})
    hub.publish("job", "a")
    hub.sample({1: 0.2})
    hub.publish("job", "b")
    hub.publish("job", "c")
    hub.sample({1: 0.3})
    assert [data for _, _, data in await told(watcher)] == ["a", "b", "c"]
    assert watcher.ended == ""


async def test_then_its_subscription_and_nobody_elses():
    hub = Hub(queue=2)
    slow, quick = hub.subscribe(), hub.subscribe()
    for n in range(3):
        hub.publish("job", n)
        assert len(await quick.take(LONG)) == 1
    assert [data for _, _, data in await told(slow)] == [0, 1]
    assert slow.ended == "overflow"
    assert await slow.take(LONG) == []
    assert quick.ended == ""


async def test_a_new_epoch_sends_watchers_away_after_what_they_have():
    hub = Hub(epoch=3)
    watcher = hub.subscribe()
    hub.publish("job", 1)
    hub.begin_epoch(4)
    assert [m.id for m in await watcher.take(LONG)] == ["3-1"]
    assert watcher.ended == "moved"
    assert hub.watchers == 0
    assert hub.head == "4-0"
    with pytest.raises(WatchExpired):
        hub.subscribe(since="3-1")


async def test_who_left_is_not_told():
    hub = Hub()
    watcher = hub.subscribe()
    hub.unsubscribe(watcher)
    hub.unsubscribe(watcher)
    hub.publish("job", 1)
    assert await watcher.take(0.001) == []
