"""The volume with the third vote fails in every way: two nodes need it not, one alone does not lead without it, and
leads as soon as it is sound again, also after a power cut in the midst of its vote (SAFETY.md scenarios 9 to 11)."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fa.node.volume_probe import IDENTITY
from tests.e2e import disks, kit
from tests.e2e.disks import CHANGES, EIO, EROFS, LOOKS, Disk, Disks
from tests.e2e.load import Load, check_exactly_once
from tests.e2e.test_failover import BODY, WAITS

MISSING = disks.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

OTHER_ARRAY = "6ba7b810-9dad-11d1-80b4-00c04fd430c9"
SUSPICION = 2.5  # seconds: within them the vote is asked for
LONGER_THAN_ANY_SUSPICION = 3.0  # seconds: who would take over wrongly has done so by then


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the disk (see `fuse_disk`), and which share is mounted there: ours, a foreign one, none."""

    state: str  # of the volume, as nodes see it
    disk: dict[str, Any] = field(default_factory=dict)
    share: str = "ours"


SOUND = Fault("healthy")
EMPTY = Fault("disconnected", share="none")
FAULTS = (
    Fault("disconnected", {"errors": dict.fromkeys((*LOOKS, *CHANGES, "fsync"), EIO)}),
    Fault("read-only", {"errors": dict.fromkeys(CHANGES, EROFS)}),
    Fault("healthy", {"errors": {"fsync": EIO}}),
    Fault("full", {"capacity": 0}),
    Fault("hung", {"hang": True}),
    Fault("foreign", share="foreign"),
    EMPTY,
)


class Share:
    """The volume's disk with what is below it."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._home, self._aside = disk.backing / ".fa", disk.backing / "aside"
        self._identity = json.loads((disk.backing / IDENTITY).read_text())

    def suffer(self, fault: Fault) -> None:
        """At no moment between one fault and the next is it sound."""
        if fault.share == "none":
            self._home.rename(self._aside)
        elif self._aside.exists():
            self._aside.rename(self._home)
        if fault.share != "none":
            other = {"array_id": OTHER_ARRAY} if fault.share == "foreign" else {}
            (self._disk.backing / IDENTITY).write_text(json.dumps(self._identity | other))
        self._disk.set(**fault.disk)


@pytest.fixture
def one(tmp_path: Path, proved: Path) -> Iterator[tuple[kit.Array, Disks]]:
    with disks.failing(tmp_path, proved) as made:
        yield made


def test_a_volume_that_fails_gives_no_vote(one: tuple[kit.Array, Disks]) -> None:
    array, made = one
    disk = made.for_volume(array)
    array.found("a", "--slots", "1", "--witness", "volume:san")
    array.join("b", "--slots", "1")
    array.wait_mirror()
    kit.wait_until("the volume votes", lambda: len(array["a"].get("/v1/mirror")["voters"]) == 3)
    array.coordinator().post("/v1/factories", WAITS)
    share = Share(disk)
    with Load(array, BODY, clients=2, timeout=3.0) as load:
        for fault in (*FAULTS, SOUND, EMPTY, SOUND):
            share.suffer(fault)
            _wait_state(array, fault.state)
            _go_on(load)
            _wait_told(array, ill=fault.state != "healthy")
        share.suffer(FAULTS[0])
        dead = array.coordinator()
        alone = next(node for node in array.nodes if node is not dead)
        dead.kill()
        kit.wait_until("it is missed", lambda: alone.status()["coordinator"] is None)
        for fault in FAULTS:
            share.suffer(fault)
            kit.wait_some(LONGER_THAN_ANY_SUSPICION)
            assert alone.status()["health"] == "down", f"it leads without a vote: {fault}"
        share.suffer(SOUND)
        kit.wait_until("the one that is left leads", alone.leads)
        dead.start()
        array.wait_mirror()
        alone.kill()
        kit.wait_some(random.uniform(0.0, SUSPICION))
        disk.cut_power(random.randrange(1 << 20))
        kit.wait_until("what was promised is there when power is back, and is given", dead.leads)
        alone.start()
        array.wait_mirror()
    check_exactly_once(load, array.coordinator())


def _wait_state(array: kit.Array, state: str) -> None:
    def seen() -> bool:
        volumes = array.coordinator().get("/v1/volumes")["items"]
        return {volume["state"] for volume in volumes} == {state}

    kit.wait_until(f"the volume is {state} for all", seen)


def _wait_told(array: kit.Array, ill: bool) -> None:
    def told() -> bool:
        alerts = array.coordinator().get("/v1/alerts")["items"]
        return any(alert["kind"] == "volume.ill" for alert in alerts) == ill

    kit.wait_until("somebody is told" if ill else "the alert is over", told)


def _go_on(load: Load) -> None:
    seen = len(load.acknowledged)
    kit.wait_until("two nodes go on", lambda: len(load.acknowledged) > seen + 3)
