"""The file picker: looks through the folders of volumes, as a node that has them sees them, for one source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fa.client import calls
from fa.tui.boxes.menu import Entry, Menu
from fa.tui.host import Host
from fa.tui.times import parse, size
from fa.tui.values import Found, read_list

PAGE = 200  # entries that are asked for at a time


class Files:
    """``chosen`` gets the place of a file; nothing is shown or chosen once ``wanted()`` is no longer true."""

    def __init__(self, host: Host, chosen: Callable[[str], None], wanted: Callable[[], bool]) -> None:
        self.host, self.chosen, self.wanted = host, chosen, wanted

    def begin(self, text: str) -> None:
        """Where the text that is typed already leads; at the list of volumes without."""
        volume, colon, path = text.partition(":")
        if colon:
            self.look(volume, path.rpartition("/")[0])
        else:
            self._volumes()

    def _volumes(self) -> None:
        names = sorted({volume.name for volume in self.host.world.volumes})
        entries = [Entry(f"{name}:", partial(self.look, name, ""), hint="a volume") for name in names]
        self.host.show(Menu(self.host, "Volumes", entries, search=True))

    def look(self, volume: str, folder: str, after: str = "") -> None:
        call = calls.volume_files(volume, folder, PAGE, after)
        cli = f"fa volume files {volume}:{folder}"
        self.host.send(call, partial(self._seen, volume, folder), cli=cli)

    def _seen(self, volume: str, folder: str, told: Any) -> None:
        if not self.wanted():
            return
        found, further = read_list(Found, told), told.get("next")
        entries = [self._up(volume, folder), *self._entries(volume, folder, found)]
        if further:
            entries.append(Entry("…", partial(self.look, volume, folder, str(further)), hint="more"))
        self.host.show(Menu(self.host, f"{volume}:{folder}", entries, search=True))

    def _up(self, volume: str, folder: str) -> Entry:
        if not folder:
            return Entry("..", self._volumes, hint="the volumes")
        above = folder.rpartition("/")[0]
        return Entry("..", partial(self.look, volume, above), hint=f"{volume}:{above}")

    def _entries(self, volume: str, folder: str, found: Sequence[Found]) -> list[Entry]:
        """Folders first."""
        entries = []
        for each in sorted(found, key=lambda each: each.kind != "folder"):
            below = f"{folder}/{each.name}" if folder else each.name
            if each.kind == "folder":
                entries.append(Entry(f"{each.name}/", partial(self.look, volume, below), reason=_why_not(each)))
            else:
                run = partial(self.chosen, each.place)
                entries.append(Entry(each.name, run, hint=_facts(each), reason=_why_not(each)))
        return entries


def _facts(found: Found) -> str:
    at = parse(found.modified_at)
    return f"{size(found.bytes)}  {at:%Y-%m-%d %H:%M} UTC" if at else size(found.bytes)


def _why_not(found: Found) -> str:
    if not found.exact:
        return "its name is not UTF-8: a monitor can submit it"
    return "a link or a device, which is never read" if found.kind not in ("file", "folder") else ""
