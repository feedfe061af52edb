"""The helper that watches a folder, when one file in it is trouble: no other waits for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from fa.core.watch_messages import AfterOrder
from tests.node.test_scanner import Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    yield Site(tmp_path / "san", monkeypatch)


@pytest.mark.parametrize("encoding", ["none-such", "shift_jis", "utf-7", "rot13", "idna", "undefined"])
def test_a_ticket_in_an_encoding_that_nobody_reads_is_refused(site: Site, encoding: str) -> None:
    site.begin(tickets=True)
    text = f'<?xml version="1.0" encoding="{encoding}"?><ticket><source>clip.mxf</source></ticket>'
    site.write("strange.xml", text.encode())
    site.write("well.xml", b"<ticket><source>clip.mxf</source></ticket>")
    found = {each["path"]: each.get("ticket_error", "") for each in site.settle()}
    assert "cannot be read" in found["strange.xml"] and found["well.xml"] == ""


def test_a_move_that_fails_does_not_stop_the_quiet_time_of_others(site: Site) -> None:
    site.begin(after="move:done")
    status = site.write("old.mxf").stat()
    for name in ("old.mxf", "old~7.mxf"):
        site.write(f"done/{name}")
    order = AfterOrder(7, 1, "watch/in/old.mxf", status.st_size, status.st_mtime_ns, "done", "")
    site.write("new.mxf")
    site.look()
    for _ in range(3):
        site.now += 2.0
        assert "cannot be moved" in site.scanner.after({"after": asdict(order)})["error"]
        ready = [found["path"] for found in site.look()["ready"]]
    assert "new.mxf" in ready, "it stood still for 6 s; 5 are asked for"
