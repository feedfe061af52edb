"""The monitors of a node: real helper processes on a real folder, with a core that the test plays."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from fa.core import work as w
from fa.core.arrivals import Sighting, pack_keys, stat_key
from fa.core.intake import Stamp
from fa.core.places import Place
from fa.core.watch_messages import AfterOrder, WatchOrder
from fa.node import watch
from fa.node.monitors import Monitors
from fa.node.volume_probe import adopt
from fa.node.volumes import VolumeGone

ARRAY = "0f3a9c11-0000-4000-8000-000000000001"
TEXT = 'name = "m"\nfolder = "san:in"\nfactories = ["one"]\npoll = "100ms"\nquiet = "200ms"\n'


class Site:
    """`events` is what the core was told. `mounted`: whether the volume answers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "in").mkdir(parents=True)
        assert adopt(str(root), ARRAY, "san") == ""
        self.mounted, self.read_only = True, False
        self.events: list[Any] = []
        self.why_not: Callable[[str], str] = lambda path: ""
        shop: Any = SimpleNamespace(volumes=SimpleNamespace(root=self.mount), tools=None, sandbox=None)
        self.monitors = Monitors(shop, ARRAY, self.events.append)
        self.monitors._probe = SimpleNamespace(why_not=self._why_not)  # type: ignore[assignment]

    def mount(self, name: str, write: bool) -> str:
        if not self.mounted or (write and self.read_only):
            raise VolumeGone(f"Volume {name} is gone.")
        return str(self.root)

    async def _why_not(self, root: str, place: Place, stamp: Stamp) -> str:
        return self.why_not(place.path)

    def start(self, text: str = TEXT, version: int = 1, keys: bytes = b"") -> None:
        self.monitors.start(w.StartWatch(WatchOrder(1, version, text)))
        self.monitors.learn(w.Learn(1, keys, True))

    def write(self, name: str, content: bytes = b"x" * 100) -> Path:
        path = self.root / "in" / name
        path.write_bytes(content)
        return path

    @property
    def found(self) -> list[Sighting]:
        return [seen for event in self.events if isinstance(event, w.Scanned) for seen in event.files]

    @property
    def status(self) -> Any:
        return next((event.status for event in reversed(self.events) if isinstance(event, w.Scanned)), None)

    def hear(self, *refused: str) -> None:
        """All that was found is in the store, or refused."""
        files = tuple(self.found)
        self.monitors.heard(w.FilesHeard(1, files, refused or ("",) * len(files)))

    def helper(self) -> int:
        process = self.monitors._helpers[1]._process
        assert process is not None
        return process.pid


async def until(condition: Callable[[], Any]) -> None:
    """Generous: a helper takes a while to start on a busy machine."""
    async with asyncio.timeout(60.0):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path / "san")
    yield made
    await made.monitors.close()


async def test_a_file_that_settled_is_told_once(site: Site) -> None:
    site.write("a.ts")
    site.start()
    await until(lambda: site.found)
    (seen,) = site.found
    assert (seen.path, seen.size, site.status.state) == ("in/a.ts", 100, "watching")
    site.hear()
    await until(lambda: site.status.settling == 0 and site.status.seen == 1)
    assert len(site.found) == 1


async def test_nothing_is_looked_at_before_all_is_known(site: Site) -> None:
    status = site.write("a.ts").stat()
    key = stat_key("in/a.ts", status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    site.monitors.start(w.StartWatch(WatchOrder(1, 1, TEXT)))
    site.monitors.learn(w.Learn(1, pack_keys([key]), False))
    site.monitors.learn(w.Learn(1, b"", True))
    await until(lambda: site.status and site.status.seen == 1)
    site.write("b.ts")
    await until(lambda: site.found)
    assert [seen.path for seen in site.found] == ["in/b.ts"]


async def test_a_volume_that_is_gone_is_said_to_be(site: Site) -> None:
    site.mounted = False
    site.start()
    await until(lambda: site.status and site.status.state == "disconnected")
    assert site.status.why == "Volume san is gone."
    site.mounted = True
    site.write("a.ts")
    await until(lambda: site.found and site.status.state == "watching")


async def test_what_was_seen_before_its_volume_was_gone_has_to_stand_still_anew(site: Site) -> None:
    site.write("a.ts")
    site.start(TEXT.replace('"200ms"', '"1s"'))
    await until(lambda: site.status and site.status.settling == 1)
    site.mounted = False
    await until(lambda: site.status.state == "disconnected")
    await asyncio.sleep(1.0)  # as long as it would have to stand still
    site.mounted = True
    await until(lambda: site.status.state == "watching")
    assert not site.found
    await until(lambda: site.found)


async def test_a_folder_that_hung_once_is_looked_at_again_soon(site: Site) -> None:
    """The rest after a long look is for folders in which every look is long."""
    site.start()
    await until(lambda: site.status and site.status.state == "watching")
    os.kill(site.helper(), signal.SIGSTOP)
    await asyncio.sleep(3.0)
    site.write("a.ts")
    os.kill(site.helper(), signal.SIGCONT)
    began = monotonic()
    await until(lambda: site.found)
    assert monotonic() - began < 6.0, "three times as long as it hung would be 9 s"


async def test_a_volume_that_can_only_be_read_is_enough_to_watch(site: Site) -> None:
    site.read_only = True
    site.start(TEXT + "tickets = true\n")
    await until(lambda: site.status and site.status.state == "disconnected")
    site.write("a.ts")
    site.start(version=2)
    await until(lambda: site.found)


async def test_a_helper_that_died_is_replaced_and_knows_what_was_heard(site: Site) -> None:
    site.write("a.ts")
    site.start()
    await until(lambda: site.found)
    site.hear()
    await until(lambda: site.status.settling == 0)
    os.kill(site.helper(), signal.SIGKILL)
    site.write("b.ts")
    await until(lambda: len(site.found) > 1)
    assert [seen.path for seen in site.found] == ["in/a.ts", "in/b.ts"]
    assert not [event for event in site.events if event.status.why.startswith("fa failed")]


async def test_a_helper_that_hangs_makes_it_disconnected_and_gets_no_second_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.start()
    await until(lambda: site.status and site.status.state == "watching")
    pid = site.helper()
    monkeypatch.setattr(watch, "SCAN_TIMEOUT", 0.2)
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: site.status.state == "disconnected")
    assert "has not answered for 0.2 s" in site.status.why and site.helper() == pid
    site.write("a.ts")
    monkeypatch.setattr(watch, "SCAN_TIMEOUT", 30.0)
    os.kill(pid, signal.SIGCONT)
    await until(lambda: site.found and site.status.state == "watching")
    assert site.helper() == pid


async def test_what_has_no_index_yet_is_not_told(site: Site) -> None:
    site.why_not = lambda path: "moov atom not found" if Path(site.root, path).stat().st_size < 200 else ""
    site.write("a.mov")
    site.write("b.ts")
    site.start()
    await until(lambda: site.found)
    assert [seen.path for seen in site.found] == ["in/b.ts"]
    site.write("a.mov", b"x" * 200)
    await until(lambda: len(site.found) == 2)
    assert (site.found[1].path, site.found[1].size) == ("in/a.mov", 200)


async def test_a_look_for_the_index_that_fails_is_repeated(site: Site) -> None:
    tries = 0

    def why_not(path: str) -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OverflowError("a length of no number")
        return ""

    site.why_not = why_not
    site.start()
    site.write("a.mov")
    await until(lambda: site.found)
    assert tries == 2


async def test_what_was_refused_is_named(site: Site) -> None:
    site.write("a.ts")
    site.start()
    await until(lambda: site.found)
    site.hear("There is no factory one.")
    await until(lambda: site.status.state == "error")
    assert site.status.why == "in/a.ts: There is no factory one." and site.status.refused == 1


async def test_a_new_version_begins_anew(site: Site) -> None:
    site.start()
    await until(lambda: site.status)
    site.events.clear()
    site.start(TEXT + 'include = ["*.mxf"]\n', version=2)
    site.write("a.ts")
    site.write("b.mxf")
    await until(lambda: site.found)
    assert [seen.path for seen in site.found] == ["in/b.mxf"] and site.status.version == 2


async def test_a_text_of_a_later_version_is_an_error(site: Site) -> None:
    site.start('color = "red"\n')
    assert site.status.state == "error" and "color" in site.status.why


async def test_a_file_is_moved_by_the_helper(site: Site) -> None:
    status = site.write("a.ts").stat()
    site.start(TEXT + 'after = "move:done/"\n')
    order = AfterOrder(5, 1, "in/a.ts", status.st_size, status.st_mtime_ns, "done", "")
    site.monitors.after(w.DoAfter(order))
    await until(lambda: [event for event in site.events if isinstance(event, w.AfterEnded)])
    (ended,) = [event for event in site.events if isinstance(event, w.AfterEnded)]
    assert (ended.path, ended.error) == ("in/done/a.ts", "") and (site.root / "in/done/a.ts").exists()


async def test_who_does_not_watch_moves_nothing(site: Site) -> None:
    site.monitors.after(w.DoAfter(AfterOrder(5, 1, "in/a", 1, 1, "done", "")))
    assert "does not watch" in site.events[0].error


async def test_a_watch_that_ended_leaves_no_process(site: Site) -> None:
    site.start()
    await until(lambda: site.status)
    process = site.monitors._helpers[1]._process
    assert process is not None
    site.monitors.stop(w.StopWatch(1))
    async with asyncio.timeout(60.0):
        await process.wait()
    assert site.monitors._watches == {}
